"""Compares tools by programs that do the same with each; writes docs/comparison.md anew.

    python -m tests.comparison FOLDER [--tensorflow-hub PYTHON] [--row NAME ...]

FOLDER gets two environments with tensorflow_hub 0.16.1, one with a setuptools that it can be
imported with, and one with that of today (some 2 GB each). compat_hub and TensorFlow are those of
this environment. Each probe runs in a process of its own. With --row these rows are taken anew, and
the others stay as they are in the record, `tests/comparison/record.json`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from tests.comparison import table
from tests.comparison.prepare import prepare
from tests.comparison.probes import TITLES
from tests.comparison.tools import TOOLS
from tests.records import FIXTURES, read_records
from tests.roads import environments
from tests.roads.environments import HUB, Environment

ROOT = Path(__file__).parents[2]
RECORD = Path(__file__).parent / "record.json"
PAGE = ROOT / "docs/comparison.md"
_HERE = Environment("here", "", (), ("compat-hub", "tensorflow", "tf-keras", "keras", "setuptools"))
# The same, with a setuptools that has no pkg_resources.
_TODAY = Environment("hub_today", HUB.python, (*HUB.requirements[:-1], "setuptools>=82"), HUB.shown)


def run_probes(python: str, tool: str, folder: Path, rows: list[str]) -> dict[str, dict[str, str]]:
    """Answers and notes by row, found in one process of an environment.

    Raises:
        RuntimeError: A probe has failed.
    """
    command = [python, "-m", "tests.comparison.runner", tool, str(folder), *rows]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {entry.pop("row"): entry for entry in found}


def main() -> None:
    """Takes the rows, and writes the record and the pages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="for environments and modules")
    parser.add_argument("--tensorflow-hub", metavar="PYTHON", help="use this environment")
    parser.add_argument("--row", action="append", choices=TITLES, help="default: all")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    prepare(folder)
    hub = arguments.tensorflow_hub or environments.build(HUB, folder / "environments")
    today = environments.build(_TODAY, folder / "environments")
    pythons = {"compat_hub": sys.executable, "tensorflow_hub": hub, "tensorflow": sys.executable}
    known = json.loads(RECORD.read_text())["rows"] if RECORD.exists() else []
    rows: dict[str, Any] = {entry["name"]: entry for entry in known}
    for name in arguments.row or TITLES:
        entry = rows[name] = {"name": name}
        for tool, python in pythons.items():
            if (tool, name) == ("tensorflow_hub", "imports"):
                python = today  # noqa: PLW2901
            entry[tool] = run_probes(python, tool, folder, [name])[name]
            print(
                f"{name:28} {tool:16} {entry[tool]['answer']:8} {entry[tool]['note']}", flush=True
            )
    count = str(len(read_records(FIXTURES)))
    titles = {name: title.replace("MODULES", count) for name, title in TITLES.items()}
    record = {
        "date": str(datetime.date.today()),
        "versions": {
            "compat_hub, `tf.saved_model.load`": environments.versions(_HERE, sys.executable),
            TOOLS["tensorflow_hub"]: environments.versions(HUB, hub),
            "its first row": environments.versions(_TODAY, today),
        },
        "rows": [{**rows[name], "title": title} for name, title in titles.items() if name in rows],
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(table.update(text, table.render(record)), encoding="utf-8")


if __name__ == "__main__":
    main()
