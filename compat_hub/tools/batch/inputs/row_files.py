"""Files with a row on each line: texts, CSV and JSON lines, read without holding them."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from compat_hub.errors import HubError, InputTypeError, ResolveError
from compat_hub.format.tensor_info import TensorInfo

ROW_SUFFIXES = (".txt", ".csv", ".jsonl")

# The number of a row's line, and the row's values by input name.
Row = tuple[int, dict[str, Any]]


def columns_of(path: str) -> list[str]:
    """The names of a CSV file's columns, or the keys of the first line of JSON lines.

    Raises:
        ResolveError: The file cannot be read.
        InputTypeError: It has no such names.
    """
    if path.endswith(".csv"):
        with _opened(path) as file:
            return _header(path, csv.reader(file, strict=True))
    if path.endswith(".jsonl"):
        for line, value in _json_lines(path):
            if isinstance(value, dict):
                return list(value)
            raise InputTypeError(
                f"{path!r}, line {line}: expected an object with the inputs by name. Where each "
                "line is a value of one input, pass NAME=FILE."
            )
        raise InputTypeError(f"{path!r} has no lines.")
    raise InputTypeError(f"{path!r} does not name the inputs it is for: pass NAME=FILE.")


def count_rows(path: str) -> int:
    """How many lines there are: where cells have line breaks, more than there are rows."""
    count, last = 0, b"\n"
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                count += block.count(b"\n")
                last = block[-1:]
    except OSError as error:
        raise ResolveError(f"{path!r} cannot be read: {error}") from error
    return count + (last != b"\n") - path.endswith(".csv")


def read_rows(
    path: str, columns: Mapping[str, Sequence[str] | None], infos: Mapping[str, TensorInfo]
) -> Iterator[Row]:
    """Reads a file row by row.

    Args:
        path: The file.
        columns: By input name, the columns or keys to take: several columns of a CSV file make a
            vector. None stands for the whole line.
        infos: The inputs.

    Yields:
        The rows.

    Raises:
        ResolveError: The file cannot be read.
        InputTypeError: A line is not as it should be; the message has its number.
    """
    if path.endswith(".csv"):
        return _csv_rows(path, columns, infos)
    if path.endswith(".jsonl"):
        return _json_rows(path, columns)
    return _text_rows(path, columns)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            yield file
    except HubError:
        raise
    except OSError as error:
        raise ResolveError(f"{path!r} cannot be read: {error}") from error


def _lines(path: str) -> Iterator[tuple[int, str]]:
    with _opened(path) as file:
        number = 0
        try:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise _no_text(path, number + 1, error) from error


def _no_text(path: str, line: int, error: UnicodeDecodeError) -> InputTypeError:
    return InputTypeError(f"{path!r}, line {line} or soon after: this is no UTF-8 text: {error}")


def _text_rows(path: str, columns: Mapping[str, Any]) -> Iterator[Row]:
    for number, line in _lines(path):
        yield number, dict.fromkeys(columns, line)


def _json_lines(path: str) -> Iterator[tuple[int, Any]]:
    for number, line in _lines(path):
        if line.strip():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputTypeError(
                    f"{path!r}, line {number}: this is no JSON: {error}"
                ) from error
            yield number, value


def _json_rows(path: str, columns: Mapping[str, Sequence[str] | None]) -> Iterator[Row]:
    for number, value in _json_lines(path):
        row = {}
        for name, keys in columns.items():
            if keys is None:
                row[name] = value
                continue
            key = keys[0]
            if not isinstance(value, dict) or key not in value:
                raise InputTypeError(
                    f"{path!r}, line {number}, input {name!r}: expected an object with the key "
                    f"{key!r}."
                )
            row[name] = value[key]
        yield number, row


def _header(path: str, reader: Any) -> list[str]:
    try:
        header = next(reader, None)
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputTypeError(f"{path!r}, line 1: {error}") from error
    if not header:
        raise InputTypeError(f"{path!r}, line 1: expected the names of the columns.")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InputTypeError(f"{path!r}, line 1: the columns {twice} are there twice.")
    return header


def _csv_rows(
    path: str, columns: Mapping[str, Sequence[str] | None], infos: Mapping[str, TensorInfo]
) -> Iterator[Row]:
    with _opened(path) as file:
        reader = csv.reader(file, strict=True)
        header = _header(path, reader)
        places: dict[str, list[int]] = {}
        for name, wanted in columns.items():
            chosen = [name] if wanted is None else wanted
            missing = [column for column in chosen if column not in header]
            if missing:
                raise InputTypeError(
                    f"{path!r}, input {name!r}: there is no column {missing[0]!r}. The columns are "
                    f"{', '.join(map(repr, header))}: pass NAME=FILE:COLUMN."
                )
            places[name] = [header.index(column) for column in chosen]
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader, None)
            except (csv.Error, UnicodeDecodeError) as error:
                raise InputTypeError(f"{path!r}, line {line}: {error}") from error
            if cells is None:
                return
            if not cells and len(header) > 1:
                continue  # an empty line
            if len(cells) != len(header):
                if cells or len(header) != 1:
                    raise InputTypeError(
                        f"{path!r}, line {line}: expected {len(header)} cells, found {len(cells)}."
                    )
                cells = [""]
            row = {}
            for name, indices in places.items():
                values = [
                    _cell(cells[k], infos[name], len(indices), f"{path!r}, line {line}", header[k])
                    for k in indices
                ]
                row[name] = values[0] if len(indices) == 1 else values
            yield line, row


def _cell(text: str, info: TensorInfo, count: int, where: str, column: str) -> Any:
    """A cell as a value of the input: JSON where a row of the input is a list."""
    rank = info.get_shape().rank
    if info.is_composite or (count == 1 and rank is not None and rank > 1):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputTypeError(
                f"{where}, column {column!r}: expected JSON for a row of {info}, found {text!r}."
            ) from error
    name = info.dtype.name
    try:
        if name == "string":
            return text
        if name == "bool":
            return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]
        if info.dtype.is_integer:
            return int(text)
        return complex(text) if info.dtype.is_complex else float(text)
    except (ValueError, KeyError) as error:
        raise InputTypeError(
            f"{where}, column {column!r}: expected {name}, found {text!r}."
        ) from error
