"""Ops of tf.contrib.layers: crosses of the features of each row."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from compat_hub.programs.missing_ops.functions import Computation, dtype_of, spec

_OUTPUTS = ["output_indices", "output_values", "output_shape"]
# As TensorFlow 1 combined hashes before it had fingerprints of pairs.
_SEED = 0xDECAFCAFFE
_GOLDEN = 0x9E3779B97F4A7800 - 2**64
_MOST = 2**63 - 1


def sparse_feature_cross(node: Any) -> Computation:
    """The crosses as strings, or as hashes in a way of their own."""
    if not node.attr["hashed_output"].b:
        return sparse_feature_cross_v2(node)
    most = node.attr["num_buckets"].i

    def compute(*tensors: Any) -> Any:
        indices, values, shapes, dense = _parts(node, tensors)
        rows = tf.cast(shapes[0][0] if shapes else tf.shape(dense[0])[0], tf.int64)
        columns = [_sparse_column(i, v, rows) for i, v in zip(indices, values, strict=True)]
        columns += [_dense_column(tensor) for tensor in dense]
        counts = [count for _, count in columns]
        sizes = functools.reduce(tf.multiply, counts)
        row = tf.repeat(tf.range(rows), sizes)
        place = tf.ragged.range(sizes).flat_values
        hashes = tf.fill(tf.shape(row), tf.constant(_SEED, tf.int64))
        rest = sizes
        for features, count in columns:
            rest //= tf.maximum(count, 1)
            digit = place // tf.gather(rest, row) % tf.gather(count, row)
            first = tf.cumsum(count, exclusive=True)
            feature = tf.gather(features, tf.gather(first, row) + digit)
            hashes = _combine(hashes, feature)
        buckets = tf.constant(most if most > 0 else _MOST, tf.uint64)
        hashes = tf.bitcast(hashes, tf.uint64) % buckets
        shape = tf.stack([rows, tf.reduce_max(tf.concat([[0], sizes], 0))])
        return [tf.stack([row, place], 1), tf.cast(hashes, tf.int64), shape]

    return Computation(_inputs(node), _OUTPUTS, compute)


def sparse_feature_cross_v2(node: Any) -> Computation:
    """An op that is in TensorFlow 2, under another name."""

    def compute(*tensors: Any) -> Any:
        indices, values, shapes, dense = _parts(node, tensors)
        return list(
            tf.raw_ops.SparseCross(
                indices=indices,
                values=values,
                shapes=shapes,
                dense_inputs=dense,
                hashed_output=node.attr["hashed_output"].b,
                num_buckets=node.attr["num_buckets"].i,
                hash_key=node.attr["hash_key"].i if "hash_key" in node.attr else 0,
                out_type=dtype_of(node, "out_type"),
                internal_type=dtype_of(node, "internal_type"),
            )
        )

    return Computation(_inputs(node), _OUTPUTS, compute)


def _inputs(node: Any) -> list[tf.TensorSpec]:
    sparse, dense = node.attr["sparse_types"].list.type, node.attr["dense_types"].list.type
    return [
        *[spec(2, tf.int64)] * len(sparse),
        *(spec(1, tf.as_dtype(dtype)) for dtype in sparse),
        *[spec(1, tf.int64)] * len(sparse),
        *(spec(2, tf.as_dtype(dtype)) for dtype in dense),
    ]


def _parts(node: Any, tensors: Sequence[tf.Tensor]) -> list[list[tf.Tensor]]:
    """The indices, the values and the shapes of the sparse inputs, and the dense inputs."""
    n = len(node.attr["sparse_types"].list.type)
    return [list(tensors[k * n : (k + 1) * n]) for k in range(3)] + [list(tensors[3 * n :])]


def _sparse_column(indices: Any, values: Any, rows: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """The features of a column, row by row, and how many each row has."""
    return _hashed(values), tf.math.bincount(indices[:, 0], None, rows, rows, tf.int64)


def _dense_column(tensor: Any) -> tuple[tf.Tensor, tf.Tensor]:
    shape = tf.shape(tensor, tf.int64)
    return _hashed(tf.reshape(tensor, [-1])), tf.fill([shape[0]], shape[1])


def _hashed(features: Any) -> Any:
    if features.dtype == tf.string:
        return tf.bitcast(tf.fingerprint(features), tf.int64)
    return features


def _combine(hashes: Any, others: Any) -> Any:
    """With signs, as TensorFlow 1 shifted to the right."""
    ten, four = tf.constant(10, tf.int64), tf.constant(4, tf.int64)
    shifted = tf.bitwise.left_shift(hashes, ten) + tf.bitwise.right_shift(hashes, four)
    return tf.bitwise.bitwise_xor(hashes, others + tf.constant(_GOLDEN, tf.int64) + shifted)
