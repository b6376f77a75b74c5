"""From rows of plain values to the tensors of an input, with care for dtypes."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.errors import InputTypeError
from compat_hub.format.inputs import convert_input
from compat_hub.format.tensor_info import TensorInfo

_SPARSE_KEYS = {"indices", "values", "dense_shape"}


def convert_rows(
    rows: Sequence[Any] | np.ndarray,
    name: str,
    info: TensorInfo,
    where: Callable[[int], str],
) -> Any:
    """Makes a batch of rows.

    Args:
        rows: A number, string or nested list each. For a sparse input a dict with `indices`,
            `values` and `dense_shape` of the row. An array is taken as it is.
        name: The input's name.
        info: The input.
        where: How messages name the row of a number.

    Returns:
        A tensor, `tf.SparseTensor` or `tf.RaggedTensor`.

    Raises:
        InputTypeError: A row does not fit; the message says which.
    """
    try:
        return _convert(rows, name, info)
    except InputTypeError as error:
        if isinstance(rows, np.ndarray):
            raise
        reason = error
    shapes = []
    for k, row in enumerate(rows):
        try:
            shapes.append(_convert([row], name, info).shape[1:])
        except InputTypeError as error:
            raise InputTypeError(
                f"{where(k)}, input {name!r}: expected a row of {info}{_shape_hint(info)}, "
                f"found {_short(row)}{_count_hint(row, info)}."
            ) from error
        if not info.is_composite and shapes[-1] != shapes[0]:
            raise InputTypeError(
                f"{where(k)}, input {name!r}: expected the shape {shapes[0].as_list()} that the "
                f"rows before it have, found {shapes[-1].as_list()}."
            )
    raise reason


@dataclasses.dataclass(frozen=True)
class CellParser:
    """Makes a value of the text in a cell.

    Attributes:
        expected: How messages say what a cell should have.
        parse: The function. It raises ValueError, KeyError or RecursionError.
    """

    expected: str
    parse: Callable[[str], Any]

    def __call__(self, text: str) -> Any:
        return self.parse(text)


def cell_parser(info: TensorInfo, columns: int) -> CellParser:
    """What reads the cells of an input that is made of so many columns.

    A cell is JSON where one column has rows with dimensions.
    """
    dtype = info.dtype
    rank = info.get_shape().rank
    parse: Callable[[str], Any] = float
    if dtype == tf.string:
        parse = str
    elif dtype == tf.bool:
        parse = _parse_bool
    elif dtype.is_integer:
        parse = int
    elif dtype.is_complex:
        parse = complex
    if not info.is_composite and (columns > 1 or rank is None or rank <= 1):
        return CellParser(dtype.name, parse)
    if not info.is_composite and rank == 2 and info.get_shape()[1] == 1:
        return CellParser(
            dtype.name, lambda t: json.loads(t) if t.lstrip().startswith("[") else [parse(t)]
        )
    return CellParser(f"JSON for a row of {info}", json.loads)


def _parse_bool(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]


def convert_whole(value: Any, name: str, info: TensorInfo, where: str) -> Any:
    """Makes the value of an input, which is not cut into rows.

    Raises:
        InputTypeError: It does not fit.
    """
    if info.is_sparse and isinstance(value, Mapping):
        value = _sparse(value, name, info, where)
    return info.pack(convert_input(value, name, info, where))


def _convert(rows: Any, name: str, info: TensorInfo) -> Any:
    where = "the rows"
    if not info.is_sparse and not isinstance(rows, np.ndarray):
        _check_leaves(rows, name, info)
    if info.is_sparse and not isinstance(rows, np.ndarray):
        if not all(isinstance(row, Mapping) for row in rows):
            raise _no_sparse(rows, name, info, where)
        parts = [tf.sparse.expand_dims(_sparse(row, name, info, where), 0) for row in rows]
        try:
            rows = tf.sparse.concat(0, parts, expand_nonconcat_dims=True)
        except (ValueError, tf.errors.OpError) as error:
            raise _no_sparse(rows, name, info, where) from error
    return info.pack(convert_input(rows, name, info, where))


def _sparse(value: Mapping[str, Any], name: str, info: TensorInfo, where: str) -> tf.SparseTensor:
    if set(value) != _SPARSE_KEYS:
        raise _no_sparse(value, name, info, where)
    try:
        shape = np.asarray(value["dense_shape"], np.int64).reshape([-1])
        indices = np.asarray(value["indices"], np.int64).reshape([-1, len(shape)])
        _check_leaves(value["values"], name, info)
        values = tf.convert_to_tensor(value["values"], info.dtype)
        if ((indices < 0) | (indices >= shape)).any():
            raise ValueError("an index is outside of dense_shape")
        return tf.sparse.reorder(tf.SparseTensor(indices, values, shape))
    except (TypeError, ValueError, OverflowError, tf.errors.OpError) as error:
        raise _no_sparse(value, name, info, where) from error


def _fits(numbers: Sequence[Any], dtype: tf.DType) -> bool:
    if dtype.is_complex:
        return True
    kind = float if dtype.is_floating else int
    least, greatest = kind(dtype.min), kind(dtype.max)
    ends = (min(numbers), max(numbers))
    return all(not math.isfinite(end) or least <= end <= greatest for end in ends)


def _shape_hint(info: TensorInfo) -> str:
    hint = ', as {"indices": [[...], ...], "values": [...], "dense_shape": [...]}'
    return hint if info.is_sparse else ""


def _count_hint(row: Any, info: TensorInfo) -> str:
    shape = info.get_shape()
    if info.is_composite or shape.rank != 2 or not isinstance(row, list):
        return ""
    return "" if shape[1] in {None, len(row)} else f": {len(row)} values and not {shape[1]}"


def _check_leaves(value: Any, name: str, info: TensorInfo) -> None:
    """Raises where a value is of another kind, or too large: TensorFlow would wrap it around."""
    dtype = info.dtype
    allowed: set[type] = {int, float}
    if dtype in {tf.string, tf.bool}:
        allowed = {str, bytes} if dtype == tf.string else {bool}
    elif dtype.is_integer:
        allowed = {int}
    elif dtype.is_complex:
        allowed = {int, float, complex}
    leaves = value if isinstance(value, list | tuple) else [value]
    while (kinds := set(map(type, leaves))) and kinds <= {list, tuple}:
        leaves = list(itertools.chain.from_iterable(leaves))
    if not kinds <= allowed:
        raise InputTypeError(f"Input {name!r}: expected {info}, found {_short(value)}.")
    if kinds & {int, float} and not _fits(leaves, dtype):
        raise InputTypeError(f"Input {name!r}: {_short(value)} is too large for {info}.")


def _no_sparse(value: Any, name: str, info: TensorInfo, where: str) -> InputTypeError:
    return InputTypeError(
        f"In {where}, input {name!r}: expected {info}, as "
        '{"indices": [[...], ...], "values": [...], "dense_shape": [...]}, '
        f"found {_short(value)}."
    )


def _short(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
