"""Takes cases along one road, in its environment: python -m tests.roads.runner ROAD CASE...

Prints a line of JSON for each case.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from tests.roads.cases import Case, UnableError


def main() -> None:
    """Runs the cases whose folders are on the command line."""
    road, *folders = sys.argv[1:]
    check = importlib.import_module(f"tests.roads.{road}").check
    # Tools print to the standard output: the results have one of their own.
    with os.fdopen(os.dup(1), "w") as results:
        os.dup2(2, 1)
        for folder in folders:
            case = Case(Path(folder))
            results.write(_line(case, {"status": "started"}))
            results.flush()
            results.write(_line(case, _outcome(check, case)))
            results.flush()


def _line(case: Case, outcome: dict[str, str]) -> str:
    return json.dumps({"name": case.name, **outcome}) + "\n"


def _outcome(check: Callable[[Case], str], case: Case) -> dict[str, str]:
    try:
        return {"status": "yes", "detail": check(case)}
    except UnableError as error:
        return {"status": "unable", "detail": str(error)}
    except AssertionError as error:
        return {"status": "differs", "detail": str(error).splitlines()[0]}
    except Exception as error:  # whatever a tool may raise is a result
        traceback.print_exc()
        return {"status": "fails", "detail": _reason(error)}


def _reason(error: Exception) -> str:
    """The line that says it: Keras puts where it happened before, and arguments after."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "Error: " in line]
    return f"{type(error).__name__}: {(named or lines or [''])[-1 if named else 0][:120]}"


if __name__ == "__main__":
    main()
