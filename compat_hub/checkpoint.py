"""Reading a module's variables from its checkpoint, without running a graph."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from compat_hub.checkpoint_index import find_problem
from compat_hub.errors import ModuleFormatError
from compat_hub.variant import VariableInfo

_FRESH_COPY = "Get a fresh copy of the module."
_NO_PATTERN = (
    "TensorFlow takes the characters *, ? and [ in the path of a checkpoint for a pattern. Move "
    "the module to a path without them."
)


def read_variables(
    handle: str, prefix: str, variables: Sequence[VariableInfo]
) -> dict[str, tf.Tensor]:
    """Reads the values of variables.

    Args:
        handle: How messages name the module.
        prefix: The checkpoint's prefix: `.../variables/variables`.
        variables: Which ones, and what the graph says of them.

    Returns:
        The values by `VariableInfo.name`.

    Raises:
        ModuleFormatError: The checkpoint is missing or damaged, lacks a variable, or holds it with
            another dtype or shape.
    """
    if not variables:
        return {}
    check_variables(handle, prefix, variables)
    try:
        tensors = tf.raw_ops.RestoreV2(
            prefix=prefix,
            tensor_names=[v.key for v in variables],
            shape_and_slices=[v.slice.spec if v.slice else "" for v in variables],
            dtypes=[v.dtype for v in variables],
        )
    except tf.errors.OpError as error:
        raise ModuleFormatError(
            f"Module {handle!r}: the checkpoint {prefix!r} is incomplete or damaged: "
            f"{error.message}. {_FRESH_COPY}"
        ) from error
    return {info.name: tensor for info, tensor in zip(variables, tensors, strict=True)}


def check_variables(handle: str, prefix: str, variables: Sequence[VariableInfo]) -> None:
    """Checks that a checkpoint has variables, without reading their values.

    Args:
        handle: How messages name the module.
        prefix: The checkpoint's prefix.
        variables: Which ones, and what the graph says of them.

    Raises:
        ModuleFormatError: The checkpoint is missing or damaged, lacks a variable, or holds it with
            another dtype or shape.
    """
    problem = find_problem(prefix)
    if problem:
        raise ModuleFormatError(
            f"Module {handle!r}: the checkpoint {prefix!r} cannot be opened: {problem}. "
            f"{_advice(prefix)}"
        )
    try:
        # Not tf.train.load_checkpoint: on object stores it takes the prefix for a folder.
        reader = tf.compat.v1.train.NewCheckpointReader(prefix)
        shapes = reader.get_variable_to_shape_map()
        dtypes = reader.get_variable_to_dtype_map()
    except (tf.errors.OpError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise ModuleFormatError(
            f"Module {handle!r}: the checkpoint {prefix!r} cannot be opened: {error}. "
            f"{_advice(prefix)}"
        ) from error
    for info in variables:
        _check(handle, prefix, info, shapes, dtypes)


def _advice(prefix: str) -> str:
    return _NO_PATTERN if set("*?[") & set(prefix) else _FRESH_COPY


def _check(
    handle: str,
    prefix: str,
    info: VariableInfo,
    shapes: dict[str, list[int]],
    dtypes: dict[str, tf.DType],
) -> None:
    where = f"Module {handle!r}: the variable {info.name!r}"
    if info.key not in shapes:
        raise ModuleFormatError(
            f"{where} is not in the checkpoint {prefix!r} (looked for {info.key!r}). {_FRESH_COPY}"
        )
    if dtypes[info.key] != info.dtype:
        raise ModuleFormatError(
            f"{where} is {info.dtype.name} in the graph and {dtypes[info.key].name} in the "
            f"checkpoint {prefix!r}. The two are of different modules. {_FRESH_COPY}"
        )
    stored = shapes[info.key]
    expected = list(info.slice.full_shape) if info.slice else info.shape
    if not tf.TensorShape(stored).is_compatible_with(expected):
        raise ModuleFormatError(
            f"{where} has the shape {expected} in the graph and {stored} in the checkpoint "
            f"{prefix!r}. The two are of different modules. {_FRESH_COPY}"
        )
