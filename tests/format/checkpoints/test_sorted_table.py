"""Sorted tables: no reader may find other entries than those that are checked."""

from __future__ import annotations

import struct

import pytest

from compat_hub.format.checkpoints.sorted_table import read_table
from tests.fuzz.tables import write_table

ENTRIES = [(b"", b"header"), (b"bias", b"1"), (b"kernel", b"22")]


def test_what_is_written_is_read() -> None:
    assert read_table(write_table(ENTRIES)) == ENTRIES
    assert read_table(write_table([])) == []


@pytest.mark.parametrize("entries", [ENTRIES[::-1], [*ENTRIES, ENTRIES[-1]]])
def test_keys_in_order(entries: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ValueError, match="twice, or out of order"):
        read_table(write_table(entries))


def test_jumps_into_a_value() -> None:
    """An offset of a block that leads into a value, where another entry is hidden."""
    data = bytearray(write_table(ENTRIES))
    jumps = struct.pack("<3I", 0, 9, 17)
    at = data.index(jumps)
    data[at : at + len(jumps)] = struct.pack("<3I", 0, 12, 17)
    with pytest.raises(ValueError, match=r"offsets of entries where there are none: \[12\]"):
        read_table(bytes(data))


def test_compressed_blocks() -> None:
    """TensorFlow reads them, and writes none."""
    data = bytearray(write_table(ENTRIES))
    at = data.index(struct.pack("<4I", 0, 9, 17, 3)) + 16
    assert data[at] == 0
    data[at] = 1
    with pytest.raises(ValueError, match="compressed"):
        read_table(bytes(data))


@pytest.mark.parametrize("size", [0, 10, 60])
def test_a_part_of_a_table(size: int) -> None:
    data = write_table(ENTRIES)
    with pytest.raises(ValueError, match=r"cut off|does not end"):
        read_table(data[:size])
    with pytest.raises(ValueError, match=r"cut off|longer than|does not end|compressed"):
        read_table(data[size or 1 :])
