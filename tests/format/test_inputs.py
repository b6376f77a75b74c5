"""Values that fit and how they are bound to names; test_bad_input.py has those that do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.format.inputs import bind_inputs, convert_input
from compat_hub.format.tensor_info import TensorInfo


def _info(shape: Any = None, dtype: tf.DType = tf.float32, name: str = "x:0") -> TensorInfo:
    return TensorInfo(tf.TensorSpec(shape, dtype), (name,))


def _bind(names: str, inputs: Any, optional: str = "", **others: Any) -> dict[str, Any]:
    infos = {name: _info(name=name) for name in names}
    return bind_inputs(infos, inputs, lambda i: i.components[0] in optional, "W", others)


@pytest.mark.parametrize(
    ("names", "optional", "inputs", "expected"),
    [
        ("", "", None, {}),
        ("", "", {}, {}),
        ("x", "", 5, {"x": 5}),
        ("x", "", [5], {"x": [5]}),
        ("x", "", {"x": 5}, {"x": 5}),
        ("x", "x", None, {}),
        ("x", "x", {}, {}),
        ("x", "x", 5, {"x": 5}),
        ("xyz", "yz", 5, {"x": 5}),
        ("zyx", "yz", 5, {"x": 5}),
        ("xyz", "yz", {"z": 6, "x": 5}, {"x": 5, "z": 6}),
        ("xy", "", {"y": 6, "x": 5}, {"x": 5, "y": 6}),
    ],
)
def test_binding(names: str, optional: str, inputs: Any, expected: dict[str, Any]) -> None:
    bound = _bind(names, inputs, optional)
    assert bound == expected
    assert list(bound) == list(expected)  # in the signature's order


def test_binding_around_arguments() -> None:
    assert _bind("xy", 5, y=6) == {"x": 5, "y": 6}
    assert _bind("xy", {"x": 5}, y=6) == {"x": 5, "y": 6}
    assert _bind("xyz", 5, "z", y=6) == {"x": 5, "y": 6}
    assert _bind("y", None, y=6) == {"y": 6}


@pytest.mark.parametrize(
    ("names", "optional", "inputs", "others", "message"),
    [
        ("xy", "", 5, {}, "a dict with the keys 'x', 'y'"),
        ("xy", "xy", 5, {}, "a dict with the keys 'x', 'y'"),
        ("", "", 5, {}, "expected no inputs, found one int"),
        ("x", "", {"x": 5}, {"x": 6}, "'x' are given twice"),
        ("x", "", 5, {"x": 6}, "expected no inputs"),
        ("xy", "", {"x": 5}, {"z": 6}, "missing 'y'; not an input: 'z'"),
        ("xy", "y", None, {}, r"missing 'x'.*'y': float32 of unknown rank \(optional\)"),
    ],
)
def test_bindings_that_fail(
    names: str, optional: str, inputs: Any, others: dict[str, Any], message: str
) -> None:
    with pytest.raises(compat_hub.InputTypeError, match=f"In W: .*{message}"):
        _bind(names, inputs, optional, **others)


def test_binding_leaves_the_caller_s_dicts_alone() -> None:
    inputs, others = {"x": 5}, {"y": 6}
    bind_inputs({"x": _info(), "y": _info()}, inputs, lambda _: False, "W", others)
    assert (inputs, others) == ({"x": 5}, {"y": 6})


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (2, tf.float32, 2.0),
        (True, tf.float32, 1.0),
        ([1, 2.5], tf.float32, [1.0, 2.5]),
        (np.array([1, 2]), tf.float32, [1.0, 2.0]),
        (np.array([1.5]), tf.float32, [1.5]),
        (np.array([1.5]), tf.float16, [1.5]),
        (np.array([1.5]), tf.bfloat16, [1.5]),
        (np.float64(1.5), tf.float32, 1.5),
        (np.array([1, -2]), tf.int32, [1, -2]),
        (np.array([255]), tf.uint8, [255]),
        ([[0], [255]], tf.uint8, [[0], [255]]),
        ([tf.constant(1), 2], tf.int32, [1, 2]),
        (np.zeros([0], "int64"), tf.uint8, []),
        (np.array([1.0]), tf.complex64, [1.0 + 0j]),
        ([True, False], tf.bool, [True, False]),
        ("a", tf.string, b"a"),
        (b"\xff", tf.string, b"\xff"),
        (["a", b"b", "ü"], tf.string, [b"a", b"b", "ü".encode()]),
        (np.array(["a", "bc"]), tf.string, [b"a", b"bc"]),
        (np.array([b"a", b"bc"]), tf.string, [b"a", b"bc"]),
        (np.array(["a", b"bc"], object), tf.string, [b"a", b"bc"]),
        (np.str_("a"), tf.string, b"a"),
        (tf.constant([1.0]), tf.float32, [1.0]),
        ([tf.constant(1.0), 2.0], tf.float32, [1.0, 2.0]),
        (tf.Variable([1.0]), tf.float32, [1.0]),
        (
            tf.IndexedSlices(tf.constant([[1.0]]), tf.constant([1]), tf.constant([2, 1])),
            tf.float32,
            [[0.0], [1.0]],
        ),
    ],
    ids=lambda value: None if isinstance(value, tf.DType) else type(value).__name__,
)
def test_dense_values(value: Any, dtype: tf.DType, expected: Any) -> None:
    (tensor,) = convert_input(value, "x", _info(None, dtype), "W")
    assert tensor.dtype == dtype
    assert np.asarray(tensor).tolist() == expected


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.array([1.5]), tf.int32),
        (1.5, tf.int32),
        (np.array([1 << 40]), tf.int32),
        (1 << 40, tf.int32),
        ([[1], [1 << 40]], tf.int32),
        ([256], tf.uint8),
        (np.array([-1]), tf.uint8),
        (np.array([256]), tf.uint8),
        (np.array([1j]), tf.float32),
        (np.array([1]), tf.string),
        (np.array([1]), tf.bool),
        (np.array(["1"]), tf.float32),
        (np.datetime64("2020-01-01"), tf.int64),
        (tf.constant([1.0], tf.float64), tf.float32),
        (tf.constant([1]), tf.int64),
        (tf.Variable([1]), tf.float32),
    ],
)
def test_values_that_would_lose_their_meaning(value: Any, dtype: tf.DType) -> None:
    with pytest.raises(compat_hub.InputTypeError, match="In W, input 'x': expected"):
        convert_input(value, "x", _info(None, dtype), "W")


@pytest.mark.parametrize(
    ("declared", "found", "fits"),
    [
        ([None, 4], [2, 4], True),
        ([None, 4], [0, 4], True),
        ([None, 4], [4], False),
        ([None, 4], [2, 3], False),
        ([2, 4], [1, 4], False),
        ([], [], True),
        ([], [1], False),
        (None, [1, 2, 3], True),
    ],
)
def test_shapes(declared: Any, found: list[int], fits: bool) -> None:
    info = _info(declared)
    if fits:
        assert convert_input(np.zeros(found), "x", info, "W")[0].shape == found
        return
    with pytest.raises(compat_hub.InputTypeError, match="found float32") as caught:
        convert_input(np.zeros(found), "x", info, "W")
    assert str(info) in str(caught.value)


@pytest.mark.parametrize(
    ("value", "dtype", "declared", "hint"),
    [
        ("a text", tf.string, [None], r"Pass a list of texts, \[text\]"),
        ([["a"], ["b"]], tf.string, [None], r"Drop the last dimension: tf.squeeze\(x, 1\)"),
        ([1.0, 2.0], tf.float32, [None, 2], r"Pass a batch, x\[None\]"),
        (["a", None], tf.string, [None], 'There is a None in it: .*"" for a text'),
        (np.array(["a", np.nan], object), tf.string, [None], "There is a nan in it"),
        ([1, None], tf.int32, [None], "There is a None in it: .* a number"),
    ],
)
def test_what_to_do_about_it(value: Any, dtype: tf.DType, declared: Any, hint: str) -> None:
    with pytest.raises(compat_hub.InputTypeError, match=hint):
        convert_input(value, "x", _info(declared, dtype), "W")


def test_shapes_that_only_the_running_program_knows() -> None:
    @tf.function(input_signature=[tf.TensorSpec(None), tf.TensorSpec([None, None])])
    def call(unknown: tf.Tensor, matrix: tf.Tensor) -> None:
        assert convert_input(unknown, "x", _info([None, 4]), "W") == [unknown]
        assert convert_input(matrix, "x", _info([None, 4]), "W") == [matrix]
        with pytest.raises(compat_hub.InputTypeError, match=r"found float32 \[None, None\]"):
            convert_input(matrix, "x", _info([None]), "W")

    call.get_concrete_function()


SPARSE = TensorInfo(tf.SparseTensorSpec([None, 3], tf.float32), ("i:0", "v:0", "s:0"))
RAGGED = TensorInfo(tf.RaggedTensorSpec([None, None, None], tf.float32, 2, tf.int64), tuple("abc"))


def test_sparse_values() -> None:
    sparse = tf.SparseTensor([[0, 1]], [2.0], [4, 3])
    indices, values, shape = convert_input(sparse, "x", SPARSE, "W")
    assert indices is sparse.indices
    assert values is sparse.values
    assert shape is sparse.dense_shape
    old = tf.compat.v1.SparseTensorValue(
        np.array([[0, 1]]), np.array([2.0], "float32"), np.array([4, 3])
    )
    found = [tensor.numpy().tolist() for tensor in convert_input(old, "x", SPARSE, "W")]
    assert found == [[[0, 1]], [2.0], [4, 3]]


@pytest.mark.parametrize("splits", [tf.int32, tf.int64])
def test_ragged_values(splits: tf.DType) -> None:
    nested = [[[1.0, 2.0], []], [[3.0]]]
    ragged = tf.ragged.constant(nested, dtype=tf.float32, row_splits_dtype=splits)
    for value in (ragged, nested, tuple(nested)):
        tensors = convert_input(value, "x", RAGGED, "W")
        assert [t.dtype for t in tensors] == [tf.float32, tf.int64, tf.int64]
        assert [t.numpy().tolist() for t in tensors] == [[1, 2, 3], [0, 2, 3], [0, 2, 2, 3]]
