"""Switch, Merge, Enter and Exit: conditions and loops over variables, with their gradients."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal


@case
def cond() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        flag = tf.placeholder_with_default(False, [], "flag")
        weights = tf.get_variable("weights", [3, 2])
        other = tf.get_variable("other", [3, 2])
        y = tf.cond(flag, lambda: tf.matmul(x, weights), lambda: tf.nn.relu(tf.matmul(x, other)))
        hub.add_signature(inputs={"x": x}, outputs=y)
        hub.add_signature("with_flag", {"x": x, "flag": flag}, y)

    x = normal("cond", 4, 3)
    return Case(
        build, {"default": {"x": x}, "with_flag": {"x": x, "flag": True}}, train=Train("with_flag")
    )


@case
def cond_in_cond() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        kind = tf.placeholder_with_default(0, [], "kind")
        weights = tf.get_variable("weights", [3, 3])
        other = tf.get_variable("other", [3, 3])

        def inner() -> tf.Tensor:
            hidden = tf.matmul(x, weights)
            return tf.cond(
                tf.equal(kind, 1),
                lambda: tf.matmul(tf.tanh(hidden), other),
                lambda: hidden * other[0],
            )

        y = tf.cond(tf.equal(kind, 0), lambda: tf.matmul(x, other), inner)
        hub.add_signature(inputs={"x": x}, outputs=y)
        for i in (1, 2):
            hub.add_signature("kind_%d" % i, {"x": x, "kind": kind}, y)

    x = normal("cond_in_cond", 4, 3)
    return Case(
        build,
        {"default": {"x": x}, "kind_1": {"x": x, "kind": 1}, "kind_2": {"x": x, "kind": 2}},
        train=Train("kind_1"),
    )


@case
def while_rnn() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, None, 3], "x")
        lengths = tf.placeholder(tf.int32, [None], "lengths")
        (forward, backward), _ = tf.nn.bidirectional_dynamic_rnn(
            tf.nn.rnn_cell.LSTMCell(3),
            tf.nn.rnn_cell.GRUCell(3),
            x,
            sequence_length=lengths,
            dtype=tf.float32,
        )
        states = tf.concat([forward, backward], -1)
        mix = tf.get_variable(
            "mix", [], initializer=tf.ones_initializer(), regularizer=lambda v: 0.01 * v * v
        )
        hub.add_signature(
            inputs={"x": x, "lengths": lengths},
            outputs={"default": tf.reduce_mean(states, 1) * mix, "states": states},
        )

    inputs = {"x": normal("while_rnn", 3, 5, 3), "lengths": np.array([5, 2, 3], "int32")}
    return Case(build, {"default": inputs}, train=Train(outputs=["default"]))


@case
def map_fn_scan() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        weights = tf.get_variable("weights", [3, 3])
        decay = tf.get_variable("decay", [3], initializer=tf.constant_initializer(0.5))
        mapped = tf.map_fn(lambda row: tf.tanh(tf.tensordot(row, weights, 1)), x)
        scanned = tf.scan(lambda state, row: decay * state + row, mapped, tf.zeros([3]))
        hub.add_signature(inputs=x, outputs={"default": scanned, "mapped": mapped})

    return Case(build, {"default": {"default": normal("map_fn_scan", 5, 3)}}, train=Train())


@case
def raw_while() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        steps = tf.placeholder(tf.int32, [], "steps")
        weights = tf.get_variable("weights", [3, 3])
        shift = tf.get_variable("shift", [3])

        def body(i: tf.Tensor, state: tf.Tensor, history: tf.TensorArray) -> tuple:
            # TF 1.15 has no gradient of a resource that enters a condition within a loop.
            read_weights, read_shift = weights.read_value(), shift.read_value()
            state = tf.cond(
                tf.equal(i % 2, 0),
                lambda: tf.tanh(tf.matmul(state, read_weights)),
                lambda: state + read_shift * x,
            )
            state.set_shape([None, 3])
            return i + 1, state, history.write(i, state)

        history = tf.TensorArray(tf.float32, steps)
        _, state, history = tf.while_loop(lambda i, *_: i < steps, body, [0, x, history])
        hub.add_signature(
            inputs={"x": x, "steps": steps},
            outputs={"default": state, "history": history.stack()},
        )

    inputs = {"x": normal("raw_while", 4, 3), "steps": np.int32(5)}
    return Case(build, {"default": inputs}, train=Train())
