"""The index of a checkpoint, and whether what it says of tensors can be true.

TensorFlow's reader and restore op end the process where it cannot. The index is a sorted table in
LevelDB's format.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import tensor_bundle_pb2

from compat_hub.graph.shapes import is_shape

_FOOTER = 48  # bytes
_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_DTYPES = frozenset(types_pb2.DataType.values()) - {types_pb2.DT_INVALID}
_SLICE = b"\0"  # what the keys of slices begin with; that of the header is empty


def find_problem(prefix: str) -> str | None:
    """A message on what cannot be true of the tensors in a checkpoint, or None where all can.

    Args:
        prefix: The checkpoint's prefix: `.../variables/variables`.
    """
    try:
        with tf.io.gfile.GFile(f"{prefix}.index", "rb") as file:
            entries = list(_table(file.read()))
        wholes, slices, shards = _read(entries)
    except (DecodeError, IndexError, struct.error, UnicodeDecodeError, tf.errors.OpError) as error:
        return f"its index is damaged: {error}"
    for name, whole in wholes.items():
        problem = _problem_of_whole(whole)
        if problem:
            return f"{name.decode(errors='replace')!r} {problem}"
    for name, part in slices:
        problem = _problem_of_slice(wholes.get(name), part, shards)
        if problem:
            return f"a slice of {name.decode(errors='replace')!r} {problem}"
    return None


def _problem_of_whole(entry: Any) -> str | None:
    if entry.dtype not in _DTYPES:
        return f"has the dtype {entry.dtype}, which there is not"
    sizes = [dim.size for dim in entry.shape.dim]
    if not is_shape(sizes) or entry.shape.unknown_rank:
        return f"has the shape {sizes}"
    for part in entry.slices:
        places = [(extent.start, extent.length) for extent in part.extent]
        if len(places) != len(sizes) or any(
            start < 0 or length < 0 or start + length > size
            for (start, length), size in zip(places, sizes, strict=True)
        ):
            return f"has the shape {sizes} and a slice at {places}"
    return None


def _read(entries: list[tuple[bytes, bytes]]) -> tuple[dict[bytes, Any], list[Any], int]:
    """The whole tensors by name, the slices with the names of their wholes, the count of shards."""
    wholes: dict[bytes, Any] = {}
    slices = []
    shards = 0
    for key, value in entries:
        if not key:
            shards = tensor_bundle_pb2.BundleHeaderProto.FromString(value).num_shards
            continue
        entry = tensor_bundle_pb2.BundleEntryProto.FromString(value)
        if key.startswith(_SLICE):
            # The name ends with 0, 1; in it these bytes are written with an escape.
            name = key[1 : key.index(b"\0\1", 1)] if b"\0\1" in key[1:] else key[1:]
            slices.append((name, entry))
        else:
            wholes[key] = entry
    return wholes, slices, shards


def _problem_of_slice(whole: Any, part: Any, shards: int) -> str | None:
    if whole is None:
        return None  # its name has an escape, or nobody can ask for it
    if part.dtype != whole.dtype:
        return f"has the dtype {part.dtype}, and the whole {whole.dtype}"
    sizes = [dim.size for dim in part.shape.dim]
    if len(sizes) != len(whole.shape.dim) or any(
        not 0 <= size <= dim.size for size, dim in zip(sizes, whole.shape.dim, strict=True)
    ):
        return f"has the shape {sizes}, and the whole {[dim.size for dim in whole.shape.dim]}"
    if not 0 <= part.shard_id < shards or part.offset < 0 or part.size < 0:
        return f"is at {part.offset} of the file {part.shard_id}, of {shards}"
    width = _width(part.dtype)
    if width and part.size != width * math.prod(sizes):
        return f"has {part.size} bytes, and the shape {sizes}"
    return None


def _width(dtype: int) -> int | None:
    """The bytes of one number; None where they differ."""
    try:
        found = tf.as_dtype(dtype)
    except TypeError:
        return None
    return found.size if found.is_numpy_compatible and found != tf.string else None


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a table; none where blocks are compressed, as none of TensorFlow's."""
    footer = data[-_FOOTER:]
    if not footer.endswith(_MAGIC):
        raise IndexError("it does not end as a table does")
    at = 0
    for _ in range(2):  # where another index is, which is empty
        _, at = read_varint(footer, at)
    for _, place in _block(data, footer, at):
        yield from _block(data, place, 0)


def _block(data: bytes, place: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of the block at an offset and of a size, which `place` has at `at`."""
    offset, at = read_varint(place, at)
    size, _ = read_varint(place, at)
    block = data[offset : offset + size]
    if data[offset + size] != 0:
        return
    (restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 * (restarts + 1)
    at, key = 0, b""
    while at < end:
        shared, at = read_varint(block, at)
        fresh, at = read_varint(block, at)
        length, at = read_varint(block, at)
        key = key[:shared] + block[at : at + fresh]
        at += fresh
        yield key, block[at : at + length]
        at += length


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
