"""The index of a checkpoint, and whether what it says of tensors can be true.

TensorFlow's reader and restore op end the process where it cannot, or read memory that is not
theirs. The index is a sorted table; a tensor that was saved in parts has an entry that lists its
slices, and an entry for each of them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import tensor_bundle_pb2

from compat_hub.format.checkpoints.sorted_table import read_table
from compat_hub.format.checkpoints.tensor_slices import Place, find_overlap, find_place, slice_key
from compat_hub.graphdef.checks.shapes import is_shape

# Of variants and resources TensorFlow takes what is written there as it is.
_NOT_IN_FILES = {types_pb2.DT_INVALID, types_pb2.DT_VARIANT, types_pb2.DT_RESOURCE}
_CHECKSUM = 4  # bytes, behind the lengths of strings
_DTYPES = frozenset(types_pb2.DataType.values()) - _NOT_IN_FILES


def find_problem(prefix: str) -> str | None:
    """A message on what cannot be true of the tensors in a checkpoint, or None where all can.

    Args:
        prefix: The checkpoint's prefix: `.../variables/variables`.
    """
    try:
        if not tf.io.gfile.exists(f"{prefix}.index"):
            return f"the file {os.path.basename(prefix)}.index is missing"
        with tf.io.gfile.GFile(f"{prefix}.index", "rb") as file:
            table = dict(read_table(file.read()))
        header = tensor_bundle_pb2.BundleHeaderProto.FromString(table.pop(b"", b""))
        parse = tensor_bundle_pb2.BundleEntryProto.FromString
        entries = {key: parse(value) for key, value in table.items()}
    except (DecodeError, ValueError, tf.errors.OpError) as error:
        return f"its index is damaged: {error}"
    for name, entry in entries.items():
        problem = _problem_of_entry(entry) or _problem_of_slices(
            name, entry, entries, header.num_shards
        )
        if problem:
            return f"{_spell_key(name)} {problem}"
    return _problem_of_files(prefix, entries.values(), header.num_shards) or _problem_of_strings(
        prefix, entries, header.num_shards
    )


def _problem_of_strings(prefix: str, entries: Mapping[bytes, Any], shards: int) -> str | None:
    """Whether strings are as long as they say: TensorFlow makes place for them before it reads."""
    for name, entry in entries.items():
        if entry.dtype != types_pb2.DT_STRING or entry.slices:
            continue
        count = math.prod(_sizes(entry))
        problem = f"{_spell_key(name)} has strings that are longer than the file says"
        if count > entry.size:  # each has a length, of a byte at least
            return problem
        with tf.io.gfile.GFile(f"{prefix}.data-{entry.shard_id:05}-of-{shards:05}", "rb") as file:
            file.seek(entry.offset)
            data = file.read(entry.size)
        try:
            lengths, place = _read_numbers(data, count)
        except ValueError:
            return problem
        if sum(lengths) + place + _CHECKSUM > entry.size:
            return problem
    return None


def _read_numbers(data: bytes, count: int) -> tuple[list[int], int]:
    """Some varints at the beginning, and where they end.

    Raises:
        ValueError: There are not as many.
    """
    numbers, number, shift = [], 0, 0
    for place, byte in enumerate(data):
        if len(numbers) == count:
            return numbers, place
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            numbers.append(number)
            number = shift = 0
    if len(numbers) == count:
        return numbers, len(data)
    raise ValueError(f"there are {len(numbers)} of {count} numbers")


def _problem_of_files(prefix: str, entries: Iterable[Any], shards: int) -> str | None:
    """Whether the files with the values are there, and hold what the index says."""
    least: dict[int, int] = {}
    for entry in entries:
        if not entry.slices:  # otherwise the values are those of its slices
            end = entry.offset + entry.size
            least[entry.shard_id] = max(end, least.get(entry.shard_id, 0))
    paths = {f"{prefix}.data-{shard:05}-of-{shards:05}": size for shard, size in least.items()}
    missing = sorted(os.path.basename(path) for path in paths if not tf.io.gfile.exists(path))
    if missing:
        which, verb = ("file", "is") if len(missing) == 1 else ("files", "are")
        return f"the {which} {', '.join(missing)} {verb} missing"
    for path, size in sorted(paths.items()):
        found = tf.io.gfile.stat(path).length
        if found < size:
            return (
                f"the file {os.path.basename(path)} is incomplete: its values take {size:,} bytes, "
                f"and it has {found:,}"
            )
    return None


def _problem_of_entry(entry: Any) -> str | None:
    if entry.dtype not in _DTYPES:
        return f"has the dtype {entry.dtype}, which no tensor in a file has"
    sizes = _sizes(entry)
    if not is_shape(sizes) or entry.shape.unknown_rank:
        return f"has the shape {sizes}"
    return None


def _problem_of_slices(
    name: bytes, entry: Any, entries: dict[bytes, Any], shards: int
) -> str | None:
    sizes = _sizes(entry)
    places: dict[bytes, Place] = {}
    for proto in entry.slices:
        place = find_place(proto, sizes)
        if place is None:
            extents = [(extent.start, extent.length) for extent in proto.extent]
            return f"has the shape {sizes} and a slice at {extents}"
        key = slice_key(name, proto)
        if key in places:
            return f"has the slice at {_spell(place)} twice"
        places[key] = place
    overlap = find_overlap([*places.values()])
    if overlap:
        return f"has slices that overlap: at {_spell(overlap[0])} and {_spell(overlap[1])}"
    for key, place in places.items():
        if key in entries:
            problem = _problem_of_slice(entry, entries[key], place, shards)
            if problem:
                return f"has a slice at {_spell(place)} that {problem}"
    return None


def _problem_of_slice(whole: Any, part: Any, place: Place, shards: int) -> str | None:
    if part.dtype != whole.dtype:
        return f"has the dtype {part.dtype}, and the whole {whole.dtype}"
    sizes = _sizes(part)
    if sizes != [length for _, length in place]:
        return f"has the shape {sizes}"
    if not 0 <= part.shard_id < shards or part.offset < 0 or part.size < 0:
        return f"is at {part.offset} of the file {part.shard_id}, of {shards}"
    width = _width(part.dtype)
    if width and part.size != width * math.prod(sizes):
        return f"has {part.size} bytes, and the shape {sizes}"
    return None


def _sizes(entry: Any) -> list[int]:
    return [dim.size for dim in entry.shape.dim]


def _spell_key(key: bytes) -> str:
    what = "a slice of " if key.startswith(b"\0") else ""
    name = key.lstrip(b"\0").partition(b"\0\1")[0]
    return f"{what}{name.decode(errors='replace')!r}"


def _spell(place: Place) -> str:
    """A place as TensorFlow writes slices: start and length of each dimension."""
    return ":".join(f"{start},{length}" for start, length in place)


def _width(dtype: int) -> int | None:
    """The bytes of one number; None where they differ."""
    try:
        found = tf.as_dtype(dtype)
    except TypeError:
        return None
    return found.size if found.is_numpy_compatible and found != tf.string else None
