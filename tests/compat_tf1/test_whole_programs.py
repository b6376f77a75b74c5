"""Programs as people wrote them for TensorFlow 1.15, after `migrate` alone.

What they gave under TensorFlow 1.15 is in `whole_programs_fixtures`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import compat_hub
from tests.packages import HAS_ESTIMATOR, HAS_SLIM
from tests.records import FIXTURES

_TESTS = Path(__file__).parents[1]
_RECORDS = _TESTS / "whole_programs_fixtures"
_TOLERANCE = 1e-4
_PROGRAMS = {
    path.stem: f"{path.stem}.py" for path in (_TESTS / "tf1" / "whole_programs").glob("*.py")
}
_PROGRAMS["bert"] = "bert/run_classifier.py"
_NEEDED = {
    **dict.fromkeys(("bert", "exporter", "text_classifier"), HAS_ESTIMATOR),
    **dict.fromkeys(("author", "monitored"), HAS_SLIM),
}
_NEEDED["exporter"] = HAS_ESTIMATOR and HAS_SLIM


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs, which were migrated and have run."""
    folder = tmp_path_factory.mktemp("whole_programs")
    shutil.copytree(_TESTS / "tf1" / "whole_programs", folder / "programs")
    report = compat_hub.migrate(folder / "programs", write=True, check=HAS_ESTIMATOR and HAS_SLIM)
    assert report.passed, report
    given = []
    for name, file in _PROGRAMS.items():
        if not _NEEDED.get(name, True):
            continue
        (folder / name).mkdir()
        paths = {"modules": FIXTURES, "data": _RECORDS, "out": folder / name}
        given.append((str(folder / "programs" / file), [f"--{k}={v}" for k, v in paths.items()]))
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("TF_USE_LEGACY_KERAS", None)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.compat_tf1.run_programs"],
        cwd=_TESTS.parent,
        env=environment,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    (folder / "log").write_text(done.stdout + done.stderr)
    return folder


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.parametrize("name", sorted(_PROGRAMS))
def test_it_gives_what_it_gave_under_tensorflow_1(name: str, folder: Path) -> None:
    if not _NEEDED.get(name, True):
        pytest.skip("an extra that it needs is not installed")
    made = folder / name / "record.json"
    assert made.exists(), (folder / "log").read_text()[-6000:]
    found = json.loads(made.read_text())
    expected = json.loads((_RECORDS / f"{name}.json").read_text())
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        _compare(found[key], value, key)


def _compare(found: Any, expected: Any, where: str) -> None:
    if isinstance(expected, float):
        assert found == pytest.approx(expected, abs=_TOLERANCE), where
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for k, (a, b) in enumerate(zip(found, expected, strict=True)):
            _compare(a, b, f"{where}[{k}]")
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key, value in expected.items():
            _compare(found[key], value, f"{where}/{key}")
    else:
        assert found == expected, where


@pytest.mark.parametrize("name", ["author", "exporter"])
def test_modules_that_they_wrote(name: str, folder: Path) -> None:
    if not _NEEDED[name]:
        pytest.skip("an extra that it needs is not installed")
    module = compat_hub.load(folder / name / "module")
    assert module.get_input_info_dict()["images"].get_shape().as_list() == [None, 8, 8, 3]
    assert module.trainable_variables
    assert compat_hub.verify(folder / name / "module").passed
