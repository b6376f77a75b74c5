"""The list of passes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import compat_hub.graphdef.passes
from compat_hub.graphdef.run_passes import Mode, Pass
from compat_hub.programs import passes, raising
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


def test_every_file_of_passes_is_in_a_list() -> None:
    """Or some file that is in one uses it."""
    folder = Path(compat_hub.graphdef.passes.__file__).parent
    sources = [Path(passes.__file__), Path(raising.__file__)]
    sources += [Path(passes.__file__).with_name("meta_graph_passes.py")]
    sources += [*folder.rglob("*.py"), *Path(passes.__file__).parent.glob("gradients/*.py")]
    text = {path: path.read_text("utf-8") for path in sources}
    for path in folder.rglob("*.py"):
        # These are for whoever writes a module, and for what finds host access.
        if path.stem not in {"__init__", "leave_out"}:
            users = [other for other in text if other != path and path.stem in text[other]]
            assert users, path.name
