"""Takes the modules of the zoo through every way, and writes the table.

    python -m benchmarks.zoo check FOLDER [NAME ...]    goes on where it was
    python -m benchmarks.zoo page FOLDER PAGE            writes the table

FOLDER is what `author.py` wrote. Each module is checked in a process of its own, way by way;
results are kept in NAME/ways.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.zoo.page import write_page

_LIMIT = 1800  # seconds for one way of one module


def _check(folder: Path) -> dict[str, str]:
    """Runs the ways that have no result yet, each with a limit of time."""
    from benchmarks.zoo.ways import WAYS  # noqa: PLC0415 it imports TensorFlow

    file = folder / "ways.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    for way in WAYS:
        if way in found:
            continue
        command = [sys.executable, "-m", "benchmarks.zoo.ways", way, str(folder)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_LIMIT, check=False
            )
            line = (done.stdout.strip().splitlines() or [""])[-1]
            found[way] = line if line.startswith("=") else f"= ended with {done.returncode}"
        except subprocess.TimeoutExpired:
            found[way] = f"= not done after {_LIMIT} s"
        file.write_text(json.dumps(found, indent=1) + "\n")
    return found


def main() -> int:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=["check", "page"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if arguments.verb == "page":
        write_page(arguments.folder, Path(arguments.names[0]))
        return 0
    folders = sorted(path.parent for path in arguments.folder.glob("*/golden.json"))
    chosen = [f for f in folders if not arguments.names or f.name in arguments.names]
    for number, folder in enumerate(chosen, 1):
        start = time.monotonic()
        print(f"[{number}/{len(chosen)}] {folder.name}", end=" ", flush=True)
        ways = _check(folder)
        words = ", ".join(f"{way} {result.removeprefix('= ')}" for way, result in ways.items())
        print(f"({time.monotonic() - start:.0f} s): {words}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
