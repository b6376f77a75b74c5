"""Outputs of batches as the arrays that, joined, are the output of all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.errors import SignatureError
from compat_hub.format.tensor_info import TensorInfo


def array_of(tensor: Any) -> np.ndarray:
    """A tensor as an array that numpy itself can save: bfloat16 and its kin become float32."""
    array = np.asarray(tensor)
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def rows_of(value: Any) -> int | None:
    """How many rows an output has, None for a scalar."""
    if isinstance(value, tf.SparseTensor):
        return int(value.dense_shape[0])
    if isinstance(value, tf.RaggedTensor):
        return int(value.nrows())
    return value.shape[0] if value.shape.rank else None


class Joiner:
    """Makes of one output's values, batch after batch, arrays to append.

    Args:
        name: The output's name.
        info: The output.
    """

    def __init__(self, name: str, info: TensorInfo) -> None:
        self._name = name
        self._info = info
        self._first: tuple[list[int | None], int | None, Any] | None = None
        self._rows = 0
        self._last_splits: list[int] = []
        self._dense_shape: np.ndarray | None = None

    def add(self, value: Any, rows: int | None) -> dict[str, np.ndarray]:
        """What to append for a batch, by label.

        Args:
            value: The output.
            rows: How many rows the batch has, None where it is all there is.

        Raises:
            SignatureError: This cannot be joined with what came before.
        """
        found = rows_of(value)
        shape = value.shape.as_list()
        if self._first is None:
            self._first = (shape, rows, found)
        else:
            self._check(shape, found, rows)
        labels = self._info.component_labels(self._name)
        arrays = [array_of(part) for part in self._info.unpack(value)]
        if isinstance(value, tf.SparseTensor):
            arrays = self._sparse(*arrays)
            labels = labels[:2]
        elif isinstance(value, tf.RaggedTensor):
            arrays = [arrays[0], *self._splits(arrays[1:])]
        self._rows += found or 0
        return dict(zip(labels, arrays, strict=True))

    def finish(self) -> dict[str, np.ndarray]:
        """What to append at the end: the shape of a sparse output."""
        if self._dense_shape is None:
            return {}
        return {self._info.component_labels(self._name)[2]: self._dense_shape}

    def _check(self, shape: list[int | None], found: int | None, rows: int | None) -> None:
        assert self._first is not None
        before, first_rows, first_found = self._first
        if first_found != first_rows or found != rows:
            raise SignatureError(
                f"Output {self._name!r} has the shape {before} for a batch of {first_rows} rows: "
                "it is not one value for each row, and cannot be joined. Pass a batch size of 0, "
                "which calls the signature once."
            )
        if not self._info.is_composite and shape[1:] != before[1:]:
            raise SignatureError(
                f"Output {self._name!r} has the shape {shape} for one batch, and {before} for the "
                "first: these cannot be joined. Write to a .jsonl file, or pass a batch size of 0, "
                "which calls the signature once."
            )

    def _sparse(self, indices: Any, values: Any, dense_shape: Any) -> list[np.ndarray]:
        joined = dense_shape.copy()
        if self._dense_shape is not None:
            joined = np.maximum(self._dense_shape, dense_shape)
            joined[0] = self._dense_shape[0] + dense_shape[0]
        self._dense_shape = joined
        offset = np.zeros(indices.shape[1], indices.dtype)
        offset[:1] = self._rows
        return [indices + offset, values]

    def _splits(self, splits: list[np.ndarray]) -> list[np.ndarray]:
        if not self._last_splits:
            joined = splits
        else:
            joined = [s[1:] + last for s, last in zip(splits, self._last_splits, strict=True)]
        last = [int(s[-1]) for s in splits]
        previous = self._last_splits or [0] * len(splits)
        self._last_splits = [a + b for a, b in zip(previous, last, strict=True)]
        return joined
