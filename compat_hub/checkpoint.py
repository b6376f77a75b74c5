"""Reading a module's variables from its checkpoint, without running a graph."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import tensorflow as tf

from compat_hub import _tensorflow
from compat_hub.checkpoint_index import find_problem
from compat_hub.errors import ModuleFormatError
from compat_hub.variant import VariableInfo

_T = TypeVar("_T")
_LEAST_BYTES = 2**24  # for which one more thread pays
_MOST_THREADS = 4
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
        return _restore(prefix, variables)
    except tf.errors.OpError as error:
        raise ModuleFormatError(
            f"Module {handle!r}: the checkpoint {prefix!r} is incomplete or damaged: "
            f"{error.message}. {_FRESH_COPY}"
        ) from error


def _restore(prefix: str, variables: Sequence[VariableInfo]) -> dict[str, tf.Tensor]:
    """Reads the values, of large checkpoints in some threads at once.

    Copies, checksums, and the first touch of memory take longer than the files do, and the restore
    op goes through its tensors one by one, but for very large ones.
    """
    parts = even_parts(variables, _byte_size, _LEAST_BYTES, _MOST_THREADS)
    if len(parts) == 1 or not tf.executing_eagerly():
        return _restore_part(prefix, variables)
    restore = _tensorflow.as_called_here(_restore_part)
    with ThreadPoolExecutor(len(parts)) as pool:
        found = list(pool.map(restore, itertools.repeat(prefix), parts))
    return {name: tensor for values in found for name, tensor in values.items()}


def _restore_part(prefix: str, variables: Sequence[VariableInfo]) -> dict[str, tf.Tensor]:
    tensors = tf.raw_ops.RestoreV2(
        prefix=prefix,
        tensor_names=[v.key for v in variables],
        shape_and_slices=[v.slice.spec if v.slice else "" for v in variables],
        dtypes=[v.dtype for v in variables],
    )
    return {info.name: tensor for info, tensor in zip(variables, tensors, strict=True)}


def even_parts(
    items: Sequence[_T], size: Callable[[_T], int], least: int, most_parts: int
) -> list[list[_T]]:
    """Divides items into parts of much the same size.

    Args:
        items: At least one.
        size: The size of each.
        least: The sum of sizes below which there is no second part, and so on.
        most_parts: The most parts.
    """
    sizes = {k: size(item) for k, item in enumerate(items)}
    count = max(1, min(most_parts, len(items), sum(sizes.values()) // least))
    heap = [(0, part) for part in range(count)]
    parts: list[list[_T]] = [[] for _ in heap]
    for k in sorted(sizes, key=lambda k: -sizes[k]):
        total, part = heap[0]
        heapq.heapreplace(heap, (total + sizes[k], part))
        parts[part].append(items[k])
    return [part for part in parts if part]


def _byte_size(variable: VariableInfo) -> int:
    elements = variable.shape.num_elements()
    return 0 if elements is None else elements * variable.dtype.size


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
