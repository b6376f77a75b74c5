"""Inference of a module with loops: compat_hub beside tf.saved_model.load, in one process.

    python -m benchmarks.loops

The two are called in turn, so that a machine that slows down slows both. Each figure is a median;
what counts is the ratio.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import compat_hub
from benchmarks.measures.calls import interleaved
from benchmarks.modules import lstm
from tests.authoring import Signatures, control_flow_of_tf1, write_module

_BATCH, _STEPS = 8, 50


def _bidirectional() -> Signatures:
    x = tf.compat.v1.placeholder(tf.float32, [None, None, lstm.INPUTS], "x")
    return {"default": ({"x": x}, {"default": lstm.outputs(x)})}


def main() -> None:
    """Prints a line for each way to call."""
    with tempfile.TemporaryDirectory() as folder, control_flow_of_tf1():
        path = write_module(Path(folder) / "lstm", none=_bidirectional)
        module = compat_hub.load(path)
        loaded = tf.saved_model.load(path, tags=[])
    shape = [_BATCH, _STEPS, lstm.INPUTS]
    x = tf.constant(np.random.default_rng(1).standard_normal(shape), tf.float32)
    theirs = loaded.signatures["default"]
    ours = module.signatures["default"]
    error = tf.reduce_max(tf.abs(ours(x=x)["default"] - theirs(x=x)["default"]))
    print(f"2-layer bidirectional LSTM of {lstm.UNITS} units, {_BATCH} x {_STEPS} steps")
    print(f"largest difference of the outputs: {error:.1e}")
    ways = {
        "eager call": (ours, theirs),
        "inside tf.function": (
            tf.function(lambda x: ours(x=x)["default"]),
            tf.function(lambda x: theirs(x=x)["default"]),
        ),
    }
    for way, (a, b) in ways.items():
        found = interleaved(lambda a=a: a(x=x), lambda b=b: b(x=x))
        mine, other = found["ours"], found["theirs"]
        print(
            f"{way:20} compat_hub {mine * 1e3:7.2f} ms   tf.saved_model.load {other * 1e3:7.2f} ms"
            f"   ratio {mine / other:.2f}"
        )


if __name__ == "__main__":
    main()
