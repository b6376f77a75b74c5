"""Runs programs one after the other: python -m tests.compat_tf1.run_programs < what to run.

Each runs in a process of its own, which is forked from one that has imported TensorFlow.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback
from collections.abc import Sequence


def run(program: str, arguments: Sequence[str]) -> int:
    """Runs a program in a child, as if from its folder; returns its exit status."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        sys.path[0] = os.path.dirname(program)
        sys.argv = [program, *arguments]
        runpy.run_path(program, run_name="__main__")
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    import compat_hub
    from compat_hub import tf1

    _ = compat_hub.Module, tf1.layers, tf1.keras.layers
    for program, arguments in json.load(sys.stdin):
        print(f"== {program}", file=sys.stderr, flush=True)
        print(run(program, arguments), flush=True)
