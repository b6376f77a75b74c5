"""Executes notebooks and writes their outputs into them.

    python -m notebooks [NAME ...]

NAME is the start of a notebook's name, such as 03; without one, all are executed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from notebooks import executing


def main(names: list[str]) -> int:
    """Returns how many of the notebooks wrote to the standard error."""
    failures = 0
    for path in executing.paths():
        if names and not path.name.startswith(tuple(names)):
            continue
        start = time.monotonic()
        notebook = executing.read(path)
        with tempfile.TemporaryDirectory() as folder:
            noise = executing.execute(notebook, Path(folder))
        executing.write(notebook, path)
        print(f"{path.name}: {time.monotonic() - start:.0f} s")
        if noise:
            print(noise, file=sys.stderr)
            failures += 1
    return failures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
