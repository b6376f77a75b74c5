"""The examples of a page: they run, and print what the page shows."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

_NUMBER = re.compile(r"-?\d+\.\d+")


def blocks_of(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page, as pairs of language and content."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run_examples(page: Path, places: Mapping[str, str] | None = None) -> str:
    """Runs the blocks of Python, one after another in one namespace.

    A block of text after one of Python is what that prints, up to the last digits of numbers: other
    versions of TensorFlow round differently. What needs tensorflow_hub, which may not be installed,
    is left out.

    Args:
        page: The page.
        places: What stands in the page for paths of this machine, by what a block prints.

    Returns:
        All that is printed.
    """
    blocks = [block for block in blocks_of(page) if block[0] in {"python", "text"}]
    assert any(language == "python" for language, _ in blocks), f"{page.name} has no example"
    namespace: dict[str, object] = {}
    printed = ""
    for (language, code), (next_language, expected) in zip(
        blocks, [*blocks[1:], ("", "")], strict=True
    ):
        if language != "python":
            continue
        if "tensorflow_hub" in code and not importlib.util.find_spec("tensorflow_hub"):
            continue
        with contextlib.redirect_stdout(io.StringIO()) as stream:
            exec(compile(code, str(page), "exec"), namespace)
        found = stream.getvalue()
        for place, name in (places or {}).items():
            found = found.replace(place, name)
        if next_language == "text":
            compare(found, expected)
        printed += found
    return printed


def compare(found: str, expected: str) -> None:
    """Checks that two texts are the same but for spaces, and for the last digits of numbers."""
    assert _NUMBER.sub("#", found).split() == _NUMBER.sub("#", expected).split()
    numbers = [[float(number) for number in _NUMBER.findall(text)] for text in (found, expected)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.02, abs=0.002)
