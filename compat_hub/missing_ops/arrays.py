"""Ops of tf.contrib on matrices, and one that TensorFlow itself lost."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compat_hub.missing_ops.functions import Computation, dtype_of, spec


def masked_matmul(_: Any) -> Computation:
    """Some elements of a product of matrices."""

    def compute(a: Any, b: Any, places: Any, transpose_a: Any, transpose_b: Any) -> Any:
        a = tf.cond(transpose_a, lambda: tf.transpose(a), lambda: a)
        b = tf.cond(transpose_b, lambda: b, lambda: tf.transpose(b))
        rows, columns = tf.gather(a, places[:, 0]), tf.gather(b, places[:, 1])
        return [tf.reduce_sum(rows * columns, -1)]

    matrix, flag = spec(2, tf.float32), spec(0, tf.bool)
    return Computation([matrix, matrix, spec(2, tf.int64), flag, flag], ["prod_values"], compute)


def compare_and_bitpack(node: Any) -> Computation:
    """Whether numbers are above a threshold, eight of them in a byte."""
    dtype = dtype_of(node)

    def compute(values: Any, threshold: Any) -> Any:
        above = values if dtype == tf.bool else values > threshold
        if dtype == tf.bool:
            above = tf.logical_and(above, tf.logical_not(threshold))
        shape = tf.shape(values)
        packed = tf.concat([shape[:-1], [shape[-1] // 8]], 0)
        bits = tf.reshape(tf.cast(above, tf.int32), tf.concat([packed, [8]], 0))
        return [tf.cast(tf.reduce_sum(bits * [128, 64, 32, 16, 8, 4, 2, 1], -1), tf.uint8)]

    return Computation([spec(None, dtype), spec(0, dtype)], ["output"], compute)


def bipartite_match(node: Any) -> Computation:
    """Rows and columns matched one to one, the nearest pair first."""
    most = node.attr["top_k"].i if "top_k" in node.attr else -1

    def compute(distances: Any, valid_rows: Any) -> Any:
        rows, columns = tf.shape(distances)[0], tf.shape(distances)[1]
        valid = tf.cast(tf.reshape(valid_rows, []), tf.int32)
        valid = tf.where((valid < 0) | (valid > rows), rows, valid)
        turns = tf.minimum(valid, columns)
        if most > 0:
            turns = tf.minimum(turns, most)
        far = tf.constant(float("inf"))
        left = tf.where(tf.range(rows)[:, tf.newaxis] < valid, distances, far)

        def turn(k: Any, left: Any, of_rows: Any, of_columns: Any) -> Any:
            nearest: Any = tf.argmin(tf.reshape(left, [-1]), output_type=tf.int32)
            row, column = nearest // columns, nearest % columns
            is_row = tf.equal(tf.range(rows), row)  # == is no op in programs of TensorFlow 1
            is_column = tf.equal(tf.range(columns), column)
            taken = is_row[:, tf.newaxis] | is_column
            of_rows = tf.where(is_row, column, of_rows)
            of_columns = tf.where(is_column, row, of_columns)
            return k + 1, tf.where(taken, far, left), of_rows, of_columns

        start = [0, left, tf.fill([rows], -1), tf.fill([columns], -1)]
        _, _, of_rows, of_columns = tf.while_loop(lambda k, *_: k < turns, turn, start)
        return [tf.stop_gradient(of_rows), tf.stop_gradient(of_columns)]

    outputs = ["row_to_col_match_indices", "col_to_row_match_indices"]
    return Computation([spec(2, tf.float32), spec(None, tf.float32)], outputs, compute)
