"""Outputs as plain values: numbers, strings and lists, for JSON and CSV."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.tools.batch.outputs.join_batches import array_of


def plain_rows(value: Any) -> list[Any]:
    """A plain value for each row of an output.

    Numbers have as many digits as their dtype tells apart, and are None where they are not finite.
    Strings that are no UTF-8 have backslashes. A sparse row is a dict of `indices`, `values` and
    `dense_shape`, as inputs are.
    """
    if isinstance(value, tf.SparseTensor):
        indices, values = value.indices.numpy(), array_of(value.values)
        shape = [int(size) for size in value.dense_shape[1:]]
        chosen = [np.flatnonzero(indices[:, 0] == k) for k in range(int(value.dense_shape[0]))]
        return [
            {
                "indices": indices[rows, 1:].tolist(),
                "values": _plain(values[rows]),
                "dense_shape": shape,
            }
            for rows in chosen
        ]
    if isinstance(value, tf.RaggedTensor):
        return _cleaned(value.to_list(), value.dtype)
    return _plain(array_of(value))


def plain_value(value: Any) -> Any:
    """A plain value for an output that has no rows."""
    if isinstance(value, tf.SparseTensor):
        return {
            "indices": value.indices.numpy().tolist(),
            "values": _plain(array_of(value.values)),
            "dense_shape": value.dense_shape.numpy().tolist(),
        }
    return plain_rows(value)


def _plain(array: np.ndarray) -> Any:
    if array.dtype.kind == "c":
        array = np.stack([array.real, array.imag], axis=-1)
    if array.dtype.kind == "f":
        # By way of text: the shortest that tells a float32 apart, as numpy prints it.
        numbers = array.astype(str).astype(np.float64) if array.dtype.itemsize < 8 else array
        finite = np.isfinite(array)
        return (numbers if finite.all() else np.where(finite, numbers, np.array(None))).tolist()
    if array.dtype.kind == "O":
        return _cleaned(array.tolist(), tf.string)
    return array.tolist()


def _cleaned(value: Any, dtype: tf.DType) -> Any:
    if isinstance(value, list):
        return [_cleaned(element, dtype) for element in value]
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if dtype.is_complex:
        return [value.real, value.imag]
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return value if dtype == tf.float64 else float(str(np.float32(value)))
    return value
