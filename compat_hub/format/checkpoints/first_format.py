"""The first format of checkpoints (`tf.train.SaverDef.V1`): tables of slices, without an index.

Read here, and not by TensorFlow, which ends the process over some that are damaged.
"""

from __future__ import annotations

import math
import os
import re

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.util import saved_tensor_slice_pb2

from compat_hub.format.checkpoints.sorted_table import read_table
from compat_hub.format.checkpoints.tensor_slices import Place, find_overlap, find_place
from compat_hub.graphdef.checks.shapes import is_shape

_SHARD = re.compile(r"-\d{5}-of-(\d{5})$")
_META = b""


def files_of_first_format(prefix: str) -> list[str]:
    """The files of a checkpoint of the first format; none where there is none of that prefix."""
    if tf.io.gfile.exists(f"{prefix}.index"):
        return []
    if tf.io.gfile.exists(prefix) and not tf.io.gfile.isdir(prefix):
        return [prefix]
    folder, name = os.path.dirname(prefix) or os.curdir, os.path.basename(prefix)
    if not tf.io.gfile.isdir(folder):
        return []
    names = sorted(n for n in tf.io.gfile.listdir(folder) if n.startswith(name))
    shards = [n for n in names if _SHARD.fullmatch(n[len(name) :])]
    return [os.path.join(folder, n) for n in shards]


def pattern_of_first_format(prefix: str) -> str:
    """What TensorFlow takes for a checkpoint: the prefix, or a pattern of its parts."""
    files = files_of_first_format(prefix)
    shards = _SHARD.search(files[0]) if files and files != [prefix] else None
    return prefix if shards is None else f"{prefix}-?????-of-{shards[1]}"


class FirstFormat:
    """A checkpoint of the first format, read whole.

    Args:
        files: Its files.

    Raises:
        ValueError: It is incomplete or damaged.

    Attributes:
        shapes: By the name of a variable.
        dtypes: By the name of a variable.
    """

    def __init__(self, files: list[str]) -> None:
        self.shapes: dict[str, list[int]] = {}
        self.dtypes: dict[str, tf.DType] = {}
        self._parts: dict[str, list[tuple[Place, np.ndarray]]] = {}
        _check_shards(files)
        for file in files:
            self._read_file(file)

    def read(self, name: str) -> np.ndarray:
        """The value of a variable.

        Raises:
            ValueError: A part of it is missing.
        """
        parts = self._parts.get(name, [])
        shape = self.shapes[name]
        if find_overlap([place for place, _ in parts]):
            raise ValueError(f"the variable {name!r} has slices that overlap")
        if sum(part.size for _, part in parts) != math.prod(shape):
            raise ValueError(f"a part of the variable {name!r} is missing")
        value = np.empty(shape, self.dtypes[name].as_numpy_dtype)
        for place, part in parts:
            value[tuple(slice(start, start + length) for start, length in place)] = part
        return value

    def _read_file(self, file: str) -> None:
        with tf.io.gfile.GFile(file, "rb") as opened:
            table = read_table(opened.read())
        try:
            for key, value in table:
                found = saved_tensor_slice_pb2.SavedTensorSlices.FromString(value)
                if key == _META:
                    self._read_meta(found.meta)
                else:
                    self._read_slice(found.data)
        except DecodeError as error:
            raise ValueError(f"the file {os.path.basename(file)} is damaged: {error}") from error

    def _read_meta(self, meta: saved_tensor_slice_pb2.SavedTensorSliceMeta) -> None:
        for tensor in meta.tensor:
            shape = [dim.size for dim in tensor.shape.dim]
            if not is_shape(shape) or tensor.shape.unknown_rank:
                raise ValueError(f"the variable {tensor.name!r} has the shape {shape}")
            dtype = tf.as_dtype(tensor.type)
            known = self.shapes.setdefault(tensor.name, shape)
            if known != shape or self.dtypes.setdefault(tensor.name, dtype) != dtype:
                raise ValueError(f"the variable {tensor.name!r} has two shapes or dtypes")

    def _read_slice(self, data: saved_tensor_slice_pb2.SavedSlice) -> None:
        if data.name not in self.shapes:
            raise ValueError(f"there is a value of {data.name!r}, which is not listed")
        place = find_place(data.slice, self.shapes[data.name])
        if place is None:
            raise ValueError(f"the variable {data.name!r} has a slice outside of its shape")
        sizes = [length for _, length in place]
        proto = TensorProto()
        proto.CopyFrom(data.data)
        proto.dtype = self.dtypes[data.name].as_datatype_enum
        count = _count(proto)
        if count != math.prod(sizes):
            raise ValueError(
                f"the variable {data.name!r} has {count} values, and the shape {sizes}"
            )
        proto.tensor_shape.Clear()
        proto.tensor_shape.dim.add(size=count)
        part = tf.make_ndarray(proto).reshape(sizes)
        self._parts.setdefault(data.name, []).append((place, part))


def _count(proto: TensorProto) -> int:
    """The numbers that a tensor lists one by one."""
    lists = (value for field, value in proto.ListFields() if field.name.endswith("_val"))
    halves = 2 if tf.as_dtype(proto.dtype).is_complex else 1
    return sum(map(len, lists)) // halves


def _check_shards(files: list[str]) -> None:
    counts = {int(found[1]) for file in files if (found := _SHARD.search(file))}
    if counts and counts != {len(files)}:
        raise ValueError(f"there are {len(files)} of its {max(counts)} files")
