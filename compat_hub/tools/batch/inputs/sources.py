"""Where the values of inputs come from: from arguments like `name=FILE` to batches."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from compat_hub.errors import InputTypeError


@dataclasses.dataclass(frozen=True)
class Batch:
    """Some rows.

    Attributes:
        values: By input name.
        rows: How many rows there are, None where the values are not cut into rows.
        kept: Plain values of columns to keep, one for each row.
    """

    values: dict[str, Any]
    rows: int | None
    kept: dict[str, list[Any]] = dataclasses.field(default_factory=dict)


class Source:
    """Gives the values of one or more inputs: here, one that is the same for each batch.

    Attributes:
        label: How messages name it.
        names: The inputs.
        columns: What can be kept.
        kept: What is kept of these.
        has_rows: Whether it is cut into rows.
    """

    has_rows = False

    def __init__(self, label: str, name: str, value: Any = None) -> None:
        self.label = label
        self.names: tuple[str, ...] = (name,)
        self.columns: list[str] = []
        self.kept: list[str] = []
        self._value = value

    def count(self) -> int | None:
        """How many rows there are, about; None where that is not known."""
        return None

    def batches(self, size: int) -> Iterator[Batch]:
        """The rows, `size` at a time, all of them at once for 0."""
        del size
        yield Batch({self.names[0]: self._value}, None)


def batches_of(sources: Sequence[Source], size: int) -> Iterator[Batch]:
    """The batches of all sources side by side.

    Args:
        sources: The sources.
        size: How many rows a batch has; 0 for all of them in one, whether or not the sources have
            the same number.

    Yields:
        A `Batch` with the values of all inputs.

    Raises:
        InputTypeError: The sources do not have the same number of rows.
    """
    cut = [k for k, source in enumerate(sources) if source.has_rows]
    if size == 0 or not cut:
        parts = [part for source in sources if (part := next(source.batches(0), None)) is not None]
        rows = {part.rows for part in parts if part.rows is not None}
        if parts or not sources:
            yield _side_by_side(parts, rows.pop() if len(rows) == 1 else None)
        return
    iterators = [
        source.batches(size) if source.has_rows else itertools.repeat(next(source.batches(0)))
        for source in sources
    ]
    done = 0
    while True:
        found = [next(iterator, None) for iterator in iterators]
        counts = [(part.rows or 0) if (part := found[k]) is not None else 0 for k in cut]
        if len(set(counts)) > 1:
            least, most = counts.index(min(counts)), counts.index(max(counts))
            raise InputTypeError(
                f"The inputs do not have the same number of rows: {sources[cut[least]].label} has "
                f"{done + min(counts)}, and {sources[cut[most]].label} has more."
            )
        if not counts[0]:
            return
        done += counts[0]
        yield _side_by_side([part for part in found if part is not None], counts[0])


def _side_by_side(parts: Sequence[Batch], rows: int | None) -> Batch:
    values = {name: value for part in parts for name, value in part.values.items()}
    kept = {name: value for part in parts for name, value in part.kept.items()}
    return Batch(values, rows, kept)


def values_of(sources: Sequence[Source]) -> dict[str, Any]:
    """All of the values by input name, at once."""
    return {n: v for batch in batches_of(sources, 0) for n, v in batch.values.items()}
