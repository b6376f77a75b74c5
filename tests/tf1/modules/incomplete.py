"""Modules whose checkpoint lacks variables that only some variants have, as exporters wrote them.

They were exported from the variant for inference: what a training graph has besides is in no
checkpoint, and hub.Module refuses that variant.
"""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, case, normal

from .dense import l2


@case
def aux_head() -> Case:
    """An auxiliary head and a path whose drop rate follows a step; discriminators as variants."""

    def build(kind: str) -> None:
        x = tf.placeholder(tf.float32, [None, 4], "x")
        if kind == "disc":
            scores = tf.layers.dense(x, 3, name="disc")
            hub.add_signature("score", {"x": x}, tf.layers.dense(scores, 1, name="score"))
            return
        trunk = tf.layers.dense(x, 5, tf.nn.relu, name="trunk", kernel_regularizer=l2(0.01))
        trunk = tf.contrib.layers.batch_norm(
            trunk,
            decay=0.9,
            is_training=kind == "train",
            zero_debias_moving_mean=True,
            scope="norm",
        )
        outputs = {"default": tf.layers.dense(trunk, 2, name="top")}
        if kind == "train":
            step = tf.cast(tf.train.get_or_create_global_step(), tf.float32)
            kept = trunk * (1.0 - 0.1 * tf.minimum(step / 10.0, 1.0))
            outputs["aux"] = tf.layers.dense(kept, 3, name="aux", kernel_regularizer=l2(0.1))
        hub.add_signature(inputs={"x": x}, outputs=outputs)
        z = tf.placeholder(tf.float32, [None, 3], "z")
        hub.add_signature("plain", {"z": z}, tf.layers.dense(z, 2, name="plain"))

    values = normal("aux_head", 5, 4)
    return Case(
        build,
        {
            "default": {"x": values},
            "plain": {"z": normal("aux_head/z", 5, 3)},
            "score": {"x": values},
        },
        (
            ((), {"kind": "serve"}),
            (("train",), {"kind": "train"}),
            (("disc",), {"kind": "disc"}),
        ),
        Train(tags=["train"], outputs=["aux", "default"]),
        incomplete=(("train",), ("disc",)),
        drop_collections=["global_step"],
        notes=["'plain' needs nothing that is missing, in {'train'} either."],
    )


@case
def quantized() -> Case:
    """tf.contrib.quantize: the training graph has moving averages that the other one has not."""

    def build(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 6, 6, 2], "x")
        y = tf.layers.conv2d(x, 3, 3, activation=tf.nn.relu, name="conv")
        y = tf.layers.dense(tf.reshape(y, [-1, 48]), 2, name="top")
        if training:
            tf.contrib.quantize.create_training_graph(quant_delay=0)
        else:
            tf.contrib.quantize.create_eval_graph()
        hub.add_signature(inputs={"x": x}, outputs=tf.identity(y))

    return Case(
        build,
        {"default": {"x": normal("quantized", 3, 6, 6, 2)}},
        TRAIN_AND_SERVE,
        incomplete=(("train",),),
        drop_collections=["global_step"],
    )
