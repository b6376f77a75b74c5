"""From what a caller passes to the tensors that a signature is fed with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.errors import InputTypeError
from compat_hub.format.tensor_info import TensorInfo

_RAGGED_OR_SPARSE = (tf.SparseTensor, tf.RaggedTensor, tf.compat.v1.SparseTensorValue)


def bind_inputs(
    infos: Mapping[str, TensorInfo],
    inputs: Any,
    has_default: Callable[[TensorInfo], bool],
    where: str,
    others: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Gives each value that a caller passes the name of an input.

    Args:
        infos: The signature's inputs.
        inputs: A dict by input name, or the one value of a signature with one input left to give:
            one input in all, or one that has no default. None gives nothing.
        has_default: Whether an input may be left out.
        where: How messages name the call.
        others: Further inputs by name that are already given.

    Returns:
        The values by input name.

    Raises:
        InputTypeError: Inputs are missing or extra.
    """
    if not others and isinstance(inputs, dict) and inputs.keys() == infos.keys():
        return {name: inputs[name] for name in infos}
    others = dict(others or {})
    open_names = [name for name in infos if name not in others]
    if inputs is None:
        given = {}
    elif isinstance(inputs, Mapping):
        given = dict(inputs)
    else:
        required = [name for name in open_names if not has_default(infos[name])]
        candidates = open_names if len(open_names) == 1 else required
        if len(candidates) != 1:
            expected = f"a dict with the keys {_names(open_names)}" if open_names else "no inputs"
            raise InputTypeError(
                f"In {where}: expected {expected}, found one {type(inputs).__name__}."
            )
        given = {candidates[0]: inputs}
    clash = sorted(given.keys() & others.keys())
    if clash:
        raise InputTypeError(
            f"In {where}: the inputs {_names(clash)} are given twice, "
            "in the call and in `arguments`."
        )
    values = {**others, **given}
    extra = sorted(set(values) - set(infos), key=str)
    missing = [n for n in infos if n not in values and not has_default(infos[n])]
    if extra or missing:
        problems = []
        if missing:
            problems.append(f"missing {_names(missing)}")
        if extra:
            problems.append(f"not an input: {_names(extra)}")
        expected = ", ".join(
            f"{n!r}: {i}" + (" (optional)" if has_default(i) else "") for n, i in infos.items()
        )
        raise InputTypeError(
            f"In {where}: {'; '.join(problems)}. The inputs are {expected or 'none'}."
        )
    return {name: values[name] for name in infos if name in values}


def join_components(
    infos: Mapping[str, TensorInfo], values: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """Values by input name, from values some of which are named as after `tf.saved_model.load`.

    There a sparse input `x` is given as `x_indices`, `x_values` and `x_dense_shape`, another one
    that is made of several tensors as `x_component_0`, `x_component_1`, ...

    Raises:
        InputTypeError: Some of these are missing, or do not fit.
    """
    values = dict(values)
    for name, info in infos.items():
        labels = [k for k in _component_names(name, info) if k not in infos]
        given = [label for label in labels if label in values]
        if not given:
            continue
        missing = [label for label in labels if label not in values]
        if missing or name in values:
            found = f"{_names(given)} without {_names(missing)}" if missing else "both"
            raise InputTypeError(
                f"In {where}, input {name!r}: expected {info}, or {_names(labels)}, found {found}."
            )
        parts = [
            _to_dense(values.pop(label), label, TensorInfo(spec, (component,)), where)
            for label, spec, component in zip(
                labels, info.component_specs(), info.components, strict=True
            )
        ]
        values[name] = info.pack(parts)
    return values


def _component_names(name: str, info: TensorInfo) -> list[str]:
    if not info.is_composite:
        return []
    if info.is_sparse:
        return info.component_labels(name)
    return [f"{name}_component_{k}" for k in range(len(info.components))]


def convert_input(value: Any, name: str, info: TensorInfo, where: str) -> list[tf.Tensor]:
    """Converts a value to the component tensors of an input, checking dtype and shape.

    Args:
        value: A tensor, numpy array, list, string, variable, SparseTensor or RaggedTensor.
        name: The input's name.
        info: The input.
        where: How messages name the call.

    Raises:
        InputTypeError: The value does not convert, or has another dtype or shape.
    """
    if not info.is_composite:
        tensor = _to_dense(value, name, info, where)
        if not info.get_shape().is_compatible_with(tensor.shape):
            raise _mismatch(name, info, tensor, where, _shape_hint(tensor.shape, info))
        return [tensor]
    converted = _to_sparse(value) if info.is_sparse else _to_ragged(value, info)
    if converted is None or not info.type_spec.is_compatible_with(converted):
        raise _mismatch(name, info, value, where, _composite_hint(value, info))
    if isinstance(converted, tf.SparseTensor):
        return [converted.indices, converted.values, converted.dense_shape]
    return tf.nest.flatten(converted, expand_composites=True)


def _names(names: Any) -> str:
    return ", ".join(repr(n) for n in names)


def _mismatch(
    name: str, info: TensorInfo, found: Any, where: str, hint: str = ""
) -> InputTypeError:
    if hasattr(found, "dtype") and hasattr(found, "shape"):
        kind = {"SparseTensor": "sparse ", "RaggedTensor": "ragged "}.get(type(found).__name__, "")
        shape = tf.TensorShape(found.shape)
        dims = "of unknown rank" if shape.rank is None else shape.as_list()
        found = f"{kind}{getattr(found.dtype, 'name', found.dtype)} {dims}"
    else:
        found = f"a {type(found).__name__}"
    return InputTypeError(f"In {where}, input {name!r}: expected {info}, found {found}.{hint}")


def _to_dense(value: Any, name: str, info: TensorInfo, where: str) -> tf.Tensor:
    dtype: Any = info.dtype
    if isinstance(value, tf.Tensor) and value.dtype is dtype and tf.executing_eagerly():
        return value
    if isinstance(value, _RAGGED_OR_SPARSE):
        raise _mismatch(
            name, info, value, where, " Make it dense, with tf.sparse.to_dense() or .to_tensor()."
        )
    if isinstance(value, np.ndarray | np.generic) and not _casts_safely(value, dtype):
        raise _mismatch(
            name, info, value, where, " Convert it with .astype(), or pass values that fit."
        )
    if tf.is_tensor(value) and value.dtype.base_dtype != dtype:
        raise _mismatch(name, info, value, where, " Convert it with tf.cast().")
    if dtype.is_integer and isinstance(value, int | list | tuple):
        _check_range(value, name, info, where)
    plain: Any = value
    try:
        return tf.convert_to_tensor(plain, dtype)
    except (TypeError, ValueError, OverflowError, RuntimeError, tf.errors.OpError) as error:
        raise InputTypeError(
            f"In {where}, input {name!r}: expected {info}, found a {type(value).__name__} that "
            f"does not convert to it: {error}{_gap_hint(value, info)}"
        ) from error


def _shape_hint(found: tf.TensorShape, info: TensorInfo) -> str:
    """What does not fit in words, or what to do, as with one text, or a column."""
    declared = info.get_shape()
    if declared.rank is None or found.rank is None:
        return ""
    if found.rank == declared.rank - 1 and declared[1:].is_compatible_with(found):
        what = "a list of texts, [text]" if info.dtype == tf.string else "a batch, x[None]"
        return f" Pass {what}: the first dimension counts the examples."
    if found.rank == declared.rank + 1 and found[-1] == 1:
        return f" Drop the last dimension: tf.squeeze(x, {declared.rank})."
    if found.rank == declared.rank == 2 and None not in (found[1], declared[1]):
        what = "texts" if info.dtype == tf.string else "numbers"
        return f" The module expects {declared[1]} {what} in a row, and found {found[1]}."
    return ""


def _gap_hint(value: Any, info: TensorInfo) -> str:
    """What to do with a value in which some are missing, as in a table with gaps."""
    flat = value.ravel() if isinstance(value, np.ndarray) else tf.nest.flatten(value)
    gaps = [v for v in flat if v is None or (isinstance(v, float) and v != v)]  # noqa: PLR0124
    if not gaps or (info.dtype.is_floating and gaps[0] is not None):
        return ""
    instead = '"" for a text' if info.dtype == tf.string else "a number"
    return f" There is a {gaps[0]} in it: put something in the place of missing values, {instead}."


def _check_range(value: Any, name: str, info: TensorInfo, where: str) -> None:
    """Refuses Python numbers that do not fit: TensorFlow would take them modulo 2**32."""
    numbers = [number for number in tf.nest.flatten(value) if type(number) is int]
    wrong = [n for n in numbers if not info.dtype.min <= n <= info.dtype.max]
    if wrong:
        raise InputTypeError(
            f"In {where}, input {name!r}: expected {info}, found the number {wrong[0]}, which does "
            "not fit. Pass values that do."
        )


def _composite_hint(value: Any, info: TensorInfo) -> str:
    if getattr(value, "dtype", info.dtype) != info.dtype:
        return " Convert it with tf.cast()."
    if info.is_sparse:
        return " Make it sparse, with tf.sparse.from_dense() or .to_sparse()."
    if isinstance(info.type_spec, tf.RaggedTensorSpec):
        return " Make it ragged, with tf.ragged.constant() or tf.RaggedTensor.from_tensor()."
    return ""


def _casts_safely(value: np.ndarray | np.generic, dtype: tf.DType) -> bool:
    """Whether numpy values keep their meaning: ints may become floats, floats not ints.

    An int may become a narrower one if it fits: numpy's default is int64, that of graphs int32.
    """
    if dtype == tf.string:
        return value.dtype.kind in "OSU"
    if value.dtype.kind == "O":
        return True  # the conversion itself looks at each element
    if value.dtype.kind in "iu" and dtype.is_integer:
        return not np.size(value) or (dtype.min <= np.min(value) and np.max(value) <= dtype.max)
    return np.can_cast(value.dtype, dtype.as_numpy_dtype, "same_kind")


def _to_sparse(value: Any) -> tf.SparseTensor | None:
    if isinstance(value, tf.compat.v1.SparseTensorValue):
        return tf.SparseTensor.from_value(value)
    return value if isinstance(value, tf.SparseTensor) else None


def _to_ragged(value: Any, info: TensorInfo) -> Any:
    spec = info.type_spec
    if not isinstance(spec, tf.RaggedTensorSpec):
        return value
    if isinstance(value, list | tuple):
        try:
            value = tf.ragged.constant(
                value,
                dtype=info.dtype,
                ragged_rank=spec.ragged_rank,
                row_splits_dtype=spec.row_splits_dtype,
            )
        except (TypeError, ValueError):
            return None
    if isinstance(value, tf.RaggedTensor) and value.row_splits.dtype != spec.row_splits_dtype:
        value = value.with_row_splits_dtype(spec.row_splits_dtype)
    return value
