"""Reading a module's variables from its checkpoint, without running a graph."""

from __future__ import annotations

import heapq
import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import tensorflow as tf

from compat_hub.errors import CheckpointError
from compat_hub.format.checkpoints.first_format import FirstFormat, files_of_first_format
from compat_hub.format.checkpoints.index import find_problem
from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import GraphVariant, VariableInfo
from compat_hub.sources.fresh_copy import fresh_copy
from compat_hub.sources.strange_files import strange_file
from compat_hub.tf_private import autograph_marks

_T = TypeVar("_T")
_LEAST_BYTES = 2**24  # for which one more thread pays
_MOST_THREADS = 4
_NO_PATTERN = (
    "TensorFlow takes the characters *, ? and [ in the path of a checkpoint for a pattern. Move "
    "the module to a path without them."
)


class Checkpoint:
    """A module's checkpoint, opened and found whole.

    Args:
        handle: How messages name the module.
        prefix: The checkpoint's prefix: `.../variables/variables`.
        names: What a variable is called in it, by `VariableInfo.key`, where that is another name.

    Raises:
        CheckpointError: Files of it are missing or damaged.
    """

    def __init__(
        self, handle: str, prefix: str, names: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._handle = handle
        self._prefix = prefix
        self._names = names
        folder = os.path.dirname(prefix) or os.curdir
        if not tf.io.gfile.isdir(folder):
            raise CheckpointError(
                f"Module {handle!r} has variables, and its checkpoint is missing: there is no "
                f"folder {folder}. {fresh_copy(handle)}"
            )
        self._first = self._open_first_format()
        if self._first is not None:
            self._shapes, self._dtypes = self._first.shapes, self._first.dtypes
            return
        problem = find_problem(prefix)
        if problem:
            raise self._not_opened(problem)
        try:
            # Not tf.train.load_checkpoint: on object stores it takes the prefix for a folder.
            reader = tf.compat.v1.train.NewCheckpointReader(prefix)
            self._shapes = reader.get_variable_to_shape_map()
            self._dtypes = reader.get_variable_to_dtype_map()
        except (tf.errors.OpError, IndexError, RuntimeError, TypeError, ValueError) as error:
            raise self._not_opened(error) from error

    def _open_first_format(self) -> FirstFormat | None:
        files = files_of_first_format(self._prefix)
        try:
            return FirstFormat(files) if files else None
        except (TypeError, ValueError, tf.errors.OpError) as error:
            raise self._not_opened(error) from error

    def _key(self, info: VariableInfo) -> str:
        return self._names.get(info.key, info.key)

    def has(self, info: VariableInfo) -> bool:
        """Whether the checkpoint has something of a variable's name."""
        return self._key(info) in self._shapes

    def lacks(self, info: VariableInfo) -> bool:
        """Whether the checkpoint does not have a variable.

        Raises:
            CheckpointError: It has one of that name, with another dtype or shape.
        """
        if not self.has(info):
            return True
        where = f"Module {self._handle!r}: the variable {info.name!r}"
        advice = f"The two are of different modules. {fresh_copy(self._handle)}"
        key = self._key(info)
        if self._dtypes[key] != info.dtype:
            raise CheckpointError(
                f"{where} is {info.dtype.name} in the graph and {self._dtypes[key].name} in "
                f"the checkpoint {self._prefix!r}. {advice}"
            )
        stored = self._shapes[key]
        expected = list(info.slice.full_shape) if info.slice else info.shape
        if not tf.TensorShape(stored).is_compatible_with(expected):
            raise CheckpointError(
                f"{where} has the shape {expected} in the graph and {stored} in the checkpoint "
                f"{self._prefix!r}. {advice}"
            )
        return False

    def check(self, variables: Iterable[VariableInfo]) -> None:
        """Checks that the checkpoint has variables, without reading their values.

        Raises:
            CheckpointError: It lacks one, or has it with another dtype or shape.
        """
        for info in variables:
            if self.lacks(info):
                raise CheckpointError(
                    f"Module {self._handle!r}: the variable {info.name!r} is not in the checkpoint "
                    f"{self._prefix!r} (looked for {self._key(info)!r}). Either the module was "
                    "exported from a graph variant that does not have it, and then its variant "
                    f"without tags may still work, or the copy is damaged. "
                    f"{fresh_copy(self._handle)}"
                )

    def read(self, variables: Sequence[VariableInfo]) -> dict[str, tf.Tensor]:
        """The values of variables, by `VariableInfo.name`.

        Raises:
            CheckpointError: As `check`, or the values are damaged.
        """
        self.check(variables)
        if not variables:
            return {}
        if self._first is not None:
            return {
                info.name: tf.constant(self._read_first(self._first, info)) for info in variables
            }
        try:
            return _restore(self._prefix, self._names, variables)
        except tf.errors.OpError as error:
            raise CheckpointError(
                f"Module {self._handle!r}: the checkpoint {self._prefix!r} is incomplete or "
                f"damaged: {_strange_part(self._prefix) or error.message}. "
                f"{fresh_copy(self._handle)}"
            ) from error

    def _read_first(self, first: FirstFormat, info: VariableInfo) -> np.ndarray:
        try:
            value = first.read(self._key(info))
        except (TypeError, ValueError) as error:
            raise self._not_opened(error) from error
        if info.slice is None:
            return value
        extents = zip(info.slice.offset, info.slice.shape, strict=True)
        return value[tuple(slice(start, start + size) for start, size in extents)]

    def _not_opened(self, problem: object) -> CheckpointError:
        advice = _NO_PATTERN if set("*?[") & set(self._prefix) else fresh_copy(self._handle)
        return CheckpointError(
            f"Module {self._handle!r}: the checkpoint {self._prefix!r} cannot be opened: "
            f"{_strange_part(self._prefix) or problem}. {advice}"
        )


def _strange_part(prefix: str) -> str | None:
    """What is in a checkpoint's place, where that is known."""
    for path in sorted(tf.io.gfile.glob(f"{prefix}.*"), key=lambda path: ".data-" in path):
        strange = strange_file(path)
        if strange is not None:
            return f"{path} {strange}"
    return None


def lacking_variables(spec: ModuleSpec) -> frozenset[str]:
    """The names of the variables without a value: the module's checkpoint does not have them.

    Raises:
        CheckpointError: The checkpoint is missing or damaged.
    """
    variants = spec.variants.values()
    infos = [info for variant in variants for info in variant.variables]
    prefix = spec.checkpoint_prefix
    if not infos or prefix is None:
        return frozenset()
    if may_be_without_checkpoint(prefix, variants):
        return frozenset(info.name for info in infos)
    checkpoint = Checkpoint(spec.handle, prefix, spec.checkpoint_names)
    return frozenset(info.name for info in infos if checkpoint.lacks(info))


def may_be_without_checkpoint(prefix: str, variants: Iterable[GraphVariant]) -> bool:
    """Whether there is none since the module was exported from a variant without variables."""
    return not all(v.variables for v in variants) and not tf.io.gfile.isdir(os.path.dirname(prefix))


def _restore(
    prefix: str, names: Mapping[str, str], variables: Sequence[VariableInfo]
) -> dict[str, tf.Tensor]:
    """Reads the values, of large checkpoints in some threads at once.

    Copies, checksums, and the first touch of memory take longer than the files do, and the restore
    op goes through its tensors one by one, but for very large ones.
    """
    parts = even_parts(variables, _byte_size, _LEAST_BYTES, _MOST_THREADS)
    if len(parts) == 1 or not tf.executing_eagerly():
        return _restore_part(prefix, names, variables)
    restore = autograph_marks.as_called_here(_restore_part)
    with ThreadPoolExecutor(len(parts)) as pool:
        found = list(pool.map(restore, itertools.repeat(prefix), itertools.repeat(names), parts))
    return {name: tensor for values in found for name, tensor in values.items()}


def _restore_part(
    prefix: str, names: Mapping[str, str], variables: Sequence[VariableInfo]
) -> dict[str, tf.Tensor]:
    tensors = tf.raw_ops.RestoreV2(
        prefix=prefix,
        tensor_names=[names.get(v.key, v.key) for v in variables],
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
