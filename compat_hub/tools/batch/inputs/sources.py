"""Where the values of inputs come from: from arguments like `name=FILE` to batches."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from compat_hub.errors import InputTypeError, ResolveError
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.inputs.images import find_images, read_image
from compat_hub.tools.batch.inputs.row_files import ROW_SUFFIXES, columns_of, count_rows, read_rows
from compat_hub.tools.batch.inputs.rows_to_tensors import convert_rows, convert_whole

_ARRAY_SUFFIXES = (".npy", ".npz")
_FILES = (*_ARRAY_SUFFIXES, *ROW_SUFFIXES, ".json")


@dataclasses.dataclass(frozen=True)
class Batch:
    """Some rows.

    Attributes:
        values: By input name.
        rows: How many rows there are, None where the values are not cut into rows.
    """

    values: dict[str, Any]
    rows: int | None


class Source(Protocol):
    """Gives the values of one or more inputs."""

    label: str
    names: tuple[str, ...]

    def count(self) -> int | None:
        """How many rows there are, about; None where they are not to be cut."""
        ...

    def batches(self, size: int) -> Iterator[Batch]:
        """The rows, `size` at a time."""
        ...


def parse_inputs(
    arguments: Sequence[str],
    infos: Mapping[str, TensorInfo],
    image_size: Callable[[str], Sequence[int]],
) -> list[Source]:
    """Reads arguments that say where values come from.

    Args:
        arguments: `name=FILE`, `name=FILE:COLUMN`, `name=JSON`, or a file that has several inputs
            by name. One name may be given several image files, one in each argument.
        infos: The inputs.
        image_size: `[height, width]` of the images for an input, asked when one is read.

    Returns:
        The sources.

    Raises:
        ResolveError: A file cannot be read.
        InputTypeError: An argument is not as it should be.
    """
    named, tables = _named(arguments, infos)
    sources: list[Source] = []
    columns: dict[str, dict[str, Sequence[str] | None]] = {}  # by file and input
    for name, places in named.items():
        source = _inline(name, infos[name], places[0]) if len(places) == 1 else None
        source = source or _of_images(name, infos[name], places, image_size)
        if source is None and len(places) > 1:
            raise InputTypeError(f"Input {name!r} is given {len(places)} times.")
        if source is None:
            path, column = _split(places[0])
            if path.endswith(ROW_SUFFIXES):
                columns.setdefault(path, {})[name] = _columns(name, path, column)
                continue
            source = _of_file(name, infos[name], path, column)
        sources.append(source)
    taken = set(named)
    for path in tables:
        names = _inputs_in(path, infos, taken)
        taken.update(names)
        if path.endswith(ROW_SUFFIXES):
            columns.setdefault(path, {}).update({name: [name] for name in names})
        else:
            sources.extend(_of_file(name, infos[name], path, name) for name in names)
    sources.extend(_RowFile(path, chosen, infos) for path, chosen in columns.items())
    return sources


def batches_of(sources: Sequence[Source], size: int) -> Iterator[Batch]:
    """The batches of all sources side by side.

    Args:
        sources: The sources.
        size: How many rows a batch has; 0 for all of them in one.

    Yields:
        A `Batch` with the values of all inputs.

    Raises:
        InputTypeError: The sources do not have the same number of rows.
    """
    counts = [source.count() for source in sources]
    if not any(count is not None for count in counts):
        values = [next(source.batches(0)).values for source in sources]
        yield Batch({name: v for part in values for name, v in part.items()}, None)
        return
    if size == 0:
        # The whole of each, whether or not they have the same number of rows.
        parts = [
            next(source.batches(max(count or 1, 1)), None)
            for source, count in zip(sources, counts, strict=True)
        ]
        found = [part for part in parts if part is not None]
        rows = {part.rows for part in found if part.rows is not None}
        values = {name: v for part in found for name, v in part.values.items()}
        yield Batch(values, rows.pop() if len(rows) == 1 else None)
        return
    iterators = [
        source.batches(size) if count is not None else itertools.repeat(next(source.batches(0)))
        for source, count in zip(sources, counts, strict=True)
    ]
    cut = [k for k, count in enumerate(counts) if count is not None]
    done = 0
    while True:
        parts = [next(iterator, None) for iterator in iterators]
        rows = [(part.rows or 0) if (part := parts[k]) is not None else 0 for k in cut]
        if len(set(rows)) > 1:
            least, most = rows.index(min(rows)), rows.index(max(rows))
            raise InputTypeError(
                f"The inputs do not have the same number of rows: {sources[cut[least]].label} has "
                f"{done + min(rows)}, and {sources[cut[most]].label} has more."
            )
        if not rows[0]:
            return
        done += rows[0]
        values = {name: v for p in parts if p is not None for name, v in p.values.items()}
        yield Batch(values, rows[0])


def values_of(sources: Sequence[Source]) -> dict[str, Any]:
    """All of the values by input name, at once."""
    return {n: v for batch in batches_of(sources, 0) for n, v in batch.values.items()}


class _Rows:
    """A list or array of rows that is at hand."""

    def __init__(
        self, label: str, name: str, info: TensorInfo, rows: Any, read: Any = None
    ) -> None:
        self.label = label
        self.names = (name,)
        self._info = info
        self._rows = rows
        self._read = read

    def count(self) -> int:
        return len(self._rows)

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, len(self._rows), size):
            chosen = self._rows[start : start + size]
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
            yield Batch({self.names[0]: value}, len(rows))


class _SparseRows:
    """A sparse tensor that is at hand."""

    def __init__(self, label: str, name: str, value: tf.SparseTensor) -> None:
        self.label = label
        self.names = (name,)
        self._value = value
        self._shape = value.dense_shape.numpy()

    def count(self) -> int:
        return int(self._shape[0])

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, self.count(), size):
            rows = min(size, self.count() - start)
            begin = [start, *(0 for _ in self._shape[1:])]
            value = tf.sparse.slice(self._value, begin, [rows, *self._shape[1:]])
            yield Batch({self.names[0]: value}, rows)


class _Whole:
    """A value that is the same for each batch."""

    def __init__(self, label: str, name: str, value: Any) -> None:
        self.label = label
        self.names = (name,)
        self._value = value

    def count(self) -> None:
        return None

    def batches(self, size: int) -> Iterator[Batch]:
        yield Batch({self.names[0]: self._value}, None)


class _RowFile:
    """A file with a row on each line."""

    def __init__(
        self,
        path: str,
        columns: Mapping[str, Sequence[str] | None],
        infos: Mapping[str, TensorInfo],
    ) -> None:
        self.label = repr(path)
        self.names = tuple(columns)
        self._path = path
        self._columns = columns
        self._infos = infos

    def count(self) -> int:
        return count_rows(self._path)

    def batches(self, size: int) -> Iterator[Batch]:
        rows = read_rows(self._path, self._columns, self._infos)
        while chosen := list(itertools.islice(rows, size)):

            def where(k: int, lines: Sequence[int] = [line for line, _ in chosen]) -> str:
                return f"{self.label}, line {lines[k]}"

            values = {
                name: convert_rows([row[name] for _, row in chosen], name, self._infos[name], where)
                for name in self._columns
            }
            yield Batch(values, len(chosen))


def _named(
    arguments: Sequence[str], infos: Mapping[str, TensorInfo]
) -> tuple[dict[str, list[str]], list[str]]:
    """Arguments by input name, and those that are files with the inputs by name."""
    named: dict[str, list[str]] = {}
    tables = []
    for argument in arguments:
        name, sign, place = argument.partition("=")
        if sign and name in infos:
            named.setdefault(name, []).append(place)
        elif argument.endswith((".npz", *ROW_SUFFIXES)) and (not sign or os.path.exists(argument)):
            _check_file(argument)
            tables.append(argument)
        else:
            raise InputTypeError(
                f"{argument!r} names no input. Expected NAME=VALUE; the inputs are "
                f"{', '.join(f'{n!r}: {i}' for n, i in infos.items()) or 'none'}."
            )
    return named, tables


def _inputs_in(path: str, infos: Mapping[str, TensorInfo], taken: set[str]) -> list[str]:
    """The inputs that a file has by name."""
    if path.endswith(ROW_SUFFIXES):
        found = columns_of(path)
    else:
        with _load_array(path) as arrays:
            found = list(arrays.keys())
    names = [name for name in infos if name in found and name not in taken]
    if not names:
        raise InputTypeError(
            f"{path!r} has {', '.join(map(repr, found))}, and none of the inputs that are left, "
            f"{', '.join(repr(n) for n in infos if n not in taken)}. Pass NAME=FILE:COLUMN."
        )
    return names


def _is_cut(info: TensorInfo, value: Any) -> bool:
    """Whether a value is cut into batches along its first dimension."""
    shape = info.get_shape()
    if shape.rank is None:
        return isinstance(value, list) or len(value.shape) > 0
    return shape.rank > 0 and shape[0] is None


def _of_images(
    name: str, info: TensorInfo, places: Sequence[str], image_size: Callable[[str], Sequence[int]]
) -> Source | None:
    found = [find_images(place) for place in places]
    if any(paths is None for paths in found):
        return None
    paths = [path for part in found for path in part or ()]
    label = f"the {len(paths)} images of input {name!r}"

    @functools.cache
    def size() -> Sequence[int] | None:
        return None if info.dtype == tf.string else image_size(name)

    return _Rows(label, name, info, paths, lambda path: read_image(path, name, info, size()))


def _inline(name: str, info: TensorInfo, text: str) -> Source | None:
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise InputTypeError(f"Input {name!r}: the JSON is nested too deeply.") from error
    except ValueError:
        return None
    return _of_value(f"the JSON of input {name!r}", name, info, value)


def _of_value(label: str, name: str, info: TensorInfo, value: Any) -> Source:
    if isinstance(value, list | np.ndarray) and _is_cut(info, value):
        return _Rows(label, name, info, value)
    converted = convert_whole(value, name, info, label)
    if info.is_sparse and _is_cut(info, converted):
        return _SparseRows(label, name, converted)
    return _Whole(label, name, converted)


def _split(place: str) -> tuple[str, str | None]:
    """`FILE:COLUMN` as its parts."""
    path, sign, column = place.rpartition(":")
    if not sign or place.endswith(_FILES) or os.path.exists(place):
        path, column = place, None
    _check_file(path)
    return path, column


def _check_file(path: str) -> None:
    if not path.endswith(_FILES):
        raise InputTypeError(
            f"{path!r} is neither JSON nor a file that can be read here: one of images, "
            f"{', '.join(_FILES)}. Texts are JSON in quotes: '[\"a text\"]'."
        )
    if not os.path.isfile(path):
        raise ResolveError(f"There is no file {path!r}. Check the path.")


def _columns(name: str, path: str, column: str | None) -> list[str] | None:
    if path.endswith(".txt"):
        if column is not None:
            raise InputTypeError(f"{path!r} has no columns: pass {name}={path}.")
        return None
    if path.endswith(".csv"):
        return [name] if column is None else column.split(",")
    if column is not None:
        return [column]
    return [name] if name in _keys(path) else None


def _keys(path: str) -> list[str]:
    try:
        return columns_of(path)
    except InputTypeError:
        return []  # the lines are no objects, or no JSON: reading them will say


def _load_array(path: str) -> Any:
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


def _of_file(name: str, info: TensorInfo, path: str, key: str | None) -> Source:
    """Of a file that has all rows at hand."""
    if path.endswith(".json"):
        return _of_json(name, info, path)
    value = _load_array(path)
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
