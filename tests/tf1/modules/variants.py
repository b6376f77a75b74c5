"""Graph variants: tag sets with different layers, variables, and meanings."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, case, normal

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
