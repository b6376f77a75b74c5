from __future__ import annotations

import json

import numpy as np
import tensorflow as tf

from compat_hub.tools.batch.outputs.plain_values import plain_rows, plain_value


def test_numbers_have_the_digits_of_their_dtype() -> None:
    for dtype in tf.float16, tf.bfloat16, tf.float32, tf.float64:
        assert plain_rows(tf.constant([0.5], dtype)) == [0.5]
    assert plain_rows(tf.constant([[0.1, 1e-30]])) == [[0.1, 1e-30]]
    assert plain_rows(tf.constant([0.1], tf.float64)) == [0.1]
    assert plain_rows(tf.constant([np.nan, np.inf, 1.5])) == [None, None, 1.5]
    assert plain_rows(tf.constant([1 + 2j])) == [[1, 2]]
    assert plain_rows(tf.constant([True])) == [True]
    assert plain_rows(tf.constant([2**62], tf.int64)) == [2**62]
    json.dumps(plain_rows(tf.constant([[np.nan, 1]])), allow_nan=False)


def test_strings() -> None:
    assert plain_rows(tf.constant([["ü"], [b"\xff"]])) == [["ü"], ["\\xff"]]
    assert plain_value(tf.constant("a")) == "a"


def test_sparse_rows_are_as_inputs_are() -> None:
    value = tf.sparse.from_dense([[0, 1], [0, 0], [2, 3]])
    assert plain_rows(value) == [
        {"indices": [[1]], "values": [1], "dense_shape": [2]},
        {"indices": [], "values": [], "dense_shape": [2]},
        {"indices": [[0], [1]], "values": [2, 3], "dense_shape": [2]},
    ]
    assert plain_value(value)["dense_shape"] == [3, 2]


def test_ragged_rows() -> None:
    assert plain_rows(tf.ragged.constant([[0.1], [], [np.nan]], tf.float32)) == [[0.1], [], [None]]
    assert plain_rows(tf.ragged.constant([["a"], []])) == [["a"], []]
