"""The record of the comparison as the table of docs/comparison.md."""

from __future__ import annotations

from typing import Any

from tests.comparison.tools import TOOLS
from tests.written_parts import with_written

BEGIN = "<!-- Written by `python -m tests.comparison`. -->"


def update(text: str, table: str) -> str:
    """A page with the table put between its two marks."""
    return with_written(text, BEGIN, table)


def render(record: dict[str, Any]) -> str:
    """A row for each probe, notes on the answers, and what it was made with."""
    lines = [f"| | {' | '.join(TOOLS.values())} |", "|" + " --- |" * (1 + len(TOOLS))]
    numbers: dict[str, int] = {}
    for row in record["rows"]:
        cells = [row["title"], *(_cell(row[tool], numbers) for tool in TOOLS)]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(f"{number}. {note}" for note, number in numbers.items())]
    lines += ["", "| in the environment of | versions |", "| --- | --- |"]
    for tool, versions in record["versions"].items():
        shown = ", ".join(f"{package} {version}" for package, version in versions.items())
        lines.append(f"| {tool} | {shown} |")
    lines += ["", f"Of {record['date']}."]
    return "\n".join(lines) + "\n"


def _cell(found: dict[str, str], numbers: dict[str, int]) -> str:
    if not found["note"]:
        return found["answer"]
    note = found["note"].replace("|", "\\|")
    return f"{found['answer']} ({numbers.setdefault(note, len(numbers) + 1)})"
