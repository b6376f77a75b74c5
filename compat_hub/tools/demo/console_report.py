"""What a command prints: steps, code, facts, tables and the outcomes of checks."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from compat_hub.common.words import printable

_BORDERS = 3  # characters for each column of a table, and one more


class Report:
    """Prints to the standard output: with colours on a terminal, plain text elsewhere.

    It adds nothing but ASCII, so that any terminal and any file can take it. What they cannot take
    of a path comes out as question marks.

    Attributes:
        passed: Whether all checks so far did.
        checks: Each check so far: its text, and whether it passed.
    """

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        self._console = _console()
        self._steps = 0
        self.passed = True
        self.checks: list[dict[str, Any]] = []

    @property
    def is_terminal(self) -> bool:
        """Whether a person watches."""
        return self._console.is_terminal

    @property
    def width(self) -> int:
        """How many characters a line has room for."""
        return self._console.width

    def line(self, text: str = "", style: str = "") -> None:
        """Lines, never broken in two."""
        text = "\n".join(map(printable, text.split("\n")))
        self._console.print(text, style=style, soft_wrap=True)

    def step(self, title: str) -> None:
        """A numbered heading."""
        self._steps += 1
        self.line(f"\n{self._steps}. {title}\n", "bold")

    def code(self, text: str) -> None:
        """The code that does what comes next."""
        for line in text.splitlines():
            self.line(f"    {line}", "cyan")
        self.line()

    def facts(self, facts: dict[str, str]) -> None:
        """A value for each name."""
        width = max(map(len, facts))
        for name, value in facts.items():
            self.line(f"  {name:<{width}}  {value}")

    def table(self, title: str, columns: dict[str, np.ndarray]) -> None:
        """Matrices side by side, one row of each in a line."""
        table = Table(title=title, title_justify="left", title_style="", box=box.ASCII)
        for name, values in columns.items():
            table.add_column(f"{name} {list(values.shape)}", overflow="fold")
        for row in zip(*columns.values(), strict=True):
            table.add_row(*(" ".join(f"{number:5.2f}" for number in vector) for vector in row))
        self._console.print(table)

    def rows(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table of words and numbers. No word is broken: rather, lines get long."""
        cells = [[printable(str(cell)) for cell in row] for row in (columns, *rows)]
        widths = _widths(cells, self.width)
        table = Table(box=box.ASCII)
        for column, width in zip(cells[0], widths, strict=True):
            table.add_column(column, width=width)
        for row in cells[1:]:
            table.add_row(*row)
        _console(max(self.width, _whole(widths))).print(table)

    def check(self, passed: bool, text: str) -> None:
        """One line with the outcome of a check."""
        self.passed = self.passed and passed
        self.checks.append({"check": text, "passed": passed})
        mark = Text("  ok      ", "green") if passed else Text("  FAILED  ", "bold red")
        self._console.print(mark + Text(printable(text)), soft_wrap=True)

    def summary(self) -> None:
        """The outcome of all checks."""
        if self.passed:
            self.line("\nAll checks passed.", "bold green")
        else:
            self.line("\nSome checks FAILED: see above.", "bold red")


def _console(width: int | None = None) -> Console:
    return Console(highlight=False, markup=False, emoji=False, width=width)


def _whole(widths: Sequence[int]) -> int:
    """How wide a table with such columns is."""
    return sum(widths) + _BORDERS * len(widths) + 1


def _widths(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """How wide columns are: the widest get narrower, as far as their longest words let them."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    least = [max(len(w) for cell in column for w in cell.split() or [""]) for column in columns]
    while _whole(widths) > room:
        wide = [k for k in range(len(widths)) if widths[k] > least[k]]
        if not wide:
            break
        widths[max(wide, key=widths.__getitem__)] -= 1
    return widths
