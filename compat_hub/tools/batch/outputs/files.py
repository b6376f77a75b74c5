"""The file that outputs are written to: all of it under its name, or nothing."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from compat_hub.errors import (
    HubError,
    InputTypeError,
    PathExistsError,
    ResolveError,
    SignatureError,
)
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.outputs.array_files import NpyFile, NpzFile
from compat_hub.tools.batch.outputs.join_batches import Joiner, array_of, rows_of
from compat_hub.tools.batch.outputs.plain_values import plain_rows

OUTPUT_SUFFIXES = (".npz", ".npy", ".jsonl", ".csv")


class OutputFile(Protocol):
    """Takes the outputs of one batch after the other."""

    def add(self, outputs: Mapping[str, Any], rows: int | None) -> None:
        """Writes the outputs of a batch."""
        ...

    def close(self) -> None:
        """Completes the file."""
        ...


def check_output(path: str, infos: Mapping[str, TensorInfo], overwrite: bool) -> None:
    """Raises where outputs cannot be written to a file, before anything is computed.

    Raises:
        InputTypeError: The file's name, or what it can hold, does not fit.
        PathExistsError: There is something at the path.
        ResolveError: There is no such folder.
    """
    if not path.endswith(OUTPUT_SUFFIXES):
        raise InputTypeError(
            f"{path!r} should end in one of {', '.join(OUTPUT_SUFFIXES)}, which says what to write."
        )
    if os.path.isdir(path) or (os.path.lexists(path) and not overwrite):
        raise PathExistsError(
            f"There is already something at {path!r}. Remove it, choose another path, or pass "
            "--overwrite."
        )
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise ResolveError(f"{path!r} cannot be written: there is no such folder.")
    composite = [name for name, info in infos.items() if info.is_composite]
    if path.endswith(".npy") and (len(infos) != 1 or composite):
        raise InputTypeError(
            f"{path!r} can hold one dense output, and there are {', '.join(map(repr, infos))}. "
            "Choose one, or write to a .npz file."
        )
    if path.endswith(".csv") and composite:
        raise InputTypeError(
            f"{path!r} cannot hold output {composite[0]!r}, {infos[composite[0]]}. "
            "Write to a .npz or .jsonl file."
        )


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
            file: OutputFile
            if path.endswith((".npz", ".npy")):
                file = _Arrays(temporary, folder, infos, stack)
            elif path.endswith(".jsonl"):
                file = _JsonLines(temporary, stack)
            else:
                file = _Csv(temporary, stack)
            yield file
            file.close()
            os.replace(temporary, path)
        except HubError:
            raise
        except OSError as error:
            raise ResolveError(f"{path!r} cannot be written: {error}") from error


class _Arrays:
    def __init__(
        self,
        path: str,
        folder: str,
        infos: Mapping[str, TensorInfo],
        stack: contextlib.ExitStack,
    ) -> None:
        is_zip = path.endswith(".npz")
        self._file = NpzFile(path, folder, stack) if is_zip else NpyFile(path, stack)
        self._joiners = {name: Joiner(name, info) for name, info in infos.items()}

    def add(self, outputs: Mapping[str, Any], rows: int | None) -> None:
        for name, joiner in self._joiners.items():
            self._file.append(joiner.add(outputs[name], rows))

    def close(self) -> None:
        for joiner in self._joiners.values():
            rest = joiner.finish()
            if rest:
                self._file.append(rest)
        self._file.close()


class _JsonLines:
    def __init__(self, path: str, stack: contextlib.ExitStack) -> None:
        self._file = stack.enter_context(open(path, "w", encoding="utf-8"))  # noqa: SIM115

    def add(self, outputs: Mapping[str, Any], rows: int | None) -> None:
        check_rows(outputs, rows)
        columns = {name: plain_rows(value) for name, value in outputs.items()}
        for row in zip(*columns.values(), strict=True):
            line = dict(zip(columns, row, strict=True))
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._file.close()


class _Csv:
    def __init__(self, path: str, stack: contextlib.ExitStack) -> None:
        file = open(path, "w", encoding="utf-8", newline="")  # noqa: SIM115
        self._file = stack.enter_context(file)
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._header: list[str] | None = None

    def add(self, outputs: Mapping[str, Any], rows: int | None) -> None:
        check_rows(outputs, rows)
        header, columns = [], []
        for name, value in outputs.items():
            array = array_of(value)
            places = list(np.ndindex(array.shape[1:]))
            header += ["_".join([name, *map(str, place)]) for place in places]
            plain = np.empty(array.shape, object)
            plain[...] = plain_rows(value) if array.dtype.kind != "c" else array
            columns.append(plain.reshape([len(plain), len(places)]))
        if self._header is None:
            self._header = header
            self._writer.writerow(header)
        if header != self._header:
            raise SignatureError(
                "The outputs of one batch have other shapes than those of the first, and would "
                "need other columns. Write to a .jsonl file."
            )
        self._writer.writerows(np.concatenate(columns, axis=1).tolist() if columns else [])

    def close(self) -> None:
        self._file.close()


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
