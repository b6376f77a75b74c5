"""Recurrent networks: what tf.nn and its cells build out of loops, and state kept between calls."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal

rnn_cell = tf.nn.rnn_cell


@case
def rnn_time_major() -> Case:
    """The initial state comes from the caller, the final one goes back to it."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, None, 3], "x")  # [time, batch, features]
        c = tf.placeholder(tf.float32, [None, 4], "c")
        h = tf.placeholder(tf.float32, [None, 4], "h")
        lengths = tf.placeholder(tf.int64, [None], "lengths")
        outputs, state = tf.nn.dynamic_rnn(
            rnn_cell.LSTMCell(4, use_peepholes=True, cell_clip=1.0),
            x,
            lengths,
            rnn_cell.LSTMStateTuple(c, h),
            time_major=True,
            swap_memory=True,
            parallel_iterations=2,
        )
        hub.add_signature(
            inputs={"x": x, "c": c, "h": h, "lengths": lengths},
            outputs={"default": outputs, "c": state.c, "h": state.h},
        )

    inputs = {
        "x": normal("rnn_time_major/x", 4, 3, 3),
        "c": normal("rnn_time_major/c", 3, 4),
        "h": normal("rnn_time_major/h", 3, 4),
        "lengths": np.array([4, 1, 3], "int64"),
    }
    return Case(build, {"default": inputs}, train=Train())


@case
def rnn_layers() -> Case:
    """Layers with residual connections, and dropout that a placeholder's default turns off."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 5, 4], "x")
        keep = tf.placeholder_with_default(1.0, [], "keep_prob")

        def layer(cell: rnn_cell.RNNCell) -> rnn_cell.RNNCell:
            dropped = rnn_cell.DropoutWrapper(
                cell, keep, output_keep_prob=keep, state_keep_prob=keep
            )
            return rnn_cell.ResidualWrapper(dropped)

        cells = [layer(rnn_cell.GRUCell(4)), layer(rnn_cell.LSTMCell(4, num_proj=4))]
        cells.append(layer(rnn_cell.BasicRNNCell(4)))
        outputs, states = tf.nn.dynamic_rnn(rnn_cell.MultiRNNCell(cells), x, dtype=tf.float32)
        hub.add_signature(
            inputs={"x": x}, outputs={"default": outputs, "gru": states[0], "cell": states[1].c}
        )
        hub.add_signature("with_dropout", {"x": x, "keep_prob": keep}, {"default": outputs})

    inputs = {"x": normal("rnn_layers", 2, 5, 4)}
    return Case(
        build, {"default": inputs, "with_dropout": dict(inputs, keep_prob=1.0)}, train=Train()
    )


@case
def rnn_raw() -> Case:
    """tf.nn.raw_rnn that feeds its own output back in."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        limits = tf.placeholder(tf.int32, [None], "limits")
        cell = rnn_cell.GRUCell(3)
        out = tf.get_variable("out", [3, 3])

        def loop(time: tf.Tensor, output: tf.Tensor, state: tf.Tensor, extra: tf.Tensor) -> tuple:
            done = time >= limits
            if output is None:
                state = cell.zero_state(tf.shape(x)[0], tf.float32)
                return done, x, state, tf.zeros([3]), tf.zeros([])
            following = tf.tanh(tf.matmul(output, out))
            return done, following, state, following, extra + tf.reduce_sum(output)

        outputs, state, extra = tf.nn.raw_rnn(cell, loop)
        stacked = tf.transpose(outputs.stack(), [1, 0, 2])
        hub.add_signature(
            inputs={"x": x, "limits": limits},
            outputs={"default": stacked, "state": state, "extra": extra},
        )

    inputs = {"x": normal("rnn_raw", 3, 3), "limits": np.array([2, 4, 3], "int32")}
    return Case(build, {"default": inputs}, train=Train())


@case
def rnn_static() -> Case:
    """Unrolled: a conditional for each step where the sequence may have ended."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 4, 3], "x")
        lengths = tf.placeholder(tf.int32, [None], "lengths")
        outputs, state = tf.nn.static_rnn(
            rnn_cell.GRUCell(3), tf.unstack(x, axis=1), dtype=tf.float32, sequence_length=lengths
        )
        hub.add_signature(
            inputs={"x": x, "lengths": lengths},
            outputs={"default": tf.stack(outputs, 1), "state": state},
        )

    inputs = {"x": normal("rnn_static", 3, 4, 3), "lengths": np.array([2, 3, 1], "int32")}
    return Case(build, {"default": inputs}, train=Train())


def _language_model(use_resource: bool) -> Case:
    def build() -> None:
        tokens = tf.placeholder(tf.int32, [2, None], "tokens")
        with tf.variable_scope("", use_resource=use_resource):
            table = tf.get_variable("table", [9, 4])
            kept = [
                tf.get_variable(name, [2, 4], trainable=False, initializer=tf.zeros_initializer())
                for name in ("kept_c", "kept_h")
            ]
            # Computed, not only read: else the value shares the buffer of a reference variable, and
            # the gradient would see, as the case may be, what the assignment below puts there.
            before = [tf.clip_by_value(v.read_value(), -9.0, 9.0) for v in kept]
            before = rnn_cell.LSTMStateTuple(*before)
            cell = rnn_cell.LSTMCell(4)
            outputs, after = tf.nn.dynamic_rnn(
                cell, tf.nn.embedding_lookup(table, tokens), initial_state=before
            )
            logits = tf.layers.dense(outputs, 9)
        with tf.control_dependencies([tf.assign(v, s) for v, s in zip(kept, after)]):
            logits = tf.identity(logits)
        hub.add_signature(inputs={"tokens": tokens}, outputs={"default": logits, "state": after.h})
        clear = [tf.assign(v, tf.zeros([2, 4])) for v in kept]
        size = tf.placeholder_with_default(0.0, [], "size")
        with tf.control_dependencies(clear):
            hub.add_signature("clear", {"size": size}, tf.identity(size))

    tokens = np.array([[1, 4, 2, 8], [3, 3, 0, 5]], "int32")
    return Case(
        build,
        {"default": {"tokens": tokens}, "clear": {"size": np.float32(1.0)}},
        train=Train(outputs=["default"], loss_with_step=True),
        calls=3,
        notes=["Each call, so each step of the training, begins with the state of the last one."],
    )


@case
def stateful_lm() -> Case:
    return _language_model(use_resource=True)


@case
def stateful_lm_reference() -> Case:
    return _language_model(use_resource=False)
