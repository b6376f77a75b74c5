"""Signatures: names, shapes, optional inputs, no inputs, and outputs that are no computation."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal


@case
def constant() -> Case:
    def build() -> None:
        weights = tf.get_variable("weights", [2, 3])
        hub.add_signature(outputs=weights.value())
        hub.add_signature("sum", outputs={"sum": tf.reduce_sum(weights), "two": tf.constant(2)})

    return Case(build, {"default": {}, "sum": {}}, train=Train())


@case
def names() -> Case:
    keys = ["class", "x-y", "a b", "1st", "self", "inputs", "signature", "training", "name"]

    def build() -> None:
        inputs = {key: tf.placeholder(tf.float32, [None, 2]) for key in keys}
        weights = tf.get_variable("weights", [2, 2])
        scaled = [(i + 1.0) * inputs[key] for i, key in enumerate(keys)]
        total = tf.matmul(tf.add_n(scaled), weights)
        outputs = {
            "default": total,
            "the same": total,
            "return": tf.identity(total),
            "input": inputs["class"],
            "self": inputs["self"],
            "weights": weights.value(),
        }
        hub.add_signature(inputs=inputs, outputs=outputs)
        hub.add_signature("no-identifier", {"class": inputs["class"]}, {"lambda": -inputs["class"]})
        hub.add_signature("with:colon", {"x": inputs["name"]}, {"y": inputs["name"] * weights[0]})
        hub.add_signature("get_config", {"x": inputs["name"]}, inputs["name"] + 1.0)

    x = normal("names", 3, 2)
    return Case(
        build,
        {
            "default": {key: normal("names/" + key, 3, 2) for key in keys},
            "no-identifier": {"class": x},
            "with:colon": {"x": x},
            "get_config": {"x": x},
        },
        train=Train(outputs=["default"], learning_rate=0.0001),
    )


@case
def shapes() -> Case:
    def build() -> None:
        scalar = tf.placeholder(tf.float32, [], "scalar")
        anything = tf.placeholder(tf.float32, None, "anything")
        images = tf.placeholder(tf.float32, [None, None, 3], "images")
        batch = tf.placeholder(tf.float32, [None, 6, 6, 1], "batch")
        gain = tf.get_variable("gain", [3], initializer=tf.ones_initializer())
        hub.add_signature(
            inputs={"scalar": scalar, "anything": anything, "images": images},
            outputs={
                "default": images * gain * scalar,
                "anything": anything * scalar,
                "squeezed": tf.reduce_sum(anything),
                "size": tf.shape(images),
                "columns": tf.reduce_mean(images, 0),
                "padded": tf.pad(images, [[1, 1], [0, 0], [0, 2]]),
            },
        )
        conv = tf.layers.conv2d(batch, 2, 3)
        flat = tf.layers.flatten(conv)
        hub.add_signature(
            "flatten",
            {"batch": batch},
            {"default": tf.layers.dense(flat, 3), "flat": flat, "conv": conv},
        )

    return Case(
        build,
        {
            "default": {
                "scalar": normal("scalar"),
                "anything": normal("anything", 2, 1, 2),
                "images": normal("shapes", 2, 4, 3),
            },
            "flatten": {"batch": normal("flatten", 2, 6, 6, 1)},
        },
        train=Train("flatten", outputs=["default"]),
    )


@case
def optional_inputs() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        base = tf.get_variable("base", [3], initializer=tf.ones_initializer())
        bias = tf.placeholder_with_default(base * 2.0, [3], "bias")
        scale = tf.placeholder_with_default(1.5, [], "scale")
        power = tf.placeholder_with_default(tf.constant(2), [], "power")
        shift = tf.placeholder_with_default([0.5], [None], "shift")
        y = (x * scale + bias) ** tf.cast(power, tf.float32) + shift
        optional = {"bias": bias, "scale": scale, "power": power, "shift": shift}
        hub.add_signature(inputs={"x": x}, outputs=y)
        hub.add_signature("all", dict(optional, x=x), {"default": y, "bias": bias})
        hub.add_signature("some", {"x": x, "scale": scale, "power": power}, y)

    x = normal("optional", 4, 3)
    return Case(
        build,
        {
            "default": {"x": x},
            "all": {
                "x": x,
                "bias": normal("bias", 3),
                "scale": -0.5,
                "power": 3,
                "shift": normal("shift", 3),
            },
            "some": {"x": x, "scale": 0.75, "power": 1},
        },
        train=Train(learning_rate=0.0001),
    )
