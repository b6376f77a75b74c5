"""Records exported modules under TensorFlow 1.15 like fixtures: python tf1_hub.py FOLDER...

The genuine hub.Module loads, runs and trains each. Prints a line of JSON for each. For Python 3.7,
in the environment that `../tf1/README.md` describes.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
import warnings

# TensorFlow 2 sets this in the process that starts this one: it is how 1.15 becomes a preview of 2.
os.environ.pop("TF2_BEHAVIOR", None)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("PYTHONHASHSEED", "0")
warnings.simplefilter("ignore")
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "tf1"))

import check_exports
import modules  # noqa: F401
import numpy as np
import recorder
import tensorflow as tf
from case import CASES


def main() -> None:
    """Judges the modules whose folders are on the command line, each in a process of its own.

    What a process registers while it builds a graph cannot leak into another record then.
    """
    if sys.argv[1] == "--one":
        tf.logging.set_verbosity(tf.logging.ERROR)
        with os.fdopen(os.dup(1), "w") as results:
            os.dup2(2, 1)
            folder = sys.argv[2]
            name = os.path.basename(folder)
            results.write(json.dumps(dict(judge(name, folder), name=name)) + "\n")
        return
    for folder in sys.argv[1:]:
        print(json.dumps({"name": os.path.basename(folder), "status": "started"}), flush=True)
        subprocess.call([sys.executable, os.path.abspath(__file__), "--one", folder])


def judge(name: str, folder: str) -> dict[str, str]:
    """Records a module again, and compares with the record of the fixture."""
    case = CASES[name]()
    stripped, case.strip_collections = case.strip_collections, ()
    detail = ""
    try:
        try:
            try:
                recorder.record_module(case, folder)
            except tf.errors.NotFoundError:
                # They bring ops of their own, and take long.
                importlib.import_module("tensorflow.contrib.text")
                recorder.record_module(case, folder)
        except Exception:
            if not stripped:
                raise
            # The fixture was recorded before these collections were taken out of it.
            case.train = None
            recorder.record_module(case, folder)
            detail = "not trained: without its collections TF 1.15 finds no gradients"
        different = differences(name, folder)
    except Exception as error:
        traceback.print_exc()
        detail = type(error).__name__ + ": " + str(error)[:100]
        return {"status": "fails", "detail": detail}
    if different:
        return {"status": "differs", "detail": ", ".join(different[:5])}
    return {"status": "yes", "detail": detail}


def differences(name: str, folder: str) -> list[str]:
    """The keys of what is not as in the record of the fixture."""
    with np.load(os.path.join(TESTS, "fixtures", name, "golden.npz")) as file:
        expected = dict(file)
    with np.load(os.path.join(folder, "golden.npz")) as file:
        found = dict(file)
    trains = any(key.startswith("step") for key in found)
    different = []
    for key, value in sorted(expected.items()):
        if not trains and key.startswith(("step", "loss", "reg0")):
            continue
        tolerance = check_exports.TOLERANCES.get(key[:4], check_exports.OTHER_TOLERANCE)
        if key not in found or not check_exports.agree(found[key], value, tolerance):
            different.append(key)
    return different


if __name__ == "__main__":
    main()
