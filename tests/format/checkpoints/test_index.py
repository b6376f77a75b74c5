"""Indexes of checkpoints that TensorFlow would end the process over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import tensor_bundle_pb2

import compat_hub
from compat_hub.format.checkpoints.index import find_problem
from compat_hub.format.checkpoints.tensor_slices import slice_key
from compat_hub.format.checkpoints.write_matrix import write_matrix
from tests.copies import ModuleCopy
from tests.fuzz.tables import read_table, write_table
from tests.records import Record

Edit = Callable[[Any], Any]


def test_no_fixture_has_a_problem(record: Record) -> None:
    prefix = compat_hub.load_module_spec(record.path).checkpoint_prefix
    if prefix is None or not tf.io.gfile.exists(f"{prefix}.index"):
        pytest.skip("the module has no variables")
    assert find_problem(prefix) is None


def test_a_checkpoint_of_slices(tmp_path: Path) -> None:
    rows = np.ones([4, 3], np.float32)
    write_matrix(str(tmp_path / "c"), "m", (8, 3), [rows, rows])
    assert find_problem(str(tmp_path / "c")) is None


@pytest.mark.parametrize("rows", [3, 63, 64, 9000])
def test_the_keys_of_slices(tmp_path: Path, rows: int) -> None:
    part = np.ones([rows, 1], np.int8)
    write_matrix(str(tmp_path / "c"), "m/x", (3 * rows, 1), [part, part, part])
    table = dict(read_table((tmp_path / "c.index").read_bytes()))
    whole = tensor_bundle_pb2.BundleEntryProto.FromString(table[b"m/x"])
    keys = {slice_key(b"m/x", proto) for proto in whole.slices}
    assert keys == set(table) - {b"", b"m/x"}
    assert len(keys) == 3
    assert find_problem(str(tmp_path / "c")) is None


def _edit(file: Path, is_slice: bool, edit: Edit) -> None:
    """Edits the first entry of a slice, or of a whole tensor."""
    entries = read_table(file.read_bytes())
    k = next(k for k, (key, _) in enumerate(entries) if key and key.startswith(b"\0") is is_slice)
    key, value = entries[k]
    entry = tensor_bundle_pb2.BundleEntryProto.FromString(value)
    edit(entry)
    entries[k] = key, entry.SerializeToString()
    file.write_bytes(write_table(entries))


def _set_size(value: int) -> Edit:
    return lambda entry: setattr(entry.shape.dim[0], "size", value)


def _set_less(entry: Any) -> None:
    """Fewer rows than the slice is said to have: TensorFlow would copy what is behind them."""
    entry.size //= entry.shape.dim[0].size
    entry.shape.dim[0].size = 1


def _overlap(entry: Any) -> None:
    entry.slices[1].extent[0].start -= 1


EDITS: dict[str, tuple[bool, Edit, str]] = {
    "no_dtype_of_a_slice": (True, lambda e: setattr(e, "dtype", -1), "has the dtype -1"),
    "dtype_of_a_slice": (
        True,
        lambda e: setattr(e, "dtype", 3),
        "has the dtype 3, and the whole 1",
    ),
    "less_of_a_slice": (True, _set_less, "that has the shape [1"),
    "size_of_a_slice": (True, _set_size(2**40), "has the shape"),
    "bytes_of_a_slice": (True, lambda e: setattr(e, "size", 2**40), "bytes, and the shape"),
    "shard_of_a_slice": (True, lambda e: setattr(e, "shard_id", 9), "of the file 9"),
    "place_of_a_slice": (True, lambda e: setattr(e, "offset", -1), "is at -1"),
    "dtype": (False, lambda e: setattr(e, "dtype", 99), "has the dtype 99"),
    "variant": (False, lambda e: setattr(e, "dtype", 21), "has the dtype 21"),
    "size": (False, _set_size(-2), "has the shape [-2"),
    "rank": (False, lambda e: setattr(e.shape, "unknown_rank", True), "has the shape"),
    "slices": (False, lambda e: e.slices.add(), "slice at []"),
    "a_slice_twice": (False, lambda e: e.slices.add().CopyFrom(e.slices[0]), "at 0,2 twice"),
    "slices_that_overlap": (False, _overlap, "slices that overlap: at 0,2 and 1,"),
    "no_length": (
        False,
        lambda e: e.slices[1].extent[0].ClearField("length"),
        "a slice at [(2, 0)]",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_cannot_be(tmp_path: Path, edit: str) -> None:
    is_slice, change, message = EDITS[edit]
    copy = ModuleCopy("partitioned", tmp_path / "module")
    _edit(copy.file("variables/variables.index"), is_slice, change)
    assert message in (find_problem(copy.path + "/variables/variables") or "")
    with pytest.raises(compat_hub.ModuleFormatError, match=r"cannot be opened.*fresh copy"):
        compat_hub.load(copy.path)
    assert message in " ".join(compat_hub.inspect(copy.path, weights=True).facts.problems)


def test_an_entry_behind_another_of_its_name(tmp_path: Path) -> None:
    """A reader that jumps to the key finds the one, a reader that goes through all the other."""
    copy = ModuleCopy("partitioned", tmp_path / "module")
    file = copy.file("variables/variables.index")
    entries = read_table(file.read_bytes())
    file.write_bytes(write_table([*entries, entries[-1]]))
    assert "there twice" in (find_problem(copy.path + "/variables/variables") or "")
    file.write_bytes(write_table(entries[::-1]))
    assert "out of order" in (find_problem(copy.path + "/variables/variables") or "")


def test_an_entry_of_no_slice_that_begins_like_one(tmp_path: Path) -> None:
    copy = ModuleCopy("fruit", tmp_path / "module")
    file = copy.file("variables/variables.index")
    entries = read_table(file.read_bytes())
    bad = tensor_bundle_pb2.BundleEntryProto(dtype=types_pb2.DT_FLOAT)
    bad.shape.dim.add(size=-2)
    entries.insert(1, (b"\0nobody", bad.SerializeToString()))
    file.write_bytes(write_table(entries))
    assert "has the shape [-2]" in (find_problem(copy.path + "/variables/variables") or "")


@pytest.mark.parametrize("size", [0, 10, 100])
def test_a_part_of_a_file(tmp_path: Path, size: int) -> None:
    copy = ModuleCopy("fruit", tmp_path / "module")
    file = copy.file("variables/variables.index")
    file.write_bytes(file.read_bytes()[:size])
    assert "damaged" in (find_problem(copy.path + "/variables/variables") or "")


@pytest.mark.parametrize("lengths", [b"\x03\x02", b"\x04\x02", b"\xff\xff\xff\xff\x7f\x02"])
def test_strings_that_are_longer_than_they_are(lengths: bytes, tmp_path: Path) -> None:
    values = ["abc", "de"]
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "c"), tensor_names=["s"], shape_and_slices=[""], tensors=[values]
    )
    assert find_problem(str(tmp_path / "c")) is None
    file = tmp_path / "c.data-00000-of-00001"
    content = file.read_bytes()
    assert content[:2] == b"\x03\x02"
    file.write_bytes((lengths + content[2:]).ljust(len(content)))
    problem = find_problem(str(tmp_path / "c"))
    assert problem is None or "'s' has strings that are longer than the file says" in problem
    assert (problem is None) is (lengths == content[:2])


def test_more_strings_than_bytes(tmp_path: Path) -> None:
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "c"), tensor_names=["s"], shape_and_slices=[""], tensors=[["a"]]
    )

    def enlarge(entry: Any) -> None:
        entry.shape.dim[0].size = 2**40

    _edit(tmp_path / "c.index", False, enlarge)
    assert "'s' has strings" in (find_problem(str(tmp_path / "c")) or "")
