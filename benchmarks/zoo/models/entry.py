"""What the zoo knows of one model besides its case: its family, and where its code is from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from case import Case


@dataclass
class Entry:
    """One model of the zoo.

    Attributes:
        make: Makes the case: what to build, feed, record and train.
        family: What the model is known as.
        source: The PyPI package whose model code builds it, or "written here".
    """

    make: Callable[[], Case]
    family: str
    source: str


ENTRIES: dict[str, Entry] = {}


def entry(
    family: str, source: str = "written here"
) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    """Registers the function that makes a case, under its name."""

    def register(make: Callable[[], Case]) -> Callable[[], Case]:
        if make.__name__ in ENTRIES:
            raise ValueError("Two models are called %r." % make.__name__)
        ENTRIES[make.__name__] = Entry(make, family, source)
        return make

    return register
