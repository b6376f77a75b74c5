"""Signatures that change variables, check their inputs or print, by control dependencies."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal


@case
def counter() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 2], "x")
        calls = tf.get_variable("calls", [], tf.int64, tf.zeros_initializer(), trainable=False)
        total = tf.get_variable("total", [2], trainable=False)
        weights = tf.get_variable("weights", [2, 2])
        updates = [tf.assign_add(calls, 1), tf.assign_add(total, tf.reduce_sum(x, 0))]
        with tf.control_dependencies(updates):
            counted = calls.read_value()
            running = x + total.read_value()
        hub.add_signature(
            inputs={"x": x},
            outputs={"default": tf.matmul(x, weights), "calls": counted, "running": running},
        )
        hub.add_signature("plain", {"x": x}, tf.matmul(x, weights))

    x = normal("counter", 3, 2)
    return Case(build, {"default": {"x": x}, "plain": {"x": x}}, train=Train("plain"))


@case
def control_inputs() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        weights = tf.get_variable("weights", [3, 2])
        checks = [
            tf.assert_non_negative(x, message="x is negative"),
            tf.Assert(tf.greater(tf.shape(x)[0], 0), ["x is empty", x]),
        ]
        with tf.control_dependencies(checks):
            checked = tf.matmul(tf.sqrt(x), weights)
        with tf.control_dependencies([tf.no_op("nothing"), tf.print("printed", x)]):
            printed = tf.identity(checked)
        with tf.control_dependencies([tf.group(*checks, name="all_checks")]):
            size = tf.size(x)
        hub.add_signature(
            inputs={"x": x}, outputs={"default": checked, "printed": printed, "size": size}
        )

    return Case(
        build,
        {"default": {"x": abs(normal("control_inputs", 4, 3))}},
        train=Train(outputs=["default"]),
    )
