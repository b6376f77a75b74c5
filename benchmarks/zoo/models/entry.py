"""What the zoo knows of one model besides its case: its family, and where its code is from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from case import Case
from tensorflow.python.framework import ops


@dataclass
class Entry:
    """One model of the zoo.

    Attributes:
        make: Makes the case: what to build, feed, record and train.
        family: What the model is known as.
        source: The PyPI package whose model code builds it, or "written here".
        known_as: Published modules of this kind.
    """

    make: Callable[[], Case]
    family: str
    source: str
    known_as: str


ENTRIES: dict[str, Entry] = {}


def entry(
    family: str, source: str = "written here", known_as: str = ""
) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    """Registers the function that makes a case, under its name."""

    def register(make: Callable[[], Case]) -> Callable[[], Case]:
        if make.__name__ in ENTRIES:
            raise ValueError("Two models are called %r." % make.__name__)
        ENTRIES[make.__name__] = Entry(make, family, source, known_as)
        return make

    return register


def forget_gradient_of_lstm_blocks() -> None:
    """Lets magenta register it: it has the code of tf.contrib.rnn, which is imported already."""
    ops._gradient_registry._registry.pop("LSTMBlockCell", None)
