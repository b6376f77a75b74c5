"""Modules made of modules that have a variant for training."""

from __future__ import annotations

import functools

import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, case, normal

from .dense import l2


def _inner(training: bool) -> None:
    x = tf.placeholder(tf.float32, [None, 3], "x")
    hidden = tf.layers.dense(x, 4, kernel_regularizer=l2(0.01), use_bias=False)
    hidden = tf.layers.batch_normalization(hidden, momentum=0.8, training=training, fused=False)
    flag = tf.placeholder_with_default(True, [], "flag")
    y = tf.cond(flag, lambda: tf.tanh(hidden), lambda: hidden)
    hub.add_signature(inputs={"x": x}, outputs={"default": y, "hidden": hidden})
    hub.add_signature("with_flag", {"x": x, "flag": flag}, y)


_SPEC = hub.create_module_spec(_inner, [(set(t), a) for t, a in TRAIN_AND_SERVE])


def _middle(training: bool, twice: bool = False) -> None:
    x = tf.placeholder(tf.float32, [None, 3], "x")
    tags = {"train"} if training else set()
    first = hub.Module(_SPEC, trainable=True, name="first", tags=tags)
    y = first(x)
    if twice:
        second = hub.Module(_SPEC, trainable=False, name="second")
        y += second({"x": x, "flag": False}, signature="with_flag")
    with tf.variable_scope("top"):
        y = tf.layers.dense(y, 3, kernel_regularizer=l2(0.02))
    hub.add_signature(inputs={"x": x}, outputs=y)


@case
def nested_trained() -> Case:
    return Case(
        functools.partial(_middle, twice=True),
        {"default": {"x": normal("nested_trained", 6, 3)}},
        TRAIN_AND_SERVE,
        Train(tags=["train"]),
    )


@case
def nested_deep() -> Case:
    """Three deep, and a loop in which the state of the module within is carried around."""

    def build(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        middle = hub.create_module_spec(_middle, [(set(t), a) for t, a in TRAIN_AND_SERVE])
        tags = {"train"} if training else set()
        module = hub.Module(middle, trainable=True, name="middle", tags=tags)
        weights = tf.get_variable("weights", [3, 3])
        start = module(x)
        y = tf.while_loop(
            lambda i, _: i < 2, lambda i, s: (i + 1, tf.sin(tf.matmul(s, weights))), [0, start]
        )[1]
        hub.add_signature(inputs={"x": x}, outputs=y)

    return Case(
        build,
        {"default": {"x": normal("nested_twice", 6, 3)}},
        TRAIN_AND_SERVE,
        Train(tags=["train"]),
    )
