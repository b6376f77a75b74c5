from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

import compat_hub
from compat_hub.keras_layers.weights_file import load_weights, save_weights

# For each dtype values that are easily lost on the way.
VALUES = {
    "float32": [np.nan, -0.0, 1e-45],
    "float16": [6e-8, np.inf, 1.0],
    "float64": [1 / 3, 5e-324, -1.0],
    "bfloat16": [1.0, 3.0e38, -0.0078125],
    "int8": [-128, 0, 127],
    "uint64": [0, 1, 2**64 - 1],
    "bool": [True, False, True],
    "complex64": [1 + 2j, -1j, 0],
    "string": [b"", b"\x00\xff\x00", "né".encode()],
}


@pytest.fixture(params=["hdf5", "dict"])
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "dict":
        yield {}
        return
    with h5py.File(io.BytesIO(), "w") as file:
        yield file.create_group("layers/hub/vars")


def _variable(values: Any, dtype: str = "float32", name: str = "v") -> tf.Variable:
    return tf.Variable(tf.constant(values, dtype), name=name)


def _bits(variable: tf.Variable) -> bytes:
    return tf.io.serialize_tensor(variable.read_value()).numpy()


@pytest.mark.parametrize("dtype", VALUES)
def test_values_come_back_bit_by_bit(store: Any, dtype: str) -> None:
    saved = {"a/b": _variable(VALUES[dtype], dtype), "scalar": _variable(VALUES[dtype][1], dtype)}
    save_weights(store, saved, None)
    again = {name: tf.Variable(tf.zeros_like(v)) for name, v in saved.items()}
    load_weights(store, again, "the layer")
    assert {n: _bits(v) for n, v in again.items()} == {n: _bits(v) for n, v in saved.items()}


def test_names_that_are_folders_of_other_names(store: Any) -> None:
    names = ["a", "a/b", "a.b", "a.Sb", "a/.b", "0"]
    save_weights(store, {n: _variable(float(k)) for k, n in enumerate(names)}, None)
    again = {name: _variable(-1.0) for name in reversed(names)}
    load_weights(store, again, "the layer")
    assert [again[name].numpy() for name in names] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_weights_of_one_module_are_written_once() -> None:
    with h5py.File(io.BytesIO(), "w") as file:
        big = {"big": _variable(np.zeros(100_000)), "small": _variable([1.0])}
        save_weights(file.create_group("first"), big, "id")
        size = file.id.get_filesize()
        save_weights(file.create_group("second"), big, "id")
        assert file.id.get_filesize() < size + 10_000
        save_weights(file.create_group("third"), big, "another")
        assert file.id.get_filesize() > size + 100_000
        for part in ("first", "second", "third"):
            again = {name: tf.Variable(-tf.ones_like(v)) for name, v in big.items()}
            load_weights(file[part], again, "the layer")
            assert not np.any(again["big"])
            assert again["small"].numpy() == [1.0]


def test_a_file_of_another_module(store: Any) -> None:
    save_weights(store, {"kernel": _variable([1.0]), "old": _variable([2.0])}, None)
    kernel = _variable([3.0])
    with pytest.raises(compat_hub.CheckpointError, match=r"'hub'.*\['new'\].*\['old'\]"):
        load_weights(store, {"kernel": kernel, "new": _variable([0.0])}, "the KerasLayer 'hub'")
    assert kernel.numpy() == [3.0]


def test_weights_of_another_shape_leave_all_as_they_are(store: Any) -> None:
    save_weights(store, {"a": _variable([1.0]), "b": _variable([1.0, 2.0])}, None)
    a, b = _variable([3.0]), _variable([[4.0]], name="b")
    with pytest.raises(compat_hub.CheckpointError, match=r"'b:0'.*\(1, 1\).*\(2,\)"):
        load_weights(store, {"a": a, "b": b}, "the layer")
    assert a.numpy() == [3.0]


def test_a_variable_of_unknown_shape_takes_any(store: Any) -> None:
    save_weights(store, {"v": _variable([1.0, 2.0])}, None)
    variable = tf.Variable([[0.0]], shape=tf.TensorShape(None))
    load_weights(store, {"v": variable}, "the layer")
    assert variable.numpy().tolist() == [1.0, 2.0]


@pytest.mark.parametrize("kind", ["link", "storage", "virtual"])
def test_a_weight_that_is_in_another_file(kind: str, tmp_path: Path) -> None:
    secret = np.full([3], 7919, np.float32)
    (tmp_path / "secret").write_bytes(secret.tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["v"] = secret
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        store = file.create_group("layers/hub/vars")
        if kind == "link":
            store["v"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "v")
        elif kind == "storage":
            place = (str(tmp_path / "secret"), 0, secret.nbytes)
            store.create_dataset("v", shape=[3], dtype="f4", external=[place])
        else:
            layout = h5py.VirtualLayout(shape=(3,), dtype="f4")
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "v", shape=(3,), dtype="f4")
            store.create_virtual_dataset("v", layout)
        variable = _variable([0.0, 0.0, 0.0])
        with pytest.raises(compat_hub.UnsafeModuleError, match="not in the file"):
            load_weights(store, {"v": variable}, "the layer")
    assert variable.numpy().tolist() == [0, 0, 0]


def test_a_weight_of_a_shape_that_takes_all_memory(store: Any) -> None:
    message = tensor_pb2.TensorProto(dtype=tf.bfloat16.as_datatype_enum, half_val=[1])
    message.tensor_shape.dim.add(size=2**44)
    store["v"] = np.frombuffer(message.SerializeToString(), np.uint8)
    with pytest.raises(
        compat_hub.CheckpointError, match=r"the shape \(2,\), and \(17592186044416,"
    ):
        load_weights(store, {"v": _variable([1.0, 2.0], "bfloat16")}, "the layer")
