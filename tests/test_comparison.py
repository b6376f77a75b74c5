"""The tables that compare tools say what the probes find; `python -m tests.comparison` writes them.

    TENSORFLOW_HUB_PYTHON=path/to/python pytest tests/test_comparison.py

looks at the column of tensorflow_hub, too, with a Python that has its version 0.16.1.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from tests.comparison import table
from tests.comparison.__main__ import PAGE, RECORD, run_probes
from tests.comparison.prepare import prepare
from tests.comparison.probes import FIGURES, PROBES
from tests.packages import HAS_ESTIMATOR

_PYTHONS = {
    "compat_hub": sys.executable,
    "tensorflow": sys.executable,
    "tensorflow_hub": os.environ.get("TENSORFLOW_HUB_PYTHON"),
}
# It takes a minute. For compat_hub the conformance tests look at the same, and at more.
_LONG = {"all_signatures"}


def test_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    written = table.render(json.loads(RECORD.read_text()))
    assert table.update(text, written) == text, "run `python -m tests.comparison`"


def test_every_probe_is_recorded() -> None:
    assert [row["name"] for row in json.loads(RECORD.read_text())["rows"]] == list(PROBES)


@pytest.mark.parametrize("tool", _PYTHONS)
def test_probes(tool: str, tmp_path: Path) -> None:
    python = _PYTHONS[tool]
    if python is None:
        pytest.skip("TENSORFLOW_HUB_PYTHON names no Python that has tensorflow_hub")
    record = json.loads(RECORD.read_text())
    (recorded_with, *_) = record["versions"].values()
    if tool == "tensorflow" and tf.__version__[:4] != recorded_with["tensorflow"][:4]:
        pytest.skip("the record is of another TensorFlow")
    prepare(tmp_path)
    without = set() if HAS_ESTIMATOR else {"estimators_of_tf1"}
    rows = [row for row in PROBES if row not in FIGURES | _LONG | without]
    found = run_probes(python, tool, tmp_path, rows)
    recorded = {row["name"]: row[tool] for row in record["rows"]}
    assert {r: found[r]["answer"] for r in rows} == {r: recorded[r]["answer"] for r in rows}
