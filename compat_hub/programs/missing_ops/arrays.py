"""Ops of tf.contrib on arrays, and one that TensorFlow itself lost."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from compat_hub.programs.missing_ops.functions import Computation, dtype_of, spec


def masked_matmul(_: Any) -> Computation:
    """Some elements of a product of matrices."""

    def compute(a: Any, b: Any, places: Any, transpose_a: Any, transpose_b: Any) -> Any:
        a = tf.cond(transpose_a, lambda: tf.transpose(a), lambda: a)
        b = tf.cond(transpose_b, lambda: b, lambda: tf.transpose(b))
        rows, columns = tf.gather(a, places[:, 0]), tf.gather(b, places[:, 1])
        return [tf.reduce_sum(rows * columns, -1)]

    matrix, flag = spec(2, tf.float32), spec(0, tf.bool)
    return Computation([matrix, matrix, spec(2, tf.int64), flag, flag], ["prod_values"], compute)


def reduce_slices(node: Any) -> Computation:
    """Sums, products or extremes of slices along an axis, of a start and an end each."""
    dtype = dtype_of(node)
    is_float = dtype.is_floating
    reduce, of_nothing = {
        "ReduceSliceSum": (tf.math.unsorted_segment_sum, 0),
        "ReduceSliceProd": (tf.math.unsorted_segment_prod, 1),
        "ReduceSliceMax": (tf.math.unsorted_segment_max, -math.inf if is_float else dtype.min),
        "ReduceSliceMin": (tf.math.unsorted_segment_min, math.inf if is_float else dtype.max),
    }[node.op]

    def compute(data: Any, indices: Any, axis: Any) -> Any:
        shape = tf.shape(data, tf.int64)
        size = shape[axis]
        cells = tf.stack([tf.reduce_prod(shape[:axis]), size, tf.reduce_prod(shape[axis + 1 :])])
        flat = tf.reshape(tf.cast(indices, tf.int64), [-1])
        # One vector has the start of each slice, which is the end of the one before.
        starts, ends = tf.cond(
            tf.equal(tf.rank(indices), 1),
            lambda: (flat[:-1], flat[1:]),
            lambda: tuple(tf.unstack(tf.reshape(flat, [-1, 2]), 2, 1)),
        )
        places = tf.ragged.range(starts, tf.maximum(starts, tf.minimum(ends, size)))
        values = tf.gather(tf.reshape(data, cells), places.flat_values, axis=1)
        count = tf.size(starts, tf.int64)
        found = reduce(tf.transpose(values, [1, 0, 2]), places.value_rowids(), count)
        is_empty = tf.equal(places.row_lengths(), 0)[:, tf.newaxis, tf.newaxis]
        found = tf.where(is_empty, tf.constant(of_nothing, dtype), found)
        reduced = tf.concat([shape[:axis], [count], shape[axis + 1 :]], 0)
        return [tf.reshape(tf.transpose(found, [1, 0, 2]), reduced)]

    inputs = [spec(None, dtype), spec(None, dtype_of(node, "Tindices")), spec(0, tf.int64)]
    return Computation(inputs, ["output"], compute)


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
