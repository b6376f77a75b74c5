"""The list of passes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import compat_hub
from compat_hub.graphdef.run_passes import Mode, Pass
from compat_hub.programs.passes import PASSES
from compat_hub.programs.raising import RAISING

ALL = [*PASSES, *RAISING]


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.name)
def test_an_entry(entry: Pass) -> None:
    assert entry.modes
    assert entry.run.__doc__, "what the pass does, in a sentence"


def test_names_are_unique() -> None:
    """Errors name the pass."""
    assert Counter(entry.name for entry in ALL).most_common(1)[0][1] == 1


def test_every_mode_has_passes() -> None:
    assert frozenset(Mode) == frozenset().union(*(entry.modes for entry in PASSES))


def test_every_file_of_passes_is_used() -> None:
    """By the lists, by what else rewrites a whole graph, or by a file that is used."""
    package = Path(compat_hub.__file__).parent
    text = {path: path.read_text("utf-8") for path in package.rglob("*.py")}
    for path in (package / "graphdef/passes").rglob("*.py"):
        if path.stem != "__init__":
            name = re.compile(rf"\b{path.stem}\b")
            assert any(name.search(text[other]) for other in text if other != path), path.name
