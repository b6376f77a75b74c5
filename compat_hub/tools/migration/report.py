"""What `migrate` reports."""

from __future__ import annotations

import dataclasses
from typing import Any

from compat_hub.tools.migration.name_table import UNAVAILABLE


@dataclasses.dataclass(frozen=True)
class Use:
    """One use of tensorflow_hub or TensorFlow 1, or of what stands beside it.

    Attributes:
        line: Its line, from 1 on.
        column: Its column, from 1 on.
        old: The code.
        status: `"unchanged"` where it runs with `import compat_hub as hub`, `"change"` where it has
            to be written in another way, `"unavailable"` where compat_hub has no such thing, and
            `"unknown"` where this cannot be told.
        new: What to write to run it with compat_hub, the same where nothing changes.
        tf2: What to write in TensorFlow 2 instead: None where that is the same or not known, empty
            where it is left out.
        note: What else there is to say.
        cell: In a notebook, the number of the cell, from 1 on; `line` is the line in it.
    """

    line: int
    column: int
    old: str
    status: str
    new: str | None = None
    tf2: str | None = None
    note: str = ""
    cell: int | None = None


@dataclasses.dataclass(frozen=True)
class FileReport:
    """What was found in one file.

    Attributes:
        path: The file.
        uses: What was found, by line.
        error: Why the file could not be read or written, None where it could.
        diff: What rewriting the imports changes, as a unified diff.
        written: Whether it was written.
        failing_import: The first import of the result that fails, where that was checked.
    """

    path: str
    uses: tuple[Use, ...] = ()
    error: str | None = None
    diff: str = ""
    written: bool = False
    failing_import: str | None = None


@dataclasses.dataclass(frozen=True)
class MigrationReport:
    """What `compat_hub.migrate` found.

    Attributes:
        path: The file or folder.
        files: The files that use tensorflow_hub or belong to a program that does, or could not
            be read.
        read: How many files were looked into.
    """

    path: str
    files: tuple[FileReport, ...]
    read: int

    @property
    def passed(self) -> bool:
        """Whether all could be read, nothing is used that is not there, and no import fails."""
        return not self.errors and not any(
            file.failing_import or any(use.status == UNAVAILABLE for use in file.uses)
            for file in self.files
        )

    @property
    def errors(self) -> tuple[str, ...]:
        """Why files could not be read or written."""
        return tuple(file.error for file in self.files if file.error is not None)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {**dataclasses.asdict(self), "passed": self.passed}

    def __str__(self) -> str:
        """A line for each use, and how many there are."""
        lines = []
        for file in self.files:
            lines.append(file.path)
            if file.error is not None:
                lines.append(f"  ERROR {file.error}")
            for use in file.uses:
                cell = "" if use.cell is None else f"cell {use.cell}, "
                lines.append(f"  {cell}{use.line}:{use.column}  {use.status:<11}  {use.old}")
                if use.new not in {None, use.old}:
                    lines.append(f"      write   {use.new}")
                if use.tf2 is not None:
                    lines.append(f"      in TF2  {use.tf2 or '(nothing)'}")
                if use.note:
                    lines.append(f"      {use.note}")
            if file.written:
                lines.append("  The imports were rewritten.")
            if file.failing_import is not None:
                lines.append(f"  IMPORT FAILS {file.failing_import}")
        uses = [use for file in self.files for use in file.uses]
        counts = {s: sum(use.status == s for use in uses) for s in _STATUSES}
        found = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        read = f"{self.read} file{'' if self.read == 1 else 's'} read"
        lines.append(f"{read}, {len(uses)} uses{': ' if found else ''}{found}")
        return "\n".join(lines)


_STATUSES = ("unchanged", "change", "unavailable", "unknown")
