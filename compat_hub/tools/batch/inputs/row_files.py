"""Files with a row on each line or in each record, read without holding them.

CSV is read by Python's `csv`, which knows the line of each row, gives strings as they are and is no
slower here than pandas with strings: 0.2 s of 22 s for 100,000 rows of 7 numbers. Parquet, and what
is packed by Zstandard, is read by pyarrow.
"""

from __future__ import annotations

import bz2
import codecs
import contextlib
import csv
import dataclasses
import gzip
import importlib
import io
import json
import lzma
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from compat_hub.common.extras import install_command
from compat_hub.errors import HubError, InputTypeError, ResolveError

STDIN = "-"
FORMATS = ("csv", "tsv", "txt", "jsonl", "parquet")
ROW_SUFFIXES = tuple(f".{name}" for name in FORMATS)
PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
# Bytes that are no text, as the error handler "surrogateescape" has them.
_NO_TEXT = re.compile("[\udc80-\udcff]")
_READ_AT_ONCE = 1024

# A line's number, and what it has: the cells of CSV, a JSON value, a dict or a text.
Row = tuple[int, Any]


@dataclasses.dataclass(frozen=True)
class Reading:
    """How row files are read, as far as their names do not say.

    Attributes:
        format: One of `FORMATS`, for the standard input and files whose suffix says nothing.
        delimiter: What stands between the cells of CSV files.
        encoding: That of text.
    """

    format: str | None = None
    delimiter: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise InputTypeError(f"The delimiter should be one character, found {self.delimiter!r}")
        try:
            "".encode(self.codec)
        except LookupError as error:
            raise InputTypeError(
                f"There is no encoding {self.encoding!r}. Pass one that Python knows, such as "
                "utf-8, cp1252, latin-1, utf-16 or shift_jis."
            ) from error

    @property
    def codec(self) -> str:
        """The encoding; with UTF-8 a byte order mark is left out."""
        name = codecs.lookup(self.encoding or "utf-8").name
        return "utf-8-sig" if name == "utf-8" else name


def format_of(path: str, reading: Reading) -> str | None:
    """Which of `FORMATS` a file has; None for a file that has no rows."""
    name = path.lower()
    for suffix in PACKED_SUFFIXES:
        name = name.removesuffix(suffix)
    suffix = os.path.splitext(name)[1]
    return suffix[1:] if suffix in ROW_SUFFIXES else reading.format


class RowFile:
    """A file whose header is read, and whose rows are to be read once.

    Attributes:
        label: How messages name it.
        format: One of `FORMATS`.
        unit: What messages count: lines, or rows where the file has no lines.
        columns: Names of columns; the keys of the first object of JSON lines. None where there are
            no names.
    """

    def __init__(self, path: str, reading: Reading) -> None:
        self.path = path
        self.label = "the standard input" if path == STDIN else repr(path)
        name = format_of(path, reading)
        if name is None:
            raise InputTypeError(
                f"{self.label} does not say what it has. Pass --format, one of "
                f"{', '.join(FORMATS)}."
            )
        self.format = name
        self.unit = "row" if name == "parquet" else "line"
        self._reading = reading
        self.columns: list[str] | None = None
        self._first: list[Row] = []
        with self._errors():
            if name == "parquet":
                self._parquet = self._open_parquet()
                self.columns = list(self._parquet.schema_arrow.names)
                return
            self._lines = self._numbered_lines()
            if self.is_csv:
                self._open_csv()
            elif name == "jsonl":
                self._rows = self._json_rows()
                self._first = [row for row in [next(self._rows, None)] if row is not None]
                if self._first and isinstance(self._first[0][1], dict):
                    self.columns = list(self._first[0][1])

    def count(self) -> int | None:
        """How many rows there are, about: CSV has fewer where cells have line breaks."""
        if self.format == "parquet":
            return self._parquet.metadata.num_rows
        if self.path == STDIN or self.path.lower().endswith(PACKED_SUFFIXES):
            return None
        count, last = 0, b"\n"
        with self._errors(), open(self.path, "rb") as file:
            while block := file.read(1 << 20):
                count, last = count + block.count(b"\n"), block[-1:]
        return count + (last != b"\n") - self.is_csv

    def rows(self, wanted: Sequence[str]) -> Iterator[Row]:
        """The rows. Those of a Parquet file have the wanted columns alone."""
        with self._errors():
            if self.format == "parquet":
                yield from self._parquet_rows(wanted)
            elif self.is_csv:
                yield from self._csv_rows()
            elif self.format == "jsonl":
                yield from self._first
                yield from self._rows
            else:
                yield from self._lines

    @property
    def is_csv(self) -> bool:
        """Whether rows are cells of text."""
        return self.format in {"csv", "tsv"}

    def place(self, number: int) -> str:
        """How messages name a row."""
        return f"{self.label}, {self.unit} {number}"

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except HubError:
            raise
        except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
            raise ResolveError(f"{self.label} cannot be read: {error}") from error

    def _open(self) -> BinaryIO:
        path: Any = sys.stdin.buffer if self.path == STDIN else self.path
        suffix = os.path.splitext(self.path)[1].lower()
        opening: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(suffix)
        if self.path == STDIN:
            return path
        if suffix == ".zip":
            archive = zipfile.ZipFile(path)
            names = archive.namelist()
            if len(names) != 1:
                raise InputTypeError(
                    f"{self.label} should have one file in it, found {len(names)}. Unpack it."
                )
            return archive.open(names[0])  # type: ignore[return-value]
        if suffix == ".zst":
            return import_pyarrow(self.label).input_stream(path, compression="zstd")
        return (opening or open)(path, "rb")

    def _numbered_lines(self) -> Iterator[Row]:
        codec = self._reading.codec
        number = 0
        with self._open() as binary:
            text = io.TextIOWrapper(binary, codec, "surrogateescape", newline="")
            try:
                for number, line in enumerate(text, 1):
                    if not line.isascii() and (match := _NO_TEXT.search(line)):
                        byte = ord(match[0]) - 0xDC00
                        raise self._no_text(
                            number, f"the byte 0x{byte:x} after {line[: match.start()][-20:]!r}"
                        )
                    yield number, line.rstrip("\r\n") if self.format == "txt" else line
            except UnicodeError as error:
                raise self._no_text(number + 1, str(error)) from error

    def _no_text(self, line: int, reason: str) -> InputTypeError:
        codec = self._reading.codec.removesuffix("-sig")
        return InputTypeError(
            f"{self.label}, line {line}: this is no text in {codec}: {reason}. Pass the encoding "
            "that the file has, such as --encoding cp1252 for files of Windows in Western Europe, "
            "or --encoding utf-16."
        )

    def _json_rows(self) -> Iterator[Row]:
        for number, line in self._lines:
            if line.strip():
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise InputTypeError(
                        f"{self.place(number)}: this is no JSON: {error}"
                    ) from error
                yield number, value

    def _open_csv(self) -> None:
        self._delimiter = self._reading.delimiter or ("\t" if self.format == "tsv" else ",")
        lines = (line for _, line in self._lines)
        self._reader = csv.reader(lines, strict=True, delimiter=self._delimiter)
        header = self._next_cells()
        if not header:
            raise InputTypeError(f"{self.label}, line 1: expected the names of the columns.")
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise InputTypeError(f"{self.label}, line 1: the columns {twice} are there twice.")
        self.columns = header

    def delimiter_hint(self) -> str:
        """What to pass where the header looks like one of another delimiter."""
        if self.is_csv and self.columns and len(self.columns) == 1:
            for other in ";\t,|":
                if other in self.columns[0]:
                    return f" If {other!r} stands between the cells, pass --delimiter {other!r}."
        return ""

    def _next_cells(self) -> list[str] | None:
        line = self._reader.line_num + 1
        try:
            return next(self._reader, None)
        except csv.Error as error:
            raise InputTypeError(f"{self.label}, line {line}: {error}.") from error

    def _csv_rows(self) -> Iterator[Row]:
        width = len(self.columns or ())
        while True:
            line = self._reader.line_num + 1
            cells = self._next_cells()
            if cells is None:
                return
            if len(cells) != width:
                if not cells and width > 1:
                    continue  # an empty line
                if cells:
                    raise InputTypeError(
                        f"{self.place(line)}: expected {width} cells, found {len(cells)}."
                    )
                cells = [""]
            yield line, cells

    def _open_parquet(self) -> Any:
        pyarrow = import_pyarrow(self.label)
        source = pyarrow.BufferReader(sys.stdin.buffer.read()) if self.path == STDIN else self.path
        try:
            return importlib.import_module("pyarrow.parquet").ParquetFile(source)
        except pyarrow.ArrowInvalid as error:
            raise InputTypeError(f"{self.label} is no Parquet file: {error}") from error

    def _parquet_rows(self, wanted: Sequence[str]) -> Iterator[Row]:
        number = 0
        for batch in self._parquet.iter_batches(_READ_AT_ONCE, columns=list(wanted)):
            names, columns = batch.schema.names, [column.to_pylist() for column in batch.columns]
            for values in zip(*columns, strict=True):
                number += 1
                yield number, dict(zip(names, values, strict=True))


def import_pyarrow(label: str) -> Any:
    """The module `pyarrow`.

    Raises:
        ResolveError: It is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415
    except ImportError as error:
        raise ResolveError(f"{label} needs pyarrow: {install_command('tables')}") from error
    return pyarrow
