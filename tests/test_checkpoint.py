"""Reading checkpoints that are whole; test_bad_input.py has the others."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.checkpoint import read_variables
from tests.records import FIXTURES, Record


def _read(fixture: str) -> dict[str, tf.Tensor]:
    path = str(FIXTURES / fixture / "module")
    spec = compat_hub.load_module_spec(path)
    assert spec.checkpoint_prefix is not None
    return read_variables(path, spec.checkpoint_prefix, spec.variant().variables)


def test_the_prefix(copy_of) -> None:
    copy = copy_of("fruit")
    spec = compat_hub.load_module_spec(copy.path)
    assert spec.checkpoint_prefix == f"{copy.path}/variables/variables"
    for file in copy.file("variables").iterdir():
        file.unlink()
    assert spec.checkpoint_prefix == f"{copy.path}/variables/variables"
    copy.file("variables").rmdir()
    assert spec.checkpoint_prefix is None


@pytest.mark.parametrize("fixture", ["fruit", "sharded", "dtypes"])
def test_whole_variables(fixture: str) -> None:
    values = _read(fixture)
    expected = Record(FIXTURES / fixture).variables(0)
    for name in values.keys() & expected.keys():
        assert values[name].dtype == expected[name].dtype
        np.testing.assert_array_equal(values[name], expected[name])
    assert len(values.keys() & expected.keys()) >= 6


@pytest.mark.parametrize(("fixture", "name"), [("sharded", "table"), ("partitioned", "dense/bias")])
def test_parts_of_variables(fixture: str, name: str) -> None:
    values = _read(fixture)
    name = name if fixture == "sharded" else f"outer/{name}"
    parts = [values[n] for n in sorted(values) if n.startswith(f"{name}/part_")]
    assert len(parts) > 1
    expected = Record(FIXTURES / fixture).variables(0)[name]
    np.testing.assert_array_equal(tf.concat(parts, 0), expected)


def test_half_precision() -> None:
    assert _read("bfloat16")["weights"].dtype == tf.bfloat16


def test_nothing_to_read() -> None:
    assert read_variables("handle", "/no/such/checkpoint", []) == {}


def test_a_path_that_tensorflow_takes_for_a_pattern(copy_of) -> None:
    copy = copy_of("fruit", "folder[1]")
    with pytest.raises(compat_hub.ModuleFormatError, match=r"for a pattern\. Move the module"):
        compat_hub.load(copy.path)
    with (
        tf.Graph().as_default(),
        pytest.raises(compat_hub.ModuleFormatError, match="for a pattern"),
    ):
        compat_hub.Module(copy.path)
