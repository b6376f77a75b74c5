"""Numbers and names as sentences and tables have them."""

from __future__ import annotations

from collections.abc import Iterable


def count(number: int, what: str) -> str:
    """`1 loop`, `2 loops`, `2,000 loops`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def some(items: Iterable[str], shown: int = 3) -> str:
    """The first few of a list, and how many more there are."""
    listed = list(items)
    rest = len(listed) - shown
    return ", ".join(listed[:shown]) + (f" and {rest:,} more" if rest > 0 else "")


def human(size: int) -> str:
    """A number of bytes for people: `417.6 MB`."""
    number = float(size)
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{size:,} bytes" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} GB"


def printable(text: str) -> str:
    """Text of a module as a terminal may show it: what would control the terminal is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
