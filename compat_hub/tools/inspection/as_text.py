"""Titled tables as lines of text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from compat_hub.common.words import printable
from compat_hub.tools.inspection.tables import Block

_GAP = "  "
_LEAST = 30  # a column of prose is at least as wide, even if a line gets longer

# The text of a line, and the style of it.
Line = tuple[str, str]
_STYLES = {"yes": "green", "note": "yellow", "no": "bold red"}


def lines_of(blocks: Iterable[Block], width: int, hint: str) -> Iterator[Line]:
    """The lines that show tables, with their styles.

    Args:
        blocks: The tables.
        width: How wide lines of prose may be. Lines of tables are as long as they need to be.
        hint: How to see what was left out.
    """
    for k, block in enumerate(blocks):
        if k:
            yield "", ""
        yield printable(block.title), "bold"
        yield from _table(block, width)
        if block.more:
            yield f"{_GAP}... and {block.more}{hint}", "dim"


def _table(block: Block, width: int) -> Iterator[Line]:
    rows = [tuple(map(printable, row)) for row in block.rows]
    heads = [block.columns] if any(block.columns) else []
    widths = [max(map(len, column)) for column in zip(*heads, *rows, strict=True)]
    for k, row in enumerate((*heads, *rows)):
        style = "dim" if k < len(heads) else _STYLES.get(row[0], "")
        cells = [
            cell.rjust(widths[i]) if i in block.numbers else cell.ljust(widths[i])
            for i, cell in enumerate(row[:-1])
        ]
        start = _GAP + "".join(f"{cell}{_GAP}" for cell in cells)
        last = row[-1].rjust(widths[-1]) if len(row) - 1 in block.numbers else row[-1]
        if heads:
            yield (start + last).rstrip(), style
            continue
        room = max(width - len(start), _LEAST)
        parts = textwrap.wrap(last, room, break_long_words=False, break_on_hyphens=False) or [""]
        yield (start + parts[0]).rstrip(), style
        for part in parts[1:]:
            yield " " * len(start) + part, style
