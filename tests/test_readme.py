"""The README's examples run, and print what it says; so do the sessions of docs/command_line.md."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from compat_hub.cli.main import main
from compat_hub.samples import sample_path
from tests.examples import blocks_of, run_examples

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
# As in 0.0e+00, and numbers of which the last digit may differ.
_DIGITS = re.compile(r"\d\.\de[+-]\d\d|-?\d+\.\d{3,}")


def _sessions() -> dict[str, str]:
    """What a terminal shows, by the first line and the page."""
    pages = [README, ROOT / "docs/command_line.md"]
    return {
        f"{content.partition(chr(10))[0]} of {page.name}": content
        for page in pages
        for language, content in blocks_of(page)
        if language == "console"
    }


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_examples(README, {sample_path("pets"): "path/to/pets"})


def _without_versions(text: str) -> list[str]:
    return re.sub(r"TensorFlow 2\.\d+\.\d+", "TensorFlow 2", text).split()


@pytest.mark.parametrize("session", _sessions().values(), ids=_sessions().keys())
def test_commands_print_what_it_says(
    session: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "88")
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        program, *args = shlex.split(command.replace("path/to/pets", sample_path("pets")))
        if program == "cat":  # the file is what it is said to print
            Path(args[0]).write_text(expected, encoding="utf-8")
            continue
        assert program == "compat-hub"
        result = CliRunner().invoke(main, args)
        assert result.exit_code == 0, result.output
        printed = result.stdout.replace(sample_path("pets"), "path/to/pets")
        _compare(printed.replace(str(tmp_path), "path/to"), expected)


def _compare(printed: str, expected: str) -> None:
    """Other versions of TensorFlow round differently; lines of three dots are left out."""
    found = _without_versions(_DIGITS.sub("#", printed))
    for part in re.split(r"^\.\.\.$", expected, flags=re.MULTILINE):
        words = _without_versions(_DIGITS.sub("#", part))
        starts = range(len(found) - len(words) + 1)
        start = next((k for k in starts if found[k : k + len(words)] == words), None)
        assert start is not None, part
        found = found[start + len(words) :]


@pytest.mark.parametrize("word", ["compat-hub demo", "pytest"])
def test_ci_finds_its_commands(word: str) -> None:
    """.ci/run runs the one command with this word."""
    commands = [content for language, content in blocks_of(README) if language == "bash"]
    assert [word in command for command in commands].count(True) == 1
