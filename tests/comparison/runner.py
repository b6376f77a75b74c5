"""Runs probes with one tool: python -m tests.comparison.runner TOOL FOLDER ROW...

Prints a line of JSON for each. FOLDER is what `prepare` filled.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from tests.comparison.probes import find
from tests.comparison.tools import Tool


def main() -> None:
    """Runs the probes whose names are on the command line."""
    tool, folder, *rows = sys.argv[1:]
    # Tools print to the standard output: the results have one of their own.
    with os.fdopen(os.dup(1), "w") as results:
        os.dup2(2, 1)
        for row in rows:
            outcome = find(Tool(tool), row, Path(folder))
            results.write(json.dumps({"row": row, **dataclasses.asdict(outcome)}) + "\n")
            results.flush()


if __name__ == "__main__":
    main()
