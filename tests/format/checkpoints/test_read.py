"""Reading checkpoints that are whole; test_bad_input.py has the others."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.format.checkpoints import read as checkpoint
from compat_hub.format.checkpoints.read import Checkpoint, even_parts
from tests.records import FIXTURES, Record


def _read(fixture: str) -> dict[str, tf.Tensor]:
    path = str(FIXTURES / fixture / "module")
    spec = compat_hub.load_module_spec(path)
    assert spec.checkpoint_prefix is not None
    return Checkpoint(path, spec.checkpoint_prefix).read(spec.variant().variables)


def test_the_prefix_is_where_the_checkpoint_has_to_be(copy_of) -> None:
    copy = copy_of("fruit")
    spec = compat_hub.load_module_spec(copy.path)
    assert spec.checkpoint_prefix == f"{copy.path}/variables/variables"
    shutil.rmtree(copy.file("variables"))
    assert spec.checkpoint_prefix == f"{copy.path}/variables/variables"


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


@pytest.mark.parametrize("fixture", ["fruit", "sharded", "dtypes", "partitioned"])
def test_parts_that_are_read_in_threads(fixture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = _read(fixture)
    threads = set()

    def restore(*args, original=checkpoint._restore_part):
        threads.add(threading.get_ident())
        return original(*args)

    monkeypatch.setattr(checkpoint, "_LEAST_BYTES", 4)
    monkeypatch.setattr(checkpoint, "_restore_part", restore)
    with tf.device("CPU:0"):
        found = _read(fixture)
    assert threads
    assert threading.get_ident() not in threads
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value.device == expected[name].device
        assert value.dtype == expected[name].dtype
        np.testing.assert_array_equal(value, expected[name])


def test_threads_where_eager_execution_is_disabled() -> None:
    code = """
import threading, tensorflow as tf
from compat_hub.tf_private import autograph_marks
from tensorflow.python.eager import context
tf.compat.v1.disable_eager_execution()
with context.eager_mode():
    call = autograph_marks.as_called_here(lambda: print(tf.constant(3).numpy(), flush=True))
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "3\n"


@pytest.mark.parametrize(
    ("sizes", "least", "most", "expected"),
    [
        ([1], 1, 4, [1]),
        ([0, 0, 0], 1, 4, [0]),
        ([5, 4], 1, 1, [9]),
        ([7, 1, 1, 1, 4], 5, 4, [7, 7]),
        ([20, 1, 1], 1, 3, [1, 1, 20]),
        ([3] * 8, 10, 4, [12, 12]),
    ],
)
def test_even_parts(sizes: list[int], least: int, most: int, expected: list[int]) -> None:
    parts = even_parts(list(enumerate(sizes)), lambda item: item[1], least, most)
    assert sorted(sum(size for _, size in part) for part in parts) == expected
    assert sorted(item for part in parts for item in part) == list(enumerate(sizes))


def test_half_precision() -> None:
    assert _read("bfloat16")["weights"].dtype == tf.bfloat16


def test_nothing_to_read() -> None:
    prefix = str(FIXTURES / "fruit" / "module" / "variables" / "variables")
    assert Checkpoint("handle", prefix).read([]) == {}


def test_a_path_that_tensorflow_takes_for_a_pattern(copy_of) -> None:
    copy = copy_of("fruit", "folder[1]")
    with pytest.raises(compat_hub.ModuleFormatError, match="for a pattern of other files"):
        compat_hub.load(copy.path)
    with (
        tf.Graph().as_default(),
        pytest.raises(compat_hub.ModuleFormatError, match="for a pattern"),
    ):
        compat_hub.Module(copy.path)
