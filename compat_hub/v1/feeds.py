"""From a value to the arrays that a session is fed with."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.errors import InputTypeError
from compat_hub.format.tensor_info import TensorInfo

_RaggedTensorValue = tf.compat.v1.ragged.RaggedTensorValue
_COMPOSITE = (
    tf.SparseTensor,
    tf.compat.v1.SparseTensorValue,
    tf.RaggedTensor,
    _RaggedTensorValue,
)


def to_arrays(value: Any, name: str, info: TensorInfo, where: str) -> list[np.ndarray]:
    """The components of an input as arrays, checked for their dtypes and shapes.

    Args:
        value: For a dense input what numpy makes an array of; for a sparse one a
            SparseTensorValue; for a ragged one a RaggedTensorValue or nested lists. Eager tensors
            will do as well.
        name: The input's name.
        info: The input.
        where: How messages name the call.

    Returns:
        An array for each of the input's components.

    Raises:
        InputTypeError: The value is something else, or has another dtype or shape.
    """
    try:
        return _checked(_components(value, info), info)
    except (TypeError, ValueError, OverflowError, NotImplementedError) as error:
        raise InputTypeError(
            f"In {where}, input {name!r}: expected {info}, found a {type(value).__name__}: {error}."
        ) from error


def _checked(parts: list[Any], info: TensorInfo) -> list[np.ndarray]:
    specs = info.component_specs()
    if len(parts) != len(specs):
        raise ValueError(f"it has {len(parts)} components instead of {len(specs)}")
    arrays = [_to_array(part, spec) for part, spec in zip(parts, specs, strict=True)]
    if info.is_sparse and not info.get_shape().is_compatible_with(arrays[2]):
        raise ValueError(f"its dense shape is {arrays[2].tolist()}")
    return arrays


def _components(value: Any, info: TensorInfo) -> list[Any]:
    """The parts of a value, in the order of the input's components."""
    if isinstance(value, _COMPOSITE) and not info.is_composite:
        raise TypeError("pass a dense array")
    if not info.is_composite:
        return [value]
    if info.is_sparse:
        if isinstance(value, tf.SparseTensor):
            return [value.indices, value.values, value.dense_shape]
        if not isinstance(value, tuple):
            raise TypeError("pass a tf.compat.v1.SparseTensorValue(indices, values, dense_shape)")
        return list(value)
    spec = info.type_spec
    if isinstance(value, list | tuple):
        value = tf.compat.v1.ragged.constant_value(
            value, info.dtype.as_numpy_dtype, spec.ragged_rank, row_splits_dtype="int64"
        )
    if not isinstance(value, tf.RaggedTensor | _RaggedTensorValue):
        raise TypeError("pass nested lists or a tf.compat.v1.ragged.RaggedTensorValue")
    return [value.flat_values, *value.nested_row_splits]


def _to_array(value: Any, spec: tf.TensorSpec) -> np.ndarray:
    """Converts where no value changes, except that floats may get less precise.

    Raises:
        TypeError: It is of another kind.
        ValueError: It is no array, or an integer does not fit.
    """
    dtype: Any = spec.dtype
    array = np.asarray(value)
    if not _is_of_kind(array, dtype):
        raise TypeError(f"its dtype is {array.dtype}")
    converted = array.astype(object if dtype == tf.string else dtype.as_numpy_dtype)
    if dtype.is_integer and not np.array_equal(converted, array):
        raise ValueError(f"a value of it does not fit into {dtype.name}")
    if not spec.shape.is_compatible_with(converted.shape):
        raise ValueError(f"its shape is {list(converted.shape)}")
    return converted


def _is_of_kind(array: np.ndarray, dtype: tf.DType) -> bool:
    if not array.size:
        return True  # an empty list has no dtype
    if dtype == tf.string:
        return all(isinstance(v, str | bytes) for v in array.flat)
    if array.dtype.kind == "O":
        return dtype.is_integer  # large ones; of None numpy would make a float
    return np.can_cast(array.dtype, dtype.as_numpy_dtype, "same_kind")
