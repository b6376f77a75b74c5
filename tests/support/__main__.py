"""Runs the conformance tests on each supported TensorFlow and Python; writes docs/support.md anew.

    python -m tests.support FOLDER [--row NAME ...] [--tests PATH ...]

FOLDER gets an environment for each row (some 3 GB each), and in it the project's wheel. The tests
run in a copy of the project without the package, so it is the wheel that they test. Rows may be run
one after the other: the record, `tests/support/record.json`, keeps those of before. With --tests
only these files or folders are run, and nothing is recorded.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.support import table
from tests.support.rows import ROWS, TESTS, Row
from tests.support.running import build_environment, build_wheel, run_tests, test_files

ROOT = Path(__file__).parents[2]
RECORD = Path(__file__).parent / "record.json"
PAGE = ROOT / "docs/support.md"


def copy_project(folder: Path) -> Path:
    """The project without the package."""
    project = folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir(parents=True)
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, project)
    for name in ("benchmarks", "docs", "tests"):
        shutil.copytree(
            ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", ".modules")
        )
    return project


def run_row(row: Row, tests: list[str], folder: Path) -> dict[str, Any]:
    """What is recorded of a row."""
    wheel = build_wheel(ROOT, folder / row.name)
    project = copy_project(folder / row.name)
    python, versions = build_environment(row, wheel, folder / "environments")
    results = {}
    for file in test_files(project, tests):
        log = folder / row.name / f"{file.replace('/', '.')}.log"
        result = results[file] = run_tests(python, project, file, log)
        skipped = sum(result.get("skipped", {}).values())
        counts = f"{result['passed']} passed, {skipped} skipped, {len(result['failed'])} failed"
        print(f"{row.name}  {file:48} {counts}", flush=True)
        for case in result["failed"]:
            print(f"    {case}: see {log}", flush=True)
    return {"date": str(datetime.date.today()), "versions": versions, "tests": results}


def main() -> int:
    """Runs the rows, and returns how many tests failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="for environments and logs")
    parser.add_argument("--row", action="append", choices=ROWS, help="default: all")
    parser.add_argument("--tests", action="append", metavar="PATH", help="only these")
    arguments = parser.parse_args()
    failed = 0
    for name in arguments.row or ROWS:
        tests = arguments.tests or list(TESTS)
        found = run_row(ROWS[name], tests, arguments.folder.absolute())
        failed += sum(len(result["failed"]) for result in found["tests"].values())
        if not arguments.tests:
            record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
            record[name] = found
            RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
            PAGE.write_text(table.update(PAGE.read_text("utf-8"), record), encoding="utf-8")
    return failed


if __name__ == "__main__":
    sys.exit(main())
