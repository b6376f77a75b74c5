"""Inputs for the modules that are measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks.modules import inception_v3, ladder, lstm, resnet_v2, text, transformer


class Call(NamedTuple):
    """A signature and what it is called with."""

    signature: str
    output: str
    inputs: dict[str, tf.Tensor]


def call_of(name: str, batch: int = 1) -> Call:
    """A call of the module of that name."""
    numbers = np.random.default_rng(7)

    def floats(*shape: int) -> tf.Tensor:
        return tf.constant(numbers.random(shape, np.float32))

    if "bert" in name:
        return _tokens(batch)
    if name.startswith("text"):
        words = numbers.integers(0, 90_000, [32 * batch, 8])
        sentences = [" ".join(text.word(k) for k in row) for row in words]
        return Call("default", "default", {"sentences": tf.constant(sentences)})
    sizes = {"resnet50_v2": resnet_v2.SIZE, "inception_v3": inception_v3.SIZE}
    if name in sizes:
        images = floats(batch, sizes[name], sizes[name], 3)
        return Call("default", "default", {"images": images})
    if name == "lstm":
        return Call("default", "default", {"x": floats(8 * batch, 50, lstm.INPUTS)})
    units = ladder.UNITS if name.startswith(("ladder", "saver")) else 4
    return Call("default", "default", {"x": floats(batch, units)})


def _tokens(batch: int) -> Call:
    shape = [batch, 64]
    numbers = np.random.default_rng(8)
    ids = tf.constant(numbers.integers(0, transformer.ALBERT_VOCABULARY, shape), tf.int32)
    ones = tf.ones(shape, tf.int32)
    inputs = {"input_ids": ids, "input_mask": ones, "segment_ids": tf.zeros(shape, tf.int32)}
    return Call("tokens", "pooled_output", inputs)
