"""Variables, inputs and outputs of every other type."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal, strings


@case
def dtypes() -> Case:
    def build() -> None:
        kinds = [tf.float16, tf.float64, tf.int32, tf.int64, tf.uint8, tf.complex64]
        inputs, outputs = {}, {}
        for i, kind in enumerate(kinds):
            x = inputs[kind.name] = tf.placeholder(kind, [None, 2])
            initial = tf.cast(tf.constant([i + 1, i + 2]), kind)
            weights = tf.get_variable("of_" + kind.name, initializer=initial)
            outputs[kind.name] = x + weights
        mask = tf.get_variable("of_bool", initializer=tf.constant([True, False]), trainable=False)
        inputs["bool"] = tf.placeholder(tf.bool, [None, 2])
        outputs["bool"] = tf.logical_xor(inputs["bool"], mask)
        gain = tf.get_variable("gain", [], initializer=tf.ones_initializer())
        outputs["float64"] *= tf.cast(gain, tf.float64)
        inputs["string"] = tf.placeholder(tf.string, [None])
        outputs["string"] = tf.strings.join([inputs["string"], "!"])
        hub.add_signature(inputs=inputs, outputs=outputs)

    small = np.array([[1, 2], [3, 4], [5, 6]])
    inputs = {
        "float16": normal("float16", 3, 2, dtype="float16"),
        "float64": normal("float64", 3, 2, dtype="float64"),
        "int32": small.astype("int32"),
        "int64": small + (1 << 40),
        "uint8": small.astype("uint8"),
        "complex64": (normal("real", 3, 2) + 1j * normal("imag", 3, 2)).astype("complex64"),
        "bool": small % 3 == 0,
        "string": strings("a", "\u00e9", ""),
    }
    return Case(build, {"default": inputs}, train=Train(outputs=["float64"]))


@case
def bfloat16() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        weights = tf.get_variable("weights", [3, 2], tf.bfloat16, tf.ones_initializer())
        gain = tf.get_variable("gain", [2], initializer=tf.ones_initializer())
        y = tf.matmul(tf.cast(x, tf.bfloat16), weights)
        hub.add_signature(
            inputs=x, outputs={"default": tf.cast(y, tf.float32) * gain, "bfloat16": y}
        )

    return Case(build, {"default": {"default": normal("bfloat16", 4, 3)}})
