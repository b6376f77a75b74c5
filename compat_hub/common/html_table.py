"""Tables for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_CELL = "text-align:left;vertical-align:top;white-space:pre-wrap"


def html_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], more: str = ""
) -> str:
    """A table with a title, all of its text escaped.

    Args:
        title: The title.
        columns: The heads of the columns; no heads are shown where all are empty.
        rows: The rows.
        more: What was left out: `"214 more"`.
    """
    head = "".join(f'<th style="{_CELL}">{_text(c)}</th>' for c in columns)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{_text(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    heads = f"<thead><tr>{head}</tr></thead>" if any(columns) else ""
    rest = f"<p>... and {_text(more)}</p>" if more else ""
    table = f"<table>{heads}<tbody>{body}</tbody></table>" if heads or body else ""
    return f'<p style="margin-top:1em"><b>{_text(title)}</b></p>{table}{rest}'


def _text(text: str) -> str:
    # Lone surrogates, which no page can hold, come from names that are not UTF-8.
    return escape(text.encode("utf-8", "replace").decode())
