"""Columns of a table chosen by name, range or pattern: `id`, `f1:f2048`, `pixel_*`, `"a,b"`."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Sequence

from compat_hub.errors import InputTypeError

# A name in double quotes, in which a double quote is written twice; or what has no separator.
_NAME = r'"(?:[^"]|"")*"|[^",:]+?'
_TERM = re.compile(rf"({_NAME})(?::({_NAME}))?(?:,|$)")
_SHOWN = 20


def choose_columns(text: str, names: Sequence[str], where: str) -> list[str]:
    """The columns that a text stands for, in order.

    Args:
        text: Terms between commas: a name, a range of names as they stand side by side, or a
            pattern with `*` and `?`. A name that has a comma, a colon or a star stands in double
            quotes, unless it is all there is.
        names: The names that there are.
        where: How messages name the table.

    Raises:
        InputTypeError: There are no such columns.
    """
    if text in names:
        return [text]
    chosen: list[str] = []
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise InputTypeError(
                f"{where}: {text!r} does not name columns. Pass names, ranges and patterns between "
                "commas, as in id,f1:f9,pixel_*; put a name with a comma or a colon in double "
                'quotes, as in "a,b".'
            )
        chosen += _choose_term(match, names, where)
        position = match.end()
    return chosen


def _choose_term(match: re.Match[str], names: Sequence[str], where: str) -> list[str]:
    whole = match[0].removesuffix(",")
    if whole in names:
        return [whole]
    first, last = _unquoted(match[1]), match[2] and _unquoted(match[2])
    if last:
        begin, end = _find(first, names, where), _find(last, names, where)
        if begin > end:
            raise InputTypeError(
                f"{where}: column {last!r} stands before {first!r}. Pass {last}:{first}."
            )
        return list(names[begin : end + 1])
    if not match[1].startswith('"') and ("*" in first or "?" in first):
        found = [name for name in names if fnmatch.fnmatchcase(name, first)]
        if found:
            return found
    return [names[_find(first, names, where)]]


def _find(name: str, names: Sequence[str], where: str) -> int:
    if name in names:
        return names.index(name)
    raise InputTypeError(f"{where}: there is no column {name!r}.{hint_of_columns(name, names)}")


def _unquoted(term: str) -> str:
    return term[1:-1].replace('""', '"') if term.startswith('"') else term


def hint_of_columns(name: str, names: Sequence[str]) -> str:
    """A sentence for a message: what columns there are."""
    near = difflib.get_close_matches(name, names, 3)
    shown = ", ".join(map(repr, near or names[:_SHOWN]))
    if near:
        return f" Similar columns are {shown}."
    return f" The columns are {shown}{' and others' if len(names) > _SHOWN else ''}."
