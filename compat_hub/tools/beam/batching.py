"""From single examples to the batches that a signature takes, and from its outputs back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from compat_hub.errors import InputTypeError, SignatureError
from compat_hub.format.inputs import bind_inputs, convert_input
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.format.variant import GraphVariant, Signature

_SparseValue = tf.compat.v1.SparseTensorValue


class Call(NamedTuple):
    """One call of a signature.

    Attributes:
        numbers: Which examples it takes.
        rows: How many rows it has; the last example may fill several.
        inputs: The inputs by name.
    """

    numbers: list[int]
    rows: int
    inputs: dict[str, Any]


class Batcher:
    """Makes batches for a signature.

    An example has what the signature's inputs have, without the first dimension: a dict by input
    name, or the one value of a signature with one input left to give.

    Args:
        variant: The variant.
        signature: One of its signatures.
        arguments: Further inputs by name, the same for all examples.

    Raises:
        InputTypeError: There is no such input.
        SignatureError: An input that has to be given has no first dimension.
    """

    def __init__(
        self, variant: GraphVariant, signature: Signature, arguments: Mapping[str, Any]
    ) -> None:
        self._where = f"{variant.where}, signature {signature.name!r}"
        self._infos = signature.inputs
        self._has_default = variant.has_default
        self._arguments = dict(arguments)
        extra = sorted(arguments.keys() - signature.inputs.keys())
        if extra:
            raise InputTypeError(
                f"In {self._where}: {', '.join(map(repr, extra))} of `arguments` is not an input. "
                f"The inputs are {', '.join(map(repr, signature.inputs)) or 'none'}."
            )
        for name, info in signature.inputs.items():
            if name not in arguments and not variant.has_default(info):
                self._check_batches(name, info)

    def check(self, example: Any) -> None:
        """Raises unless the example has all inputs, of their dtypes and shapes.

        Raises:
            InputTypeError: It has not.
        """
        row = self._bind(example)
        self._convert(self._stack([row] * (self._fixed_size(row) or 1)))

    def batches(self, examples: Sequence[Any]) -> Iterator[Call]:
        """Calls that together take all examples.

        Examples of different shapes go to different calls. Where the signature takes a fixed number
        of examples, the last one is repeated as often as needed.

        Raises:
            InputTypeError: An example does not fit.
        """
        groups: dict[Any, list[int]] = {}
        rows = []
        for number, example in enumerate(examples):
            try:
                rows.append(self._bind(example))
            except InputTypeError as error:
                raise InputTypeError(f"Example {number} of a batch: {error}") from error
            groups.setdefault(_shapes(rows[-1]), []).append(number)
        for group in groups.values():
            size = self._fixed_size(rows[group[0]]) or len(group)
            for start in range(0, len(group), size):
                chosen = group[start : start + size]
                padded = chosen + chosen[-1:] * (size - len(chosen))
                columns = self._stack([rows[k] for k in padded])
                self._convert(columns)
                yield Call(chosen, len(padded), {**columns, **self._arguments})

    def _bind(self, example: Any) -> dict[str, Any]:
        values = bind_inputs(self._infos, example, self._has_default, self._where, self._arguments)
        row = {}
        for name, value in values.items():
            if name not in self._arguments:
                self._check_batches(name, self._infos[name])
                row[name] = _plain(value, self._infos[name])
        return row

    def _stack(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {name: _stacked([row[name] for row in rows], self._infos[name]) for name in rows[0]}

    def _convert(self, columns: Mapping[str, Any]) -> None:
        for name, value in columns.items():
            convert_input(value, name, self._infos[name], self._where)

    def _fixed_size(self, row: Mapping[str, Any]) -> int | None:
        """How many examples a call takes, where the signature fixes that."""
        return next((n for name in row if (n := _first_dim(self._infos[name]))), None)

    def _check_batches(self, name: str, info: TensorInfo) -> None:
        if info.get_shape().rank == 0:
            raise SignatureError(
                f"In {self._where}: the input {name!r} is one value for a whole batch ({info}). "
                "Pass it in `arguments`."
            )


def split(value: Any, call: Call, what: str) -> list[Any]:
    """A value for each example of a call, out of an output that has one row for each.

    Args:
        value: A dense, sparse or ragged tensor with values.
        call: The call.
        what: How messages name the output.

    Returns:
        Numpy arrays or scalars; `tf.compat.v1.SparseTensorValue` for rows of a sparse tensor;
        nested lists for rows that are ragged themselves.

    Raises:
        SignatureError: The output has other rows than the inputs.
    """
    if value.shape.rank == 0 or value.shape[0] != call.rows:
        raise SignatureError(
            f"{what} has not one row for each example: a batch of {call.rows} gave the shape "
            f"{value.shape}. Ask for another output by `output_key`."
        )
    if isinstance(value, tf.RaggedTensor):
        rows: Any = value.to_list()
        if value.ragged_rank == 1:
            rows = np.split(value.values.numpy(), value.row_splits.numpy()[1:-1])
    else:
        rows = _sparse_rows(value) if isinstance(value, tf.SparseTensor) else value.numpy()
    return list(rows[: len(call.numbers)])


def _plain(value: Any, info: TensorInfo) -> Any:
    """A dense value as an array, a ragged one as nested lists; a sparse one stays."""
    if info.is_sparse:
        return value
    if isinstance(value, tf.Tensor | tf.Variable | tf.RaggedTensor):
        value = value.to_list() if isinstance(value, tf.RaggedTensor) else value.numpy()
    if info.is_composite:
        return value.tolist() if isinstance(value, np.ndarray) else value
    # numpy's own strings lose zero bytes at their end.
    return np.asarray(value, object) if info.dtype == tf.string else np.asarray(value)


def _shapes(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple((n, v.shape) for n, v in row.items() if isinstance(v, np.ndarray))


def _stacked(values: Sequence[Any], info: TensorInfo) -> Any:
    if info.is_sparse:
        tensors = [
            tf.SparseTensor.from_value(v) if isinstance(v, _SparseValue) else v for v in values
        ]
        if not all(isinstance(t, tf.SparseTensor) for t in tensors):
            return values  # which converting it refuses, with a message
        rows = [tf.sparse.expand_dims(t, 0) for t in tensors]
        return tf.sparse.concat(0, rows, expand_nonconcat_dims=True)
    return list(values) if info.is_composite else np.stack(values)


def _sparse_rows(value: tf.SparseTensor) -> list[Any]:
    ordered = tf.sparse.reorder(value)
    indices, values = ordered.indices.numpy(), ordered.values.numpy()
    shape = ordered.dense_shape.numpy()
    ends = np.searchsorted(indices[:, 0], np.arange(1, shape[0] + 1))
    starts = [0, *ends[:-1]]
    return [
        _SparseValue(indices[a:b, 1:], values[a:b], shape[1:])
        for a, b in zip(starts, ends, strict=True)
    ]


def _first_dim(info: TensorInfo) -> int | None:
    shape = info.get_shape()
    return shape[0] if shape.rank else None
