"""The columns of a row file as the inputs of a signature."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from compat_hub.errors import InputTypeError
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.inputs.row_files import Row, RowFile
from compat_hub.tools.batch.inputs.rows_to_tensors import cell_parser, convert_rows
from compat_hub.tools.batch.inputs.sources import Batch, Source


class Table(Source):
    """The columns of a row file that inputs are made of."""

    has_rows = True

    def __init__(
        self,
        file: RowFile,
        choices: Mapping[str, list[str] | None],
        infos: Mapping[str, TensorInfo],
    ) -> None:
        super().__init__(file.label, "")
        self.names = tuple(choices)
        self.columns = list(choices) if file.columns is None else file.columns
        self._file = file
        self._choices = choices
        self._infos = infos
        self._places = {column: k for k, column in enumerate(file.columns or ())}

    def count(self) -> int | None:
        return self._file.count()

    def batches(self, size: int) -> Iterator[Batch]:
        wanted = dict.fromkeys(
            [*(column for choice in self._choices.values() for column in choice or ()), *self.kept]
        )
        rows = self._file.rows(list(wanted))
        while chosen := list(itertools.islice(rows, size or None)):

            def where(k: int, chosen: list[Row] = chosen) -> str:
                return self._file.place(chosen[k][0])

            values = {
                name: convert_rows(self._plain(name, chosen, where), name, self._infos[name], where)
                for name in self.names
            }
            yield Batch(values, len(chosen), {c: self._kept(c, chosen) for c in self.kept})

    def _plain(self, name: str, rows: list[Row], where: Callable[[int], str]) -> list[Any]:
        """The values of an input, one for each row."""
        columns = self._choices[name]
        if columns is None:
            return [row for _, row in rows]
        if not self._file.is_csv:
            try:
                if len(columns) == 1:
                    return [row[columns[0]] for _, row in rows]
                return [[row[column] for column in columns] for _, row in rows]
            except (KeyError, TypeError):
                raise self._missing_key(name, columns, rows, where) from None
        info = self._infos[name]
        parse = cell_parser(info, len(columns))
        pick = operator.itemgetter(*(self._places[column] for column in columns))
        try:
            if len(columns) == 1:
                return [parse(pick(cells)) for _, cells in rows]
            return [list(map(parse, pick(cells))) for _, cells in rows]
        except (ValueError, KeyError, RecursionError):
            raise self._bad_cell(info, columns, rows, where) from None

    def _missing_key(
        self, name: str, columns: list[str], rows: list[Row], where: Callable[[int], str]
    ) -> InputTypeError:
        k, key = next(
            (k, column)
            for k, (_, row) in enumerate(rows)
            for column in columns
            if not isinstance(row, dict) or column not in row
        )
        return InputTypeError(
            f"{where(k)}, input {name!r}: expected an object with the key {key!r}."
        )

    def _bad_cell(
        self, info: TensorInfo, columns: list[str], rows: list[Row], where: Callable[[int], str]
    ) -> InputTypeError:
        parse = cell_parser(info, len(columns))
        for k, (_, cells) in enumerate(rows):
            for column in columns:
                text = cells[self._places[column]]
                try:
                    parse(text)
                except (ValueError, KeyError, RecursionError):
                    return InputTypeError(
                        f"{where(k)}, column {column!r}: expected {parse.expected}, found {text!r}."
                    )
        raise AssertionError("a cell that did not parse parses")

    def _kept(self, column: str, rows: list[Row]) -> list[Any]:
        if self._file.columns is None:
            return [row for _, row in rows]
        if self._file.is_csv:
            return [cells[self._places[column]] for _, cells in rows]
        return [row.get(column) if isinstance(row, dict) else None for _, row in rows]
