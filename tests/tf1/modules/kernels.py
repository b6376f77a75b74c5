"""Cells that tf.contrib.rnn computes in one kernel; in TF 2 the ops are core ops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal


def _loop_case(name: str, make_cell: Callable[[], tf.nn.rnn_cell.RNNCell]) -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, None, 3], "x")
        lengths = tf.placeholder(tf.int32, [None], "lengths")
        outputs, state = tf.nn.dynamic_rnn(make_cell(), x, lengths, dtype=tf.float32)
        state = tf.concat(tf.nest.flatten(state), -1)
        hub.add_signature(
            inputs={"x": x, "lengths": lengths}, outputs={"default": outputs, "state": state}
        )

    inputs = {"x": normal(name, 3, 4, 3), "lengths": np.array([4, 2, 3], "int32")}
    return Case(build, {"default": inputs}, train=Train())


@case
def lstm_block_cell() -> Case:
    return _loop_case(
        "lstm_block_cell", lambda: tf.contrib.rnn.LSTMBlockCell(4, use_peephole=True, cell_clip=2)
    )


@case
def gru_block_cell() -> Case:
    return _loop_case("gru_block_cell", lambda: tf.contrib.rnn.GRUBlockCellV2(4))


@case
def block_cells_unrolled() -> Case:
    """The kernels without a loop around them."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3, 3], "x")
        steps = tf.unstack(x, axis=1)
        y, _ = tf.nn.static_rnn(tf.contrib.rnn.LSTMBlockCell(4), steps, dtype=tf.float32)
        z, _ = tf.nn.static_rnn(tf.contrib.rnn.GRUBlockCell(4), y, dtype=tf.float32, scope="gru")
        hub.add_signature(inputs={"x": x}, outputs=tf.stack(z, 1))

    return Case(build, {"default": {"x": normal("unrolled", 3, 3, 3)}}, train=Train())


def _fused_case(peephole: bool) -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, None, 3], "x")  # [time, batch, features]
        lengths = tf.placeholder(tf.int32, [None], "lengths")
        forward = tf.contrib.rnn.LSTMBlockFusedCell(4, use_peephole=peephole, cell_clip=2.0)
        backward = tf.contrib.rnn.TimeReversedFusedRNN(
            tf.contrib.rnn.LSTMBlockFusedCell(4, forget_bias=0.5)
        )
        y, _ = forward(x, dtype=tf.float32, sequence_length=lengths, scope="forward")
        z, state = backward(x, dtype=tf.float32, sequence_length=lengths, scope="backward")
        hub.add_signature(
            inputs={"x": x, "lengths": lengths},
            outputs={"default": tf.concat([y, z], -1), "c": state.c, "h": state.h},
        )

    inputs = {"x": normal("block_lstm", 4, 3, 3), "lengths": np.array([4, 2, 3], "int32")}
    return Case(build, {"default": inputs}, train=Train())


@case
def block_lstm() -> Case:
    return _fused_case(peephole=False)


@case
def block_lstm_peephole() -> Case:
    return _fused_case(peephole=True)
