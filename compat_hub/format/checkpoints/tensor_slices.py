"""The slices of a tensor in a checkpoint: where they are, and whether they overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

# Start and length in each dimension.
Place = tuple[tuple[int, int], ...]

_MOST_TANGLED = 300  # slices that no straight cut takes apart: their pairs are compared


def find_place(proto: Any, sizes: Sequence[int]) -> Place | None:
    """Where a slice is in a tensor, or None where it is not within.

    Args:
        proto: The `TensorSliceProto`. An extent without a length is all of its dimension.
        sizes: The shape of the whole tensor.
    """
    if len(proto.extent) != len(sizes):
        return None
    place = []
    for extent, size in zip(proto.extent, sizes, strict=True):
        is_part = extent.HasField("length")
        length = extent.length if is_part else size
        if extent.start < 0 or length < 0 or extent.start + length > size:
            return None
        place.append((extent.start, length))
    return tuple(place)


def find_overlap(places: Sequence[Place]) -> tuple[Place, Place] | None:
    """Two places that overlap, or None where all are apart."""
    stack = [([place for place in places if all(length for _, length in place)], 0, 0)]
    while stack:
        group, axis, kept = stack.pop()
        if len(group) < 2:
            continue
        rank = len(group[0])
        if kept == rank:  # no axis takes them apart
            found = _overlapping_pair(group)
            if found:
                return found
            continue
        parts = list(_apart_on(group, axis))
        kept = kept + 1 if len(parts) == 1 else 0
        stack += [(part, (axis + 1) % max(rank, 1), kept) for part in parts]
    return None


def _apart_on(group: list[Place], axis: int) -> Iterator[list[Place]]:
    """The places by what they cover of an axis: what is in two lists does not overlap."""
    part: list[Place] = []
    end = 0
    for place in sorted(group, key=lambda place: place[axis]):
        start, length = place[axis]
        if part and start >= end:
            yield part
            part = []
        part.append(place)
        end = max(end, start + length)
    yield part


def _overlapping_pair(group: list[Place]) -> tuple[Place, Place] | None:
    if len(group) > _MOST_TANGLED:
        return group[0], group[1]
    for k, place in enumerate(group):
        for other in group[:k]:
            if all(
                start < other_start + other_length and other_start < start + length
                for (start, length), (other_start, other_length) in zip(place, other, strict=True)
            ):
                return other, place
    return None


def slice_key(name: bytes, proto: Any) -> bytes:
    """The key of a slice in a checkpoint's index, as TensorFlow makes it."""
    key = b"\0" + _escaped(name) + b"\0\1" + _unsigned(len(proto.extent))
    for extent in proto.extent:
        is_part = extent.HasField("length")
        key += _signed(extent.start) + _signed(extent.length if is_part else -1)
    return key


def _escaped(name: bytes) -> bytes:
    return b"".join({0: b"\0\xff", 255: b"\xff\0"}.get(byte, bytes([byte])) for byte in name)


def _unsigned(value: int) -> bytes:
    digits = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes([len(digits)]) + digits


def _signed(value: int) -> bytes:
    """A number as bytes that sort as numbers do: with as many ones in front as it has bytes."""
    length = (value if value >= 0 else ~value).bit_length() // 7 + 1
    ones = ((1 << length) - 1) << (7 * length)
    return (value % 2 ** (8 * length) ^ ones).to_bytes(length, "big")
