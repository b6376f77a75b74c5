"""Inference of a module with loops: compat_hub beside tf.saved_model.load, in one process.

    python -m benchmarks.loops

The two are called in turn, so that a machine that slows down slows both. Each figure is a median;
what counts is the ratio.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import compat_hub
from tests.authoring import Signatures, control_flow_of_tf1, write_module

v1 = tf.compat.v1

_BATCH, _STEPS, _INPUTS, _UNITS = 8, 50, 64, 128
_ROUNDS = 60


def _lstm(x: tf.Tensor, name: str) -> tf.Tensor:
    """One layer over `x` [time, batch, units], with TF1's while_loop and TensorArrays."""
    inputs = x.shape[-1]
    numbers = np.random.default_rng(len(name))
    kernel = v1.get_variable(
        f"{name}/kernel",
        initializer=0.1 * numbers.standard_normal([inputs + _UNITS, 4 * _UNITS]).astype("f"),
    )
    bias = v1.get_variable(f"{name}/bias", initializer=np.zeros([4 * _UNITS], "f"))
    steps = tf.shape(x)[0]
    reads = tf.TensorArray(tf.float32, steps).unstack(x)
    state = tf.zeros([tf.shape(x)[1], _UNITS])

    def body(k: tf.Tensor, c: tf.Tensor, h: tf.Tensor, writes: tf.TensorArray) -> tuple:
        row = tf.ensure_shape(reads.read(k), [None, inputs])
        gates = tf.matmul(tf.concat([row, h], 1), kernel) + bias
        i, j, f, o = tf.split(gates, 4, 1)
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(j)
        h = tf.sigmoid(o) * tf.tanh(c)
        return k + 1, c, h, writes.write(k, h)

    writes = tf.TensorArray(tf.float32, steps)
    results = v1.while_loop(
        lambda k, *_: k < steps, body, [tf.constant(0), state, state, writes], swap_memory=True
    )
    return tf.ensure_shape(results[-1].stack(), [None, None, _UNITS])


def _bidirectional() -> Signatures:
    x = v1.placeholder(tf.float32, [None, None, _INPUTS], "x")
    y = tf.transpose(x, [1, 0, 2])
    for layer in range(2):
        forward = _lstm(y, f"forward_{layer}")
        backward = tf.reverse(_lstm(tf.reverse(y, [0]), f"backward_{layer}"), [0])
        y = tf.concat([forward, backward], -1)
    return {"default": ({"x": x}, {"default": tf.transpose(y, [1, 0, 2])})}


def _interleaved(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of a call of each."""
    times: tuple[list[float], list[float]] = ([], [])
    for round_ in range(_ROUNDS + 5):
        for call, found in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            call()
            if round_ >= 5:
                found.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    """Prints a line for each way to call."""
    with tempfile.TemporaryDirectory() as folder, control_flow_of_tf1():
        path = write_module(Path(folder) / "lstm", none=_bidirectional)
        module = compat_hub.load(path)
        loaded = tf.saved_model.load(path, tags=[])
    x = tf.constant(np.random.default_rng(1).standard_normal([_BATCH, _STEPS, _INPUTS]), tf.float32)
    theirs = loaded.signatures["default"]
    ours = module.signatures["default"]
    error = tf.reduce_max(tf.abs(ours(x=x)["default"] - theirs(x=x)["default"]))
    print(f"2-layer bidirectional LSTM of {_UNITS} units, {_BATCH} x {_STEPS} steps")
    print(f"largest difference of the outputs: {error:.1e}")
    ways = {
        "eager call": (ours, theirs),
        "inside tf.function": (
            tf.function(lambda x: ours(x=x)["default"]),
            tf.function(lambda x: theirs(x=x)["default"]),
        ),
    }
    for way, (a, b) in ways.items():
        mine, other = _interleaved(lambda a=a: a(x=x), lambda b=b: b(x=x))
        print(
            f"{way:20} compat_hub {mine * 1e3:7.2f} ms   tf.saved_model.load {other * 1e3:7.2f} ms"
            f"   ratio {mine / other:.2f}"
        )


if __name__ == "__main__":
    main()
