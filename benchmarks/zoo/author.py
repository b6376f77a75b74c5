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
import signal
import sys
import time
import traceback
import warnings
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("PYTHONHASHSEED", "0")
warnings.filterwarnings("ignore")

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(_HERE, "..", "..", "tests", "tf1"), os.path.join(_HERE, "models")]

_LIMIT = 900  # seconds for each half of a model


def _entries() -> dict:
    """All models by name; a file whose package is missing takes no other with it."""
    import entry  # noqa: PLC0415 the path above comes first

    for found in sorted(m.name for m in pkgutil.iter_modules([os.path.join(_HERE, "models")])):
        importlib.import_module(found)
    return entry.ENTRIES


def _do(phase: str, name: str, found: Any, folder: str) -> None:
    import recorder  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    tf.logging.set_verbosity(tf.logging.ERROR)
    if phase == "export":
        _export(recorder, name, found.make(), folder)
    else:
        recorder.record_module(found.make(), folder)


def _say(found: Any, folder: str) -> None:
    about = {"family": found.family, "source": found.source, "known_as": found.known_as}
    with open(os.path.join(folder, "about.json"), "w") as file:
        json.dump(about, file, indent=1)
        file.write("\n")


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


def _run(phase: str, name: str, found: Any, folder: str) -> str | None:
    """Runs half of the work in a process of its own; returns what it printed if it failed.

    The process is forked from this one, which has imported TensorFlow and made no session.
    """
    log = os.path.join(os.path.dirname(folder), name + ".log")
    child = os.fork()
    if not child:
        with open(log, "wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        status = 1
        try:
            _do(phase, name, found, folder)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    status = _wait(child)
    with open(log, "rb") as file:
        printed = file.read().decode(errors="replace")[-3000:]
    os.remove(log)
    if status is None:
        return "not done after %d s" % _LIMIT
    return (printed or "ended with %d" % status) if status else None


def _wait(child: int) -> int | None:
    """The status that a process ends with; nothing for one that is stopped after the limit."""
    end = time.time() + _LIMIT
    while time.time() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.2)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def main() -> int:
    """Makes and records what is named; returns how many failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out_dir")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all that there are")
    arguments = parser.parse_args()
    entries = _entries()
    names = sorted(arguments.names or entries)
    os.makedirs(arguments.out_dir, exist_ok=True)
    failed = 0
    for number, name in enumerate(names, 1):
        folder = os.path.join(os.path.abspath(arguments.out_dir), name)
        if os.path.exists(os.path.join(folder, "golden.json")):
            _say(entries[name], folder)
            continue
        start = time.time()
        print("[%d/%d] %s" % (number, len(names), name), end=" ", flush=True)
        problem = _run("export", name, entries[name], folder)
        problem = problem or _run("record", name, entries[name], folder)
        if problem:
            failed += 1
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, "failed.txt"), "w") as file:
                file.write(problem)
            last = problem.strip().splitlines()[-1:]
            print("failed: %s" % "".join(last)[:200], flush=True)
        else:
            _say(entries[name], folder)
            print("recorded in %d s" % (time.time() - start), flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
