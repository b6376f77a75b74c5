"""Sorted tables in LevelDB's format, read so that no reader finds other entries than these.

A reader may go from one entry to the next, or jump to a key by the offsets that a block has of some
of its entries. Both have to come to the same entries.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_FOOTER = 48  # bytes
_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_UNCOMPRESSED = 0


def read_table(data: bytes) -> list[tuple[bytes, bytes]]:
    """The keys and values of a table.

    Raises:
        ValueError: It is damaged, or compressed, as none of TensorFlow's is.
    """
    try:
        return list(_in_order(_entries(data)))
    except (IndexError, struct.error) as error:
        raise ValueError(f"it is cut off, or points behind its end ({error})") from error


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that is written at a place, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    footer = data[-_FOOTER:]
    if not footer.endswith(_MAGIC):
        raise ValueError("it does not end as a table does")
    at = 0
    for _ in range(2):  # where another index is, which is empty
        _, at = read_varint(footer, at)
    last = b""
    for limit, place in _in_order(_block(data, footer, at)):
        # A reader that jumps takes the first block whose limit is not below the key.
        for key, value in _block(data, place, 0):
            if key > limit or (last and key <= last):
                raise ValueError(f"the key {key!r} is in the wrong block")
            yield key, value
        last = limit


def _in_order(entries: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    before = None
    for key, value in entries:
        if before is not None and key <= before:
            raise ValueError(f"the key {key!r} is there twice, or out of order")
        before = key
        yield key, value


def _block(data: bytes, place: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of the block at an offset and of a size, which `place` has at `at`."""
    offset, at = read_varint(place, at)
    size, _ = read_varint(place, at)
    block = data[offset : offset + size]
    if data[offset + size] != _UNCOMPRESSED:
        raise ValueError("it is compressed, as TensorFlow's own are not")
    (count,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 * (count + 1)
    jumps = set(struct.unpack(f"<{count}I", block[end:-4]))
    at, key = 0, b""
    while at < end:
        start = at
        shared, at = read_varint(block, at)
        fresh, at = read_varint(block, at)
        length, at = read_varint(block, at)
        if shared > len(key) or at + fresh + length > end:
            raise ValueError("an entry is longer than its block")
        if start in jumps:
            jumps.remove(start)
            if shared:
                raise ValueError("an entry that is jumped to begins with the one before")
        key = key[:shared] + block[at : at + fresh]
        at += fresh
        yield key, block[at : at + length]
        at += length
    if jumps - {0}:  # that of an empty block
        raise ValueError(f"it has offsets of entries where there are none: {sorted(jumps)[:3]}")
