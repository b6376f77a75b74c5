"""Parts of pages that programs write, each between two marks."""

from __future__ import annotations

END = "<!-- End of what is written. -->"


def with_written(text: str, begin: str, part: str) -> str:
    """A page with a part put between the mark that begins it and the one that ends it."""
    before, rest = text.split(begin)
    _, after = rest.split(END)
    return f"{before}{begin}\n\n{part}\n{END}{after}"
