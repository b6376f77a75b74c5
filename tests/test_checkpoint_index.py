"""Indexes of checkpoints that TensorFlow would end the process over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2

import compat_hub
from compat_hub.checkpoint_index import find_problem
from compat_hub.matrix_checkpoint import write_matrix
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


EDITS: dict[str, tuple[bool, Edit, str]] = {
    "dtype_of_a_slice": (True, lambda e: setattr(e, "dtype", -1), "has the dtype -1, and the who"),
    "size_of_a_slice": (True, _set_size(2**40), "has the shape"),
    "bytes_of_a_slice": (True, lambda e: setattr(e, "size", 2**40), "bytes, and the shape"),
    "shard_of_a_slice": (True, lambda e: setattr(e, "shard_id", 9), "of the file 9"),
    "place_of_a_slice": (True, lambda e: setattr(e, "offset", -1), "is at -1"),
    "dtype": (False, lambda e: setattr(e, "dtype", 99), "has the dtype 99"),
    "size": (False, _set_size(-2), "has the shape [-2"),
    "rank": (False, lambda e: setattr(e.shape, "unknown_rank", True), "has the shape"),
    "slices": (False, lambda e: e.slices.add(), "slice at []"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_cannot_be(tmp_path: Path, edit: str) -> None:
    is_slice, change, message = EDITS[edit]
    copy = ModuleCopy("partitioned", tmp_path / "module")
    _edit(copy.file("variables/variables.index"), is_slice, change)
    assert message in (find_problem(copy.path + "/variables/variables") or "")
    with pytest.raises(compat_hub.ModuleFormatError, match=r"cannot be opened.*fresh copy"):
        compat_hub.load(copy.path)


@pytest.mark.parametrize("size", [0, 10, 100])
def test_a_part_of_a_file(tmp_path: Path, size: int) -> None:
    copy = ModuleCopy("fruit", tmp_path / "module")
    file = copy.file("variables/variables.index")
    file.write_bytes(file.read_bytes()[:size])
    assert "damaged" in (find_problem(copy.path + "/variables/variables") or "")
