"""The sample that the package carries, in compat_hub/samples; the demo and the README use it."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, case, normal

from .dense import l2


@case
def pets() -> Case:
    def build(training: bool) -> None:
        def features(fruit: tf.Tensor) -> tf.Tensor:
            with tf.variable_scope("features", reuse=tf.AUTO_REUSE):
                hidden = tf.layers.dense(fruit, 8, name="dense", kernel_regularizer=l2(0.01))
                normalized = tf.layers.batch_normalization(
                    hidden, momentum=0.9, fused=False, training=training, name="norm"
                )
                return tf.nn.relu(normalized)

        fruit = tf.placeholder(tf.float32, [None, 7], "fruit")
        hub.add_signature(inputs={"fruit": fruit}, outputs=features(fruit))

        apples = tf.placeholder(tf.float32, [None, 4], "apples")
        oranges = tf.placeholder(tf.float32, [None, 3], "oranges")
        hidden = features(tf.concat([apples, oranges], axis=1))
        cats = tf.layers.dense(hidden, 2, name="cats", kernel_regularizer=l2(0.02))
        dogs = tf.layers.dense(hidden, 3, name="dogs", kernel_regularizer=l2(0.02))
        hub.add_signature(
            "fruit_to_pet",
            {"apples": apples, "oranges": oranges},
            {"cats": cats, "dogs": dogs},
        )

    return Case(
        build,
        {
            "fruit_to_pet": {"apples": normal("apples", 5, 4), "oranges": normal("oranges", 5, 3)},
            "default": {"fruit": normal("fruit", 5, 7)},
        },
        TRAIN_AND_SERVE,
        Train("fruit_to_pet", ["train"]),
        notes=["compat_hub/samples/pets is a copy of the module."],
    )
