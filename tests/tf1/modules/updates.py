"""Update ops that depend on hyperparameters, or on inputs that a signature does not have."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, case, normal


def _update(variable: tf.Variable, value: tf.Tensor, momentum: tf.Tensor | float) -> None:
    update = tf.assign_sub(variable, (variable - value) * (1.0 - momentum))
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)


@case
def hparams() -> Case:
    def build(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 5], "x")
        momentum = tf.placeholder_with_default(0.9, [], "batch_norm_momentum")
        epsilon = tf.placeholder_with_default(0.001, [], "batch_norm_epsilon")
        gamma = tf.get_variable("gamma", [5], initializer=tf.ones_initializer())
        moving_mean = tf.get_variable("moving_mean", [5], trainable=False)
        moving_variance = tf.get_variable(
            "moving_variance", [5], initializer=tf.ones_initializer(), trainable=False
        )
        if training:
            mean, variance = tf.nn.moments(x, [0])
            _update(moving_mean, mean, momentum)
            _update(moving_variance, variance, momentum)
        else:
            mean, variance = moving_mean, moving_variance
        y = tf.nn.batch_normalization(x, mean, variance, None, gamma, epsilon)
        hub.add_signature(inputs={"x": x}, outputs=y)
        hub.add_signature("with_momentum", {"x": x, "batch_norm_momentum": momentum}, y)
        everything = {"x": x, "batch_norm_momentum": momentum, "batch_norm_epsilon": epsilon}
        hub.add_signature("with_all", everything, y)

    x = normal("hparams", 7, 5)
    momentum = {"batch_norm_momentum": 0.5}
    return Case(
        build,
        {
            "default": {"x": x},
            "with_momentum": dict(momentum, x=x),
            "with_all": dict(momentum, x=x, batch_norm_epsilon=0.3),
        },
        TRAIN_AND_SERVE,
        Train("with_momentum", ["train"]),
    )


@case
def unfed_update() -> Case:
    def build(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 4], "x")
        z = tf.placeholder(tf.float32, [None, 2], "z")
        weights = tf.get_variable("weights", [4, 3])
        mean = tf.get_variable("moving_mean", [4], trainable=False)
        total = tf.get_variable("total", [2], trainable=False)
        steps = tf.get_variable(
            "steps", [], trainable=False, initializer=tf.zeros_initializer(), dtype=tf.int64
        )
        center = tf.reduce_mean(x, 0) if training else mean
        if training:
            _update(mean, center, 0.8)
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign_add(total, tf.reduce_sum(z, 0)))
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign_add(steps, 1))
        hub.add_signature(inputs={"x": x}, outputs=tf.matmul(x - center, weights))
        hub.add_signature("other", {"z": z}, z * total)

    return Case(
        build,
        {
            "default": {"x": normal("unfed_x", 5, 4)},
            "other": {"z": normal("unfed_z", 3, 2)},
        },
        TRAIN_AND_SERVE,
        Train("default", ["train"]),
        notes=[
            "hub.Module collects the update op that depends on z for signature 'default' too. "
            "A session cannot run it, so the record runs the other update ops only."
        ],
    )
