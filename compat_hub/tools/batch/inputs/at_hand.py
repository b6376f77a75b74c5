"""Values that are at hand as a whole: JSON, arrays, lists of images."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.errors import InputTypeError, ResolveError
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.inputs.rows_to_tensors import convert_rows, convert_whole
from compat_hub.tools.batch.inputs.sources import Batch, Source

# The column of images with the names of their files.
FILE_COLUMN = "file"


class Rows(Source):
    """A list or array of rows that is at hand, or of files that `read` turns into rows."""

    has_rows = True

    def __init__(
        self,
        label: str,
        name: str,
        info: TensorInfo,
        rows: Any,
        read: Callable[[str], np.ndarray] | None = None,
    ) -> None:
        super().__init__(label, name, rows)
        self.columns = [name if read is None else FILE_COLUMN]
        self._info = info
        self._read = read

    def count(self) -> int:
        return len(self._value)

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, len(self._value), size or max(len(self._value), 1)):
            chosen = self._value[start : start + size] if size else self._value
            rows = chosen if self._read is None else np.stack([self._read(row) for row in chosen])

            def where(k: int, start: int = start) -> str:
                return f"{self.label}, row {start + k + 1}"

            array = np.asarray(rows) if isinstance(rows, np.ndarray) else rows
            try:
                value = convert_rows(array, self.names[0], self._info, where)
            except InputTypeError as error:
                if isinstance(array, np.ndarray):
                    raise InputTypeError(str(error).replace("the rows", self.label, 1)) from error
                raise
            yield Batch(
                {self.names[0]: value}, len(rows), {name: list(chosen) for name in self.kept}
            )


class _SparseRows(Source):
    """A sparse tensor that is at hand."""

    has_rows = True

    def count(self) -> int:
        return int(self._value.dense_shape[0])

    def batches(self, size: int) -> Iterator[Batch]:
        shape = self._value.dense_shape.numpy()
        for start in range(0, self.count(), size or max(self.count(), 1)):
            rows = min(size or self.count(), self.count() - start)
            begin = [start, *(0 for _ in shape[1:])]
            value = tf.sparse.slice(self._value, begin, [rows, *shape[1:]])
            yield Batch({self.names[0]: value}, rows)


def _is_cut(info: TensorInfo, value: Any) -> bool:
    """Whether a value is cut into batches along its first dimension."""
    shape = info.get_shape()
    if shape.rank is None:
        return isinstance(value, list) or len(value.shape) > 0
    return shape.rank > 0 and shape[0] is None


def read_inline(name: str, info: TensorInfo, text: str) -> Source | None:
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise InputTypeError(f"Input {name!r}: the JSON is nested too deeply.") from error
    except ValueError:
        return None
    return _of_value(f"the JSON of input {name!r}", name, info, value)


def _of_value(label: str, name: str, info: TensorInfo, value: Any) -> Source:
    if isinstance(value, list | np.ndarray) and _is_cut(info, value):
        return Rows(label, name, info, value)
    converted = convert_whole(value, name, info, label)
    if info.is_sparse and _is_cut(info, converted):
        return _SparseRows(label, name, converted)
    return Source(label, name, converted)


def load_array(path: str) -> Any:
    with _reading_arrays(path):
        if path.endswith(".npy"):
            return np.lib.format.open_memmap(path, "r")
        if not zipfile.is_zipfile(path):  # numpy would leave it open
            raise ValueError("it is no zip file")
        return np.load(path, allow_pickle=False)


@contextlib.contextmanager
def _reading_arrays(path: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # numpy's, zipfile's, zlib's: of no one family
        is_pickled = "allow_pickle" in str(error) or "Python objects" in str(error)
        hint = " Save strings as an array of dtype 'U' or 'S'." if is_pickled else ""
        raise InputTypeError(
            f"{path!r} is not a file of arrays that can be read: {error}.{hint}"
        ) from error


def of_array_file(name: str, info: TensorInfo, path: str, key: str | None) -> Source:
    """Of a file that has all rows at hand."""
    if path.endswith(".json"):
        return _of_json(name, info, path)
    value = load_array(path)
    if path.endswith(".npz"):
        names = list(value.keys())
        chosen = key or (names[0] if len(names) == 1 else name)
        if chosen not in names:
            raise InputTypeError(
                f"{path!r}, input {name!r}: there is no array {chosen!r}, only "
                f"{', '.join(map(repr, names)) or 'none'}. Pass {name}={path}:ARRAY."
            )
        with _reading_arrays(path), value:
            value = value[chosen]
    elif key is not None:
        raise InputTypeError(f"{path!r} has one array, without a name: pass {name}={path}.")
    return _of_value(repr(path), name, info, value)


def _of_json(name: str, info: TensorInfo, path: str) -> Source:
    try:
        with open(path, encoding="utf-8-sig") as file:
            value = json.load(file)
    except OSError as error:
        raise ResolveError(f"{path!r} cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputTypeError(f"{path!r} is no JSON: {error}") from error
    return _of_value(repr(path), name, info, value)
