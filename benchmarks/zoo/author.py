"""Makes the modules of the zoo and records them: python benchmarks/zoo/author.py OUT [NAME ...].

It runs under TensorFlow 1.15, in the environment that README.md describes. Each module is made in a
process of its own, and recorded in another. What is recorded already is left as it is, so that an
interrupted run goes on; a model whose code does not run leaves `failed.txt` instead of a record.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
import time
import warnings
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("PYTHONHASHSEED", "0")
warnings.filterwarnings("ignore")

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(_HERE, "..", "..", "tests", "tf1"), os.path.join(_HERE, "models")]

_LIMIT = 1800  # seconds for each half of a model


def _entries() -> dict:
    """All models by name; a file whose package is missing takes no other with it."""
    import entry  # noqa: PLC0415 the path above comes first

    for found in sorted(m.name for m in pkgutil.iter_modules([os.path.join(_HERE, "models")])):
        importlib.import_module(found)
    return entry.ENTRIES


def _do(phase: str, name: str, folder: str) -> None:
    import recorder  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    tf.logging.set_verbosity(tf.logging.ERROR)
    found = _entries()[name]
    if phase == "export":
        _export(recorder, name, found.make(), folder)
        with open(os.path.join(folder, "about.json"), "w") as file:
            json.dump({"family": found.family, "source": found.source}, file, indent=1)
            file.write("\n")
    else:
        recorder.record_module(found.make(), folder)


def _export(recorder: Any, name: str, case: Any, folder: str) -> None:
    """Exports a case without the collections that the format has no place for, as authors did."""
    try:
        recorder.export_module(name, case, folder)
    except ValueError as error:
        found = re.search(r"Unsupported collections in graph: (\[.*\])", str(error))
        if found is None:
            raise
        case.drop_collections = [*case.drop_collections, *ast.literal_eval(found.group(1))]
        recorder.export_module(name, case, folder)


def _run(phase: str, name: str, folder: str) -> str | None:
    """Runs half of the work in a process of its own; returns what it printed if it failed."""
    command = [sys.executable, os.path.abspath(__file__), folder, name, "--phase", phase]
    try:
        done = subprocess.run(  # noqa: PLW1510
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_LIMIT
        )
    except subprocess.TimeoutExpired:
        return "not done after %d s" % _LIMIT
    return done.stdout.decode(errors="replace")[-3000:] if done.returncode else None


def main() -> int:
    """Makes and records what is named; returns how many failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out_dir")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all that there are")
    parser.add_argument("--phase", choices=["export", "record"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.phase:
        _do(arguments.phase, arguments.names[0], arguments.out_dir)
        return 0
    names = sorted(arguments.names or _entries())
    failed = 0
    for number, name in enumerate(names, 1):
        folder = os.path.join(os.path.abspath(arguments.out_dir), name)
        if os.path.exists(os.path.join(folder, "golden.json")):
            continue
        start = time.time()
        print("[%d/%d] %s" % (number, len(names), name), end=" ", flush=True)
        problem = _run("export", name, folder) or _run("record", name, folder)
        if problem:
            failed += 1
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, "failed.txt"), "w") as file:
                file.write(problem)
            last = problem.strip().splitlines()[-1:]
            print("failed: %s" % "".join(last)[:200], flush=True)
        else:
            print("recorded in %d s" % (time.time() - start), flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
