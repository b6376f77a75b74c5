"""The file that outputs are written to: all of it under its name, or nothing."""

from __future__ import annotations

import bz2
import contextlib
import csv
import gzip
import importlib
import itertools
import json
import lzma
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from compat_hub.errors import (
    HubError,
    InputTypeError,
    PathExistsError,
    ResolveError,
    SignatureError,
)
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.inputs.row_files import import_pyarrow
from compat_hub.tools.batch.outputs.array_files import ArrayFiles
from compat_hub.tools.batch.outputs.join_batches import Joiner, array_of, rows_of
from compat_hub.tools.batch.outputs.kept_columns import as_array, as_json, as_text
from compat_hub.tools.batch.outputs.plain_values import plain_rows

_PACKED: Mapping[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
OUTPUT_SUFFIXES = (".npz", ".npy", ".jsonl", ".csv", ".tsv", ".parquet")
# How much a part of a Parquet file has, before it is packed.
_PART_BYTES = 16 << 20

Kept = Mapping[str, list[Any]]


def check_output(
    path: str, infos: Mapping[str, TensorInfo], overwrite: bool, kept: Sequence[str] = ()
) -> None:
    """Raises where outputs cannot be written to a file, before anything is computed.

    Raises:
        InputTypeError: The file's name, or what it can hold, does not fit.
        PathExistsError: There is something at the path.
        ResolveError: There is no such folder, or a package is missing.
    """
    suffix = _suffix(path)
    if suffix not in OUTPUT_SUFFIXES or (path.endswith(tuple(_PACKED)) and not _is_text(suffix)):
        raise InputTypeError(
            f"{path!r} should end in one of {', '.join(OUTPUT_SUFFIXES)}, which says what to "
            f"write; {', '.join(_PACKED)} after .jsonl, .csv or .tsv packs it."
        )
    if os.path.isdir(path) or (os.path.lexists(path) and not overwrite):
        raise PathExistsError(
            f"There is already something at {path!r}. Remove it, choose another path, or pass "
            "--overwrite."
        )
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise ResolveError(f"{path!r} cannot be written: there is no such folder.")
    composite = [name for name, info in infos.items() if info.is_composite]
    if suffix == ".npy" and (len(infos) != 1 or composite or kept):
        raise InputTypeError(
            f"{path!r} can hold one dense output, and there are "
            f"{', '.join(map(repr, [*kept, *infos]))}. Choose one, or write to a .npz file."
        )
    if suffix in {".csv", ".tsv", ".parquet"} and composite:
        raise InputTypeError(
            f"{path!r} cannot hold output {composite[0]!r}, {infos[composite[0]]}. "
            "Write to a .npz or .jsonl file."
        )
    if suffix == ".parquet":
        import_pyarrow(repr(path))


def _suffix(path: str) -> str:
    stem, suffix = os.path.splitext(path)
    return os.path.splitext(stem)[1] if suffix in _PACKED else suffix


def _is_text(suffix: str) -> bool:
    return suffix in {".jsonl", ".csv", ".tsv"}


class OutputFile:
    """Takes the outputs of one batch after the other."""

    def add(self, outputs: Mapping[str, Any], rows: int | None, kept: Kept) -> None:
        """Writes the outputs of a batch, and the columns of the input that are kept."""
        raise NotImplementedError

    def close(self) -> None:
        """Completes the file."""
        raise NotImplementedError


@contextlib.contextmanager
def open_output(path: str, infos: Mapping[str, TensorInfo]) -> Iterator[OutputFile]:
    """A file to write outputs to. It appears under its name when the body is done.

    Args:
        path: The file to make.
        infos: The outputs.

    Yields:
        The file.

    Raises:
        ResolveError: It cannot be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = tempfile.mkdtemp(
                prefix=f".{os.path.basename(path)}.", dir=os.path.dirname(path) or "."
            )
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            temporary = os.path.join(folder, os.path.basename(path))
            suffix = _suffix(path)
            file: OutputFile
            if not _is_text(suffix):
                kind = _Parquet if suffix == ".parquet" else _Arrays
                file = kind(temporary, folder, infos, stack)
            else:
                opening = _PACKED.get(os.path.splitext(path)[1], open)
                text = stack.enter_context(opening(temporary, "wt", encoding="utf-8", newline=""))
                file = _JsonLines(text) if suffix == ".jsonl" else _Csv(text, suffix == ".tsv")
            yield file
            file.close()
            os.replace(temporary, path)
        except HubError:
            raise
        except OSError as error:
            raise ResolveError(f"{path!r} cannot be written: {error}") from error


class _Arrays(OutputFile):
    def __init__(
        self, path: str, folder: str, infos: Mapping[str, TensorInfo], stack: contextlib.ExitStack
    ) -> None:
        self._path = path
        self._file = ArrayFiles(folder, stack)
        self._joiners = {name: Joiner(name, info) for name, info in infos.items()}

    def add(self, outputs: Mapping[str, Any], rows: int | None, kept: Kept) -> None:
        self._file.append({name: as_array(values) for name, values in kept.items()})
        for name, joiner in self._joiners.items():
            self._file.append(joiner.add(outputs[name], rows))

    def close(self) -> None:
        for joiner in self._joiners.values():
            self._file.append(joiner.finish())
        write = self._file.write_npz if self._path.endswith(".npz") else self._file.write_npy
        write(self._path)


class _JsonLines(OutputFile):
    def __init__(self, file: Any) -> None:
        self._file = file

    def add(self, outputs: Mapping[str, Any], rows: int | None, kept: Kept) -> None:
        check_rows(outputs, rows)
        columns = {name: [as_json(value) for value in values] for name, values in kept.items()}
        columns |= {name: plain_rows(value) for name, value in outputs.items()}
        for row in zip(*columns.values(), strict=True):
            line = dict(zip(columns, row, strict=True))
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._file.close()


class _Csv(OutputFile):
    def __init__(self, file: Any, has_tabs: bool) -> None:
        self._file = file
        delimiter = "\t" if has_tabs else ","
        self._writer = csv.writer(file, lineterminator="\n", delimiter=delimiter)
        self._header: list[str] | None = None

    def add(self, outputs: Mapping[str, Any], rows: int | None, kept: Kept) -> None:
        check_rows(outputs, rows)
        header = list(kept)
        columns = [[[as_text(value)] for value in values] for values in kept.values()]
        for name, value in outputs.items():
            array = array_of(value)
            places = list(np.ndindex(array.shape[1:]))
            header += ["_".join([name, *map(str, place)]) for place in places]
            plain = np.empty(array.shape, object)
            plain[...] = plain_rows(value) if array.dtype.kind != "c" else array
            columns.append(plain.reshape([len(plain), len(places)]).tolist())
        if self._header is None:
            self._header = header
            check_names(header)
            self._writer.writerow(header)
        if header != self._header:
            raise SignatureError(
                "The outputs of one batch have other shapes than those of the first, and would "
                "need other columns. Write to a .jsonl file."
            )
        self._writer.writerows(map(itertools.chain.from_iterable, zip(*columns, strict=True)))

    def close(self) -> None:
        self._file.close()


class _Parquet(OutputFile):
    def __init__(
        self, path: str, folder: str, infos: Mapping[str, TensorInfo], stack: contextlib.ExitStack
    ) -> None:
        del folder, infos
        self._path = path
        self._stack = stack
        self._arrow: Any = import_pyarrow(repr(path))
        self._writer: Any = None
        self._waiting: list[Any] = []

    def add(self, outputs: Mapping[str, Any], rows: int | None, kept: Kept) -> None:
        check_rows(outputs, rows)
        columns = {name: self._kept(values) for name, values in kept.items()}
        columns |= {name: self._column(value) for name, value in outputs.items()}
        table = self._arrow.table(columns)
        if self._writer is None:
            parquet = importlib.import_module("pyarrow.parquet")
            self._writer = self._stack.enter_context(
                parquet.ParquetWriter(self._path, table.schema)
            )
            self._schema = table.schema
        try:
            self._waiting.append(table.cast(self._schema))
        except (self._arrow.ArrowInvalid, self._arrow.ArrowTypeError, ValueError) as error:
            raise SignatureError(
                f"The rows of one batch have other types or shapes than those of the first: "
                f"{error}. Write to a .jsonl file."
            ) from error
        if sum(waiting.nbytes for waiting in self._waiting) > _PART_BYTES:
            self._write()

    def close(self) -> None:
        if self._writer is not None:
            self._write()
            self._writer.close()

    def _write(self) -> None:
        if self._waiting:
            self._writer.write_table(self._arrow.concat_tables(self._waiting).combine_chunks())
        self._waiting = []

    def _kept(self, values: list[Any]) -> Any:
        try:
            return self._arrow.array(values)
        except (self._arrow.ArrowInvalid, self._arrow.ArrowTypeError, OverflowError):
            return self._arrow.array([as_text(value) for value in values])

    def _column(self, value: Any) -> Any:
        """A column of numbers or texts, or of lists of a fixed size for each further dimension."""
        array = array_of(value)
        if array.dtype.kind in "Oc":
            return self._arrow.array(plain_rows(value))
        column = self._arrow.array(array.ravel())
        for size in reversed(array.shape[1:]):
            column = self._arrow.FixedSizeListArray.from_arrays(column, size)
        return column


def check_names(names: Sequence[str]) -> None:
    """Raises where columns that are kept and outputs would have the same name.

    Raises:
        InputTypeError: They would.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputTypeError(
            f"Both a column to keep and an output would be called {twice[0]!r}. Leave the column "
            "out, or rename it."
        )


def check_rows(outputs: Mapping[str, Any], rows: int | None) -> None:
    """Raises where an output is not one value for each row.

    Raises:
        SignatureError: It is not.
    """
    found = {name: rows_of(value) for name, value in outputs.items()}
    expected = next(iter(found.values()), None) if rows is None else rows
    for name, count in found.items():
        if count is None or count != expected:
            raise SignatureError(
                f"Output {name!r} has the shape {outputs[name].shape.as_list()}, which is not one "
                f"value for each of {'the' if expected is None else expected} rows. Write to a "
                ".npz file, or leave this output out."
            )
