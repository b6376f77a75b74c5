"""Measures compat_hub beside what else there is, and prints ratios.

    python -m benchmarks [--only NAME ...] [--check] [--modules FOLDER] [--json FILE] [--plot FILE]
                         [--page FILE] [--rounds N]

Each figure is a median of runs in fresh processes, taken in turn with those of what it is compared
with, so that a moment in which the machine is slow slows both. The modules are made once, in
FOLDER, with random weights (2 GB). Where the environment variable TENSORFLOW_HUB_PYTHON names an
interpreter that has tensorflow_hub 0.16.1 (with setuptools<81), its loader is measured, too.
On an idle machine all of it takes an hour or so.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from benchmarks.processes import Figures, run_fresh
from benchmarks.targets import TARGETS, Run, Target


def measure(target: Target, runs: Sequence[Run], folder: Path, rounds: int) -> list[Figures]:
    """The medians of what each way found; the ways are run in turn."""
    found: list[list[Figures]] = [[] for _ in runs]
    for _ in range(min(target.rounds, rounds)):
        for (way, module), figures in zip(runs, found, strict=True):
            python = os.environ[target.needs] if way == "tensorflow_hub" else sys.executable
            figures.append(run_fresh(target.measure, way, str(folder / module), python))
    return [
        {key: statistics.median(f[key] for f in figures) for key in figures[0]} for figures in found
    ]


def main() -> int:
    """Prints the table; returns how many figures are beyond their limit, with `--check`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=[t.name for t in TARGETS], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=99, help="run each way at most so often")
    parser.add_argument("--check", action="store_true", help="exit status 1 beyond a limit")
    parser.add_argument("--modules", type=Path, default=Path("benchmarks/.modules"))
    parser.add_argument("--json", type=Path, help="writes all figures")
    parser.add_argument("--page", type=Path, help="writes the table into docs/performance.md")
    parser.add_argument("--plot", type=Path, help="draws them; needs matplotlib")
    arguments = parser.parse_args()
    chosen = [
        target
        for target in TARGETS
        if arguments.only is None or target.name in arguments.only
        if not target.needs or os.environ.get(target.needs)
    ]
    _write_modules(chosen, arguments.modules)
    print(f"{'':14} {'':14} {'figure':>8} {'limit':>8}")
    lines: list[dict[str, Any]] = []
    for target in chosen:
        for case, runs in target.cases.items():
            found = measure(target, runs, arguments.modules, arguments.rounds)
            figure = target.figure(found)
            line = {
                "target": target.name,
                "what": target.what,
                "unit": target.unit,
                "case": case,
                "figure": figure,
                "limit": target.limit if math.isfinite(target.limit) else None,
                "holds": target.holds(figure),
                "found": [
                    {"way": w, "module": m, **f} for (w, m), f in zip(runs, found, strict=True)
                ],
            }
            lines.append(line)
            limit = f"{target.limit:8.2f}" if line["limit"] is not None else " " * 8
            mark = "" if line["holds"] else "  beyond"
            print(f"{target.name:14} {case:14} {figure:8.2f} {limit}{mark}", flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")
    if arguments.page:
        from benchmarks.page import write_table  # noqa: PLC0415

        write_table(lines, arguments.page)
    if arguments.plot:
        from benchmarks.plot import draw  # noqa: PLC0415

        draw(lines, arguments.plot)
    return int(arguments.check and not all(line["holds"] for line in lines))


def _write_modules(chosen: Sequence[Target], folder: Path) -> None:
    from benchmarks.modules.write import module_path  # noqa: PLC0415

    wanted = {module for t in chosen for runs in t.cases.values() for _, module in runs}
    if "text_1e6" in wanted:
        wanted.add("text_1e5")
    for name in sorted(wanted):
        if not (folder / name).exists():
            print(f"Writing {folder / name} ...", flush=True)
        module_path(name, folder)


if __name__ == "__main__":
    raise SystemExit(main())
