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
        self._console = Console(highlight=False, markup=False, emoji=False)
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
        """A line, never broken in two."""
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
        """A table of words and numbers."""
        table = Table(box=box.ASCII)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*map(str, row))
        self._console.print(table)

    def check(self, passed: bool, text: str) -> None:
        """One line with the outcome of a check."""
        self.passed = self.passed and passed
        self.checks.append({"check": text, "passed": passed})
        mark = Text("  ok      ", "green") if passed else Text("  FAILED  ", "bold red")
        self._console.print(mark + Text(text), soft_wrap=True)

    def summary(self) -> None:
        """The outcome of all checks."""
        if self.passed:
            self.line("\nAll checks passed.", "bold green")
        else:
            self.line("\nSome checks FAILED: see above.", "bold red")
