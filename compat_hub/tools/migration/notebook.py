"""A notebook as one program of Python, and back."""

from __future__ import annotations

import json
import re
from typing import Any

# Lines of IPython that are no Python: magics, commands of the shell, questions for help.
_LINE = re.compile(r"\s*(?:[%!?].*|[\w.]+\?{1,2}\s*)$")
_ASSIGNED = re.compile(r"(?P<head>\s*[\w, ]+=\s*)[%!].*$")
# Magics of a cell after which it is Python as any other.
_PYTHON = re.compile(r"%%(?:time|timeit|capture|prun)\b")
_CELL = "# compat_hub migrates cell "
_MAGIC = "# compat_hub keeps line "


class NotebookError(Exception):
    """Why a file is no notebook."""


class Notebook:
    """A notebook, whose cells of code see each other's names."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        try:
            self._notebook: dict[str, Any] = json.loads(content)
            cells = [
                (number, cell, "".join(cell["source"]))
                for number, cell in enumerate(self._notebook["cells"], 1)
                if cell["cell_type"] == "code"
            ]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise NotebookError(f"This is no notebook of version 4: {error!r}") from error
        self._cells = {number: cell for number, cell, _ in cells}
        self._kept: list[str] = []
        self._places: list[tuple[int, int]] = []
        lines: list[str] = []
        for number, _, source in cells:
            if source.startswith("%%") and not _PYTHON.match(source):
                continue
            lines.append(f"{_CELL}{number}")
            self._places.append((number, 0))
            for k, line in enumerate(source.split("\n"), 1):
                lines.append(self._as_python(line))
                self._places.append((number, k))
        self.code = "\n".join([*lines, ""])

    def place(self, line: int) -> tuple[int, int]:
        """The number of the cell, and of the line in it, of a line of `code`."""
        return self._places[line - 1]

    def with_code(self, code: str) -> bytes:
        """The notebook with other code in its cells."""
        number, lines = 0, []
        for line in [*code.removesuffix("\n").split("\n"), f"{_CELL}0"]:
            if not line.startswith(_CELL):
                lines.append(self._as_before(line))
                continue
            if number:
                cell = self._cells[number]
                source = "\n".join(lines)
                as_list = isinstance(cell["source"], list)
                if source != "".join(cell["source"]):
                    cell["source"] = source.splitlines(keepends=True) if as_list else source
            number, lines = int(line.removeprefix(_CELL)), []
        indent = re.match(rb"\{\r?\n( +|\t+)", self._content)
        text = json.dumps(
            self._notebook,
            ensure_ascii=False,
            indent=None if indent is None else indent[1].decode(),
        )
        return (text + ("\n" if self._content.endswith(b"\n") else "")).encode()

    def _as_python(self, line: str) -> str:
        assigned = _ASSIGNED.match(line)
        if assigned is None and not _LINE.match(line):
            return line
        self._kept.append(line)
        indent = line[: len(line) - len(line.lstrip())]
        head = f"{indent}pass" if assigned is None else f"{assigned['head']}None"
        return f"{head}  {_MAGIC}{len(self._kept) - 1}"

    def _as_before(self, line: str) -> str:
        _, found, number = line.rpartition(_MAGIC)
        return self._kept[int(number)] if found else line
