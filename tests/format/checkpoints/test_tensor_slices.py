"""Slices of tensors: their places, their overlaps, their keys."""

from __future__ import annotations

import itertools
import random

import pytest
from tensorflow.core.framework import tensor_slice_pb2

from compat_hub.format.checkpoints.tensor_slices import Place, find_overlap, find_place, slice_key


def _proto(*extents: tuple[int, int | None]) -> tensor_slice_pb2.TensorSliceProto:
    proto = tensor_slice_pb2.TensorSliceProto()
    for start, length in extents:
        extent = proto.extent.add(start=start)
        if length is not None:
            extent.length = length
    return proto


@pytest.mark.parametrize(
    ("extents", "place"),
    [
        ([(0, 2), (0, None)], ((0, 2), (0, 3))),
        ([(2, 2), (1, 2)], ((2, 2), (1, 2))),
        ([(4, 0), (0, 3)], ((4, 0), (0, 3))),
        ([(3, 2), (0, 3)], None),
        ([(-1, 2), (0, 3)], None),
        ([(0, -1), (0, 3)], None),
        ([(1, None), (0, 3)], None),
        ([(0, 2)], None),
    ],
)
def test_places(extents: list[tuple[int, int | None]], place: Place | None) -> None:
    assert find_place(_proto(*extents), [4, 3]) == place


def _grid(rows: int, columns: int) -> list[Place]:
    return [((2 * r, 2), (3 * c, 3)) for r in range(rows) for c in range(columns)]


def test_slices_that_are_apart() -> None:
    assert find_overlap([]) is None
    assert find_overlap([((0, 5),), ((5, 1),), ((9, 3),)]) is None
    assert find_overlap(_grid(60, 40)) is None
    assert find_overlap([((0, 0), (0, 3)), ((0, 2), (0, 3))]) is None
    # Which no straight cut takes apart.
    pinwheel = [((0, 1), (0, 2)), ((0, 2), (2, 1)), ((2, 1), (1, 2)), ((1, 2), (0, 1))]
    assert find_overlap([*pinwheel, ((1, 1), (1, 1))]) is None


def test_slices_that_overlap() -> None:
    assert find_overlap([((0, 5),), ((4, 2),)]) == (((0, 5),), ((4, 2),))
    odd = ((119, 1), (118, 2))
    assert odd in (find_overlap([*_grid(60, 40), odd]) or ())
    assert find_overlap([(), ()]) == ((), ())


def test_as_pairs_say() -> None:
    chance = random.Random(0)

    def overlap(a: Place, b: Place) -> bool:
        return all(max(s, t) < min(s + m, t + n) for (s, m), (t, n) in zip(a, b, strict=True))

    seen = set()
    for _ in range(300):
        places: list[Place] = [
            tuple((chance.randint(0, 9), chance.randint(0, 4)) for _ in range(2)) for _ in range(4)
        ]
        expected = any(overlap(a, b) for a, b in itertools.combinations(places, 2))
        found = find_overlap(places)
        assert (found is not None) == expected
        assert found is None or overlap(*found)
        seen.add(expected)
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("name", "extents", "key"),
    [
        (b"w", [(0, 2)], b"\0w\0\1\1\1\x80\x82"),
        (b"a\0\xffb", [], b"\0a\0\xff\xff\0b\0\1\0"),
        (b"w", [(63, 64)], b"\0w\0\1\1\1\xbf\xc0\x40"),
        (b"w", [(0, None)], b"\0w\0\1\1\1\x80\x7f"),
        (b"w", [(10000, 2**62)], b"\0w\0\1\1\1\xe0\x27\x10\xff\xc0" + b"\x40" + bytes(7)),
    ],
)
def test_keys(name: bytes, extents: list[tuple[int, int | None]], key: bytes) -> None:
    assert slice_key(name, _proto(*extents)) == key
