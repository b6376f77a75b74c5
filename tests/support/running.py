"""Tests run in an environment, one process for each file of tests, and what came of them."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Any

from tests.roads import environments
from tests.roads.environments import Environment
from tests.support.rows import SHOWN, Row, find_python

_EXTRAS = "html,images,migrate"


def build_wheel(root: Path, folder: Path) -> Path:
    """The project's wheel, made anew."""
    for old in folder.glob("*.whl"):
        old.unlink()
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", folder, root], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def build_environment(row: Row, wheel: Path, folder: Path) -> tuple[str, dict[str, str]]:
    """An environment with the wheel in it; returns its Python, and the versions."""
    requirements = (
        *row.requirements,
        f"compat-hub[{_EXTRAS}] @ {wheel.as_uri()}",
        "pytest>=8",
        "hypothesis>=6.100",
    )
    environment = Environment(row.name, find_python(row.python), requirements, SHOWN)
    python = environments.build(environment, folder)
    again = ["install", "--quiet", "--no-deps", "--force-reinstall", wheel]
    subprocess.run([python, "-m", "pip", *again], check=True)
    subprocess.run([python, "-m", "pip", "check"], check=True)
    return python, environments.versions(environment, python)


def test_files(project: Path, tests: list[str]) -> list[str]:
    """The files that these paths of files and folders stand for."""
    files: list[str] = []
    for test in tests:
        path = project / test
        found = sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
        files += [file.relative_to(project).as_posix() for file in found]
    return files


def run_tests(python: str, project: Path, file: str, log: Path) -> dict[str, Any]:
    """Runs a file of tests in a folder that has the tests and not the package."""
    report = log.with_suffix(".xml")
    report.unlink(missing_ok=True)
    options = ["-p", "no:cacheprovider", f"--junitxml={report}"]
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environ["PATH"] = os.pathsep.join([str(Path(python).parent), environ["PATH"]])
    with log.open("w") as output:
        done = subprocess.run(
            [python, "-m", "pytest", *options, file],
            cwd=project,
            env=environ,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if not report.exists():
        return {"passed": 0, "failed": [f"the process ends with status {done.returncode}"]}
    return _outcome(report)


def _outcome(report: Path) -> dict[str, Any]:
    passed, failed, skipped = 0, [], Counter[str]()
    seconds = 0.0
    for case in ET.parse(report).getroot().iter("testcase"):
        seconds += float(case.get("time", 0))
        tags = {child.tag: child for child in case}
        if tags.keys() & {"failure", "error"}:
            failed.append(case.get("name", ""))
        elif "skipped" in tags:
            skipped[tags["skipped"].get("message", "")] += 1
        else:
            passed += 1
    return {"passed": passed, "skipped": dict(skipped), "failed": failed, "seconds": round(seconds)}
