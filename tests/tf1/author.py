"""Writes the fixtures: python tests/tf1/author.py OUT_DIR [NAME ...] (see README.md).

Each module is exported in a process of its own and recorded in another one: what a process
registers while it builds a graph, gradients above all, then cannot leak into a record.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import multiprocessing
import os
import sys
import traceback
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("PYTHONHASHSEED", "0")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
warnings.filterwarnings("ignore", module="tensor.*", category=FutureWarning)

import modules  # noqa: E402,F401
import recorder  # noqa: E402
import tensorflow as tf  # noqa: E402
from case import CASES  # noqa: E402


def run_phase(phase: str, out_dir: str, name: str) -> bool:
    """Exports or records one module; returns whether that worked."""
    tf.logging.set_verbosity(tf.logging.ERROR)
    case = CASES[name]()
    for package in case.imports:
        importlib.import_module(package)
    folder = os.path.join(out_dir, case.folder, name)
    try:
        if phase == "export":
            recorder.export_module(name, case, folder)
        else:
            recorder.record_module(case, folder)
    except Exception:
        print("%s: %s failed\n%s" % (name, phase, traceback.format_exc()), flush=True)
        return False
    return True


def main() -> int:
    """Writes the fixtures named on the command line; returns how many failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out_dir", help="the directory that gets one directory for each module")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all that there are")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(CASES))
    if unknown:
        parser.error("no such module: " + ", ".join(unknown))
    wanted = names = arguments.names or sorted(CASES)
    out_dir = os.path.abspath(arguments.out_dir)
    processes = min(8, os.cpu_count() or 1)
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=1) as pool:
        for phase in ("export", "record"):
            run = functools.partial(run_phase, phase, out_dir)
            worked = pool.map(run, names, chunksize=1)
            names = [name for name, good in zip(names, worked) if good]
    failed = sorted(set(wanted) - set(names))
    print("%d modules written to %s" % (len(names), out_dir))
    if failed:
        print("failed: " + ", ".join(failed))
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
