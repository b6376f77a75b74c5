"""Takes the modules of the zoo through every way, and writes the table.

    python -m benchmarks.zoo check FOLDER [NAME ...]    goes on where it was
    python -m benchmarks.zoo page FOLDER PAGE            writes the table

FOLDER is what `author.py` wrote. Each way of each module is tried in a process of its own; results
are kept in NAME/ways.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.zoo.page import write_page
from benchmarks.zoo.trying import try_ways


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
    from benchmarks.zoo.ways import WAYS  # noqa: PLC0415 it imports TensorFlow

    every = sorted(path.parent for path in arguments.folder.glob("*/golden.json"))
    chosen = [arguments.folder / name for name in arguments.names] or every
    for number, folder in enumerate(chosen, 1):
        start = time.monotonic()
        print(f"[{number}/{len(chosen)}] {folder.name}", end=" ", flush=True)
        ways = try_ways(folder, list(WAYS))
        words = ", ".join(f"{way} {result}" for way, result in ways.items())
        print(f"({time.monotonic() - start:.0f} s): {words}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
