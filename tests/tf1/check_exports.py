"""Judges the modules of `write_exports.py`: python tests/tf1/check_exports.py OUT_DIR.

Runs under TensorFlow 1.15. The genuine hub.Module loads, trains and exports each module. What it
computes has to be what compat_hub computed, and becomes the module's record (see README.md).
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import sys
import tempfile
import traceback
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
warnings.filterwarnings("ignore", module="tensor.*", category=FutureWarning)

import numpy as np  # noqa: E402
import recorder  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensorflow_hub as hub  # noqa: E402
from programs.exports import EXPORTS  # noqa: E402

TOLERANCES = {"step": 1e-4, "loss": 1e-4, "grad": 1e-4}
OTHER_TOLERANCE = 1e-5
# Facts that depend on hub, not on the release of TensorFlow.
FACTS = ("signatures", "variants", "train", "composite")


def judge(out_dir: str, verbose: bool, name: str) -> bool:
    """Records one module and compares; returns whether all agrees."""
    tf.logging.set_verbosity(tf.logging.ERROR)
    folder = os.path.join(out_dir, name)
    try:
        recorder.record_module(EXPORTS[name](tf, hub), folder)
        problems = differences(folder)
        export_again(os.path.join(folder, "module"))
    except Exception:
        problems = [traceback.format_exc() if verbose else traceback.format_exc(limit=0)]
    for problem in problems:
        print("%s: %s" % (name, problem), flush=True)
    if not problems:
        for file in ("written.npz", "written.json"):
            os.remove(os.path.join(folder, file))
    return not problems


def differences(folder: str) -> list[str]:
    """What the two records of a module do not agree on."""
    problems = []
    with open(os.path.join(folder, "golden.json")) as file:
        facts = json.load(file)
    with open(os.path.join(folder, "written.json")) as file:
        written_facts = json.load(file)
    for key in FACTS:
        if facts.get(key) != written_facts.get(key):
            problems.append("%s: %s != %s" % (key, written_facts.get(key), facts.get(key)))
    with np.load(os.path.join(folder, "golden.npz")) as file:
        values = dict(file)
    with np.load(os.path.join(folder, "written.npz")) as file:
        written = dict(file)
    if values.keys() != written.keys():
        problems.append("keys: %s" % sorted(values.keys() ^ written.keys()))
    for key in sorted(values.keys() & written.keys()):
        if not agree(written[key], values[key], TOLERANCES.get(key[:4], OTHER_TOLERANCE)):
            problems.append("%s: %s != %s" % (key, written[key], values[key]))
    return problems


def agree(found: np.ndarray, expected: np.ndarray, tolerance: float) -> bool:
    """Whether arrays are equal, numbers to a part of the largest magnitude, and NaN to NaN."""
    if found.shape != expected.shape or found.dtype.kind != expected.dtype.kind:
        return False
    if expected.dtype.kind not in "fc" or not expected.size:
        return np.array_equal(found, expected)
    found, expected = found.astype("float64"), expected.astype("float64")
    numbers = ~np.isnan(expected)
    if not np.array_equal(numbers, ~np.isnan(found)):
        return False
    found, expected = found[numbers], expected[numbers]
    return not expected.size or np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def export_again(path: str) -> None:
    """Exports a module again and instantiates that."""
    with tempfile.TemporaryDirectory() as folder:
        again = os.path.join(folder, "again")
        with tf.Graph().as_default():
            module = hub.Module(path)
            with tf.Session() as session:
                session.run(tf.global_variables_initializer())
                module.export(again, session)
        with tf.Graph().as_default():
            module = hub.Module(again, trainable=True)
            with tf.Session() as session:
                session.run([tf.global_variables_initializer(), tf.tables_initializer()])


def main() -> int:
    """Judges the modules in a folder; returns how many are no good."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out_dir", help="the directory that write_exports.py wrote")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all that there are")
    parser.add_argument("--verbose", action="store_true", help="print whole tracebacks")
    arguments = parser.parse_args()
    out_dir = os.path.abspath(arguments.out_dir)
    names = arguments.names or sorted(os.listdir(out_dir))
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        good = pool.map(functools.partial(judge, out_dir, arguments.verbose), names, chunksize=1)
    failed = [name for name, is_good in zip(names, good) if not is_good]
    print("%d modules agree" % (len(names) - len(failed)))
    if failed:
        print("not these: " + ", ".join(failed))
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
