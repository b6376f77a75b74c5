"""A two-layer bidirectional LSTM in loops of TF1, with TensorArrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1

INPUTS = 64
UNITS = 128


def outputs(x: Any) -> Any:
    """A tensor [batch, time, 2 x units] of one [batch, time, inputs], in the current graph."""
    y = tf.transpose(x, [1, 0, 2])
    for layer in range(2):
        forward = _layer(y, f"forward_{layer}")
        backward = tf.reverse(_layer(tf.reverse(y, [0]), f"backward_{layer}"), [0])
        y = tf.concat([forward, backward], -1)
    return tf.transpose(y, [1, 0, 2])


def _layer(x: Any, name: str) -> Any:
    """One direction over `x` [time, batch, units]."""
    inputs = x.shape[-1]
    values = v1.truncated_normal_initializer(stddev=0.1)
    kernel = v1.get_variable(f"{name}/kernel", [inputs + UNITS, 4 * UNITS], initializer=values)
    bias = v1.get_variable(f"{name}/bias", initializer=np.zeros([4 * UNITS], "f"))
    steps = tf.shape(x)[0]
    reads = tf.TensorArray(tf.float32, steps).unstack(x)
    state = tf.zeros([tf.shape(x)[1], UNITS])

    def body(k: tf.Tensor, c: tf.Tensor, h: tf.Tensor, writes: tf.TensorArray) -> tuple:
        row = tf.ensure_shape(reads.read(k), [None, inputs])
        gates = tf.matmul(tf.concat([row, h], 1), kernel) + bias
        i, j, f, o = tf.split(gates, 4, 1)
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(j)
        h = tf.sigmoid(o) * tf.tanh(c)
        return k + 1, c, h, writes.write(k, h)

    writes = tf.TensorArray(tf.float32, steps)
    results = v1.while_loop(
        lambda k, *_: k < steps, body, [tf.constant(0), state, state, writes], swap_memory=True
    )
    return tf.ensure_shape(results[-1].stack(), [None, None, UNITS])
