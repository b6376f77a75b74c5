"""Changes of what a checkpoint's index says of the slices of a tensor."""

from __future__ import annotations

import random
from typing import Any

from tensorflow.core.protobuf import tensor_bundle_pb2

from compat_hub.format.checkpoints.tensor_slices import slice_key

Entries = list[tuple[bytes, bytes]]
_STEPS = (-2, -1, 1, 2, 100, 2**31, 2**62)


def has_slices(entries: Entries) -> bool:
    """Whether some tensor of an index was saved in parts."""
    return any(key.startswith(b"\0") for key, _ in entries)


def change_slices(entries: Entries, chance: random.Random) -> str:
    """Changes the entries of one tensor that has slices, in place; says how."""
    wholes = [
        (k, key, entry)
        for k, (key, value) in enumerate(entries)
        if key and (entry := tensor_bundle_pb2.BundleEntryProto.FromString(value)).slices
    ]
    k, name, whole = chance.choice(wholes)
    at = chance.randrange(len(whole.slices))
    old = slice_key(name, whole.slices[at])
    change = chance.choice(
        [_name_twice, _move, _leave_out_length, _swap, _drop, _add, _stretch, _shrink_part]
    )
    part = change(whole, at, dict(entries).get(old), chance)
    entries[k] = name, whole.SerializeToString()
    by_key = dict(entries)
    if part is not None:
        by_key[old] = part
    if old in by_key and chance.random() < 0.5 and at < len(whole.slices):
        # The entry of the slice goes with it, so that it is found.
        by_key[slice_key(name, whole.slices[at])] = by_key.pop(old)
    entries[:] = sorted(by_key.items())
    if chance.random() < 0.1:
        entries.append(chance.choice(entries))  # out of order, and twice
    return f"slice {at} of {name!r}: {change.__name__}"


def _name_twice(whole: Any, at: int, part: Any, chance: random.Random) -> None:
    whole.slices.insert(chance.randint(0, len(whole.slices)), whole.slices[at])


def _move(whole: Any, at: int, part: Any, chance: random.Random) -> None:
    extent = chance.choice(whole.slices[at].extent)
    extent.start += chance.choice(_STEPS)


def _leave_out_length(whole: Any, at: int, part: Any, chance: random.Random) -> None:
    chance.choice(whole.slices[at].extent).ClearField("length")


def _swap(whole: Any, at: int, part: Any, chance: random.Random) -> None:
    other = whole.slices[chance.randrange(len(whole.slices))]
    kept = type(other)()
    kept.CopyFrom(other)
    other.CopyFrom(whole.slices[at])
    whole.slices[at].CopyFrom(kept)


def _drop(whole: Any, at: int, part: Any, chance: random.Random) -> None:
    del whole.slices[at]


def _add(whole: Any, at: int, part: Any, chance: random.Random) -> None:
    new = whole.slices.add()
    for extent in whole.slices[at].extent:
        new.extent.add(start=max(0, extent.start + chance.choice([-1, 0, 1])), length=extent.length)


def _stretch(whole: Any, at: int, part: Any, chance: random.Random) -> None:
    extent = chance.choice(whole.slices[at].extent)
    extent.length = extent.length + chance.choice(_STEPS)


def _shrink_part(whole: Any, at: int, part: Any, chance: random.Random) -> Any:
    """Fewer bytes and another shape for the slice's own entry."""
    if part is None:
        return None
    entry = tensor_bundle_pb2.BundleEntryProto.FromString(part)
    size = chance.choice(entry.shape.dim)
    if size.size:
        entry.size //= size.size
        size.size = 1
    return entry.SerializeToString()
