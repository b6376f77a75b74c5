"""Graph variants: tag sets with different layers, variables, and meanings."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, case, generator, normal

from .dense import l2


@case
def aux_variant() -> Case:
    def build(kind: str) -> None:
        x = tf.placeholder(tf.float32, [None, 4], "x")
        trunk = tf.layers.dense(x, 5, tf.nn.relu, name="trunk", kernel_regularizer=l2(0.01))
        if kind == "small":
            hub.add_signature(inputs={"x": x}, outputs=trunk[:, :3])
            return
        outputs = {"default": tf.layers.dense(trunk, 2, name="top")}
        if kind == "train":
            outputs["aux"] = tf.layers.dense(trunk, 3, name="aux", kernel_regularizer=l2(0.1))
        hub.add_signature(inputs={"x": x}, outputs=outputs)

    return Case(
        build,
        {"default": {"x": normal("aux_variant", 5, 4)}},
        (
            ((), {"kind": "serve"}),
            (("train",), {"kind": "train"}),
            (("gpu", "small"), {"kind": "small"}),
        ),
        Train(tags=["train"], outputs=["aux", "default"]),
        export_tags=["train"],
    )


@case
def train_only_tags() -> Case:
    def build(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        y = tf.layers.batch_normalization(
            tf.layers.dense(x, 4), momentum=0.6, fused=False, training=training
        )
        hub.add_signature(inputs=x, outputs=y)

    return Case(
        build,
        {"default": {"default": normal("train_only_tags", 5, 3)}},
        ((("serve",), {"training": False}), (("train",), {"training": True})),
        Train(tags=["train"]),
    )


@case
def ema() -> Case:
    def build(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 4], "x")
        weights = tf.get_variable("weights", [4, 3])
        bias = tf.get_variable("bias", [3])
        averages = tf.train.ExponentialMovingAverage(0.9)
        update = averages.apply([weights, bias])
        if training:
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
            y = tf.matmul(x, weights) + bias
        else:
            y = tf.matmul(x, averages.average(weights)) + averages.average(bias)
        hub.add_signature(inputs=x, outputs=y)

    return Case(
        build,
        {"default": {"default": normal("ema", 5, 4)}},
        TRAIN_AND_SERVE,
        Train(tags=["train"]),
        drop_collections=["moving_average_variables"],
    )


@case
def teacher_forcing() -> Case:
    """A decoder that is fed with its own choices, and in training with the labels."""

    def build(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 4], "x")
        inputs = {"x": x}
        scale = tf.constant(1.0)
        if training:
            inputs["labels"] = tf.placeholder(tf.int32, [None, 3], "labels")
            inputs["scale"] = scale = tf.placeholder_with_default(1.0, [], "scale")
        table = tf.get_variable("table", [5, 6])
        cell, top = tf.layers.Dense(6, tf.tanh, name="cell"), tf.layers.Dense(5, name="top")
        state, previous, logits = cell(tf.concat([x, x[:, :2]], 1)), None, []
        for k in range(3):
            if previous is not None:
                state = cell(state + tf.nn.embedding_lookup(table, previous))
            logits.append(scale * top(state))
            previous = (
                inputs["labels"][:, k]
                if training
                else tf.argmax(logits[-1], -1, output_type=tf.int32)
            )
        hub.add_signature(inputs=inputs, outputs=tf.stack(logits, 1))

    x = normal("teacher_forcing", 5, 4)
    labels = generator("teacher_forcing").randint(0, 5, [5, 3]).astype("int32")
    return Case(
        build,
        {"default": {"x": x, "labels": labels, "scale": np.float32(1.0)}},
        TRAIN_AND_SERVE,
        Train(tags=["train"]),
        inputs_of_training=True,
    )
