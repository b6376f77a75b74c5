"""The index file of a checkpoint, a table in LevelDB's format, taken apart and put together."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from compat_hub.format.checkpoints.sorted_table import read_varint

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_POLYNOMIAL = 0x82F63B78  # of CRC-32C, reversed


def _crc_table() -> list[int]:
    table = []
    for k in range(256):
        crc = k
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return table


_CRC_TABLE = _crc_table()


def _masked_crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    (restarts,) = struct.unpack("<I", block[-4:])
    at, key = 0, b""
    while at < len(block) - 4 * (restarts + 1):
        shared, at = read_varint(block, at)
        fresh, at = read_varint(block, at)
        size, at = read_varint(block, at)
        key = key[:shared] + block[at : at + fresh]
        yield key, block[at + fresh : at + fresh + size]
        at += fresh + size


def _block(entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    out, starts = bytearray(), []
    for key, value in entries:
        starts.append(len(out))
        out += _varint(0) + _varint(len(key)) + _varint(len(value)) + key + value
    starts = starts or [0]
    return bytes(out) + struct.pack(f"<{len(starts) + 1}I", *starts, len(starts))


def read_table(data: bytes) -> list[tuple[bytes, bytes]]:
    """The entries of a table whose blocks are not compressed."""
    footer = data[-_FOOTER:]
    _, at = read_varint(footer, 0)
    _, at = read_varint(footer, at)
    offset, at = read_varint(footer, at)
    size, _ = read_varint(footer, at)
    found = []
    for _, handle in _entries(data[offset : offset + size]):
        start, at = read_varint(handle, 0)
        length, _ = read_varint(handle, at)
        found.extend(_entries(data[start : start + length]))
    return found


def write_table(entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A table with these entries, with checksums that are right."""
    out = bytearray()

    def add(block: bytes) -> bytes:
        handle = _varint(len(out)) + _varint(len(block))
        out.extend(block + b"\0" + struct.pack("<I", _masked_crc(block + b"\0")))
        return handle

    data = add(_block(entries))
    empty = add(_block([]))
    index = add(_block([(max((k for k, _ in entries), default=b"") + b"\xff", data)]))
    handles = empty + index
    padding = b"\0" * (_FOOTER - 8 - len(handles))
    return bytes(out) + handles + padding + struct.pack("<Q", _MAGIC)
