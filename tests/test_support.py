"""The page of what is supported says what is recorded; `python -m tests.support` writes both."""

from __future__ import annotations

import json

import pytest

from tests.support import table
from tests.support.__main__ import PAGE, RECORD, ROOT
from tests.support.rows import ROWS, TESTS
from tests.support.running import test_files as files_of

_OUTCOME = {"passed": 1200, "skipped": {"no": 2}, "failed": ["test_x[y]"], "seconds": 3}
_VERSIONS = {"tensorflow": "2.16.2", "Python": "3.11.7", "tf-keras": "2.16.0"} | dict.fromkeys(
    ("keras", "numpy", "protobuf"), "1"
)


def test_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert table.update(text, json.loads(RECORD.read_text())) == text


def test_every_row_took_the_same_tests() -> None:
    """A file that is newer than the record is in no row of it."""
    record = json.loads(RECORD.read_text())
    assert record.keys() <= ROWS.keys()
    first, *others = (set(row["tests"]) for row in record.values())
    assert all(tests == first for tests in others)
    assert first <= set(files_of(ROOT, list(TESTS)))


def test_a_table() -> None:
    entry = {"date": "2030-01-02", "versions": _VERSIONS, "tests": {"tests/test_a.py": _OUTCOME}}
    rendered = table.render({"tf2.21-py3.9": entry, "tf2.3-py3.10": entry})
    assert "| 2.16.2 | 3.11.7 | 2.16.0 | 1 | 1 | 1 | 1,200 | 2 | 1 | 2030-01-02 |" in rendered
    assert "- TensorFlow 2.16.2, Python 3.11.7: `tests/test_a.py`: test_x[y]" in rendered


@pytest.mark.parametrize("text", ["no marks", table.BEGIN])
def test_a_page_without_marks(text: str) -> None:
    with pytest.raises(ValueError, match="unpack"):
        table.update(text, {})
