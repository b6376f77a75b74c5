from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.inputs.rows_to_tensors import convert_rows, convert_whole


def _dense(dtype: tf.DType, *shape: int | None) -> TensorInfo:
    return TensorInfo(tf.TensorSpec(shape, dtype), ("x:0",))


_RAGGED = TensorInfo(tf.RaggedTensorSpec([None, None], tf.int32), ("a:0", "b:0"))
_SPARSE = TensorInfo(tf.SparseTensorSpec([None, None], tf.float32), ("a:0", "b:0", "c:0"))


def _convert(rows: Any, info: TensorInfo) -> Any:
    return convert_rows(rows, "x", info, lambda k: f"line {k + 10}")


def test_values_that_fit() -> None:
    found = _convert([[1, 2], [3, 4.5]], _dense(tf.float32, None, 2))
    assert (found.dtype, found.numpy().tolist()) == (tf.float32, [[1, 2], [3, 4.5]])
    assert _convert(["a", "ü"], _dense(tf.string, None)).numpy().tolist() == [b"a", "ü".encode()]
    assert _convert(np.arange(3), _dense(tf.int32, None)).dtype == tf.int32
    assert _convert(np.array(["ab", "c"]), _dense(tf.string, None)).numpy().tolist() == [
        b"ab",
        b"c",
    ]
    assert _convert([True], _dense(tf.bool, None)).numpy().tolist() == [True]


@pytest.mark.parametrize(
    ("rows", "info", "message"),
    [
        ([1, "a"], _dense(tf.int32, None), "line 11, input 'x': expected a row .* found \"a\""),
        ([1, 1.5], _dense(tf.int32, None), "line 11, .* found 1.5"),
        ([1, 2**40], _dense(tf.int32, None), "line 11, .* found 1099511627776"),
        ([1, 300], _dense(tf.uint8, None), "line 11, .* found 300"),
        ([1, 1e39], _dense(tf.float32, None), "line 11, .* found 1e[+]39"),
        ([1.0, None], _dense(tf.float32, None), "line 11, .* found null"),
        ([1.0, True], _dense(tf.float32, None), "line 11, .* found true"),
        (["a", 1], _dense(tf.string, None), "line 11, .* found 1"),
        ([0, 1], _dense(tf.bool, None), "line 10, .* found 0"),
        (
            [[1, 2], [1]],
            _dense(tf.float32, None, 2),
            r"line 11, .* \[1\]: 1 values and not 2",
        ),
        ([[1, 2], [1]], _dense(tf.float32, None, None), r"line 11, .* shape \[2\] .* found \[1\]"),
        ([[1, 2], [[1]]], _dense(tf.float32, None, None), r"line 11, .* found \[\[1\]\]"),
        ([[1], ["a"]], _RAGGED, r'line 11, .* ragged .* found \["a"\]'),
        ([{}], _SPARSE, '"indices": .* found {}'),
        ([[1.0]], _SPARSE, "line 10, .* sparse"),
    ],
    ids=range(15),
)
def test_values_that_do_not_fit(rows: Any, info: TensorInfo, message: str) -> None:
    with pytest.raises(compat_hub.InputTypeError, match=message):
        _convert(rows, info)


def test_ragged() -> None:
    assert _convert([[1], [], [2, 3]], _RAGGED).to_list() == [[1], [], [2, 3]]


def test_sparse() -> None:
    rows = [
        {"indices": [[2], [0]], "values": [1, 2.5], "dense_shape": [3]},
        {"indices": [], "values": [], "dense_shape": [4]},
    ]
    found = tf.sparse.to_dense(_convert(rows, _SPARSE))
    assert found.numpy().tolist() == [[2.5, 0, 1, 0], [0, 0, 0, 0]]
    whole = {"indices": [[1, 0]], "values": [7], "dense_shape": [2, 2]}
    value = convert_whole(whole, "x", _SPARSE, "here")
    assert tf.sparse.to_dense(value).numpy().tolist() == [[0, 0], [7, 0]]
    for change in {"indices": [[2, 0]]}, {"values": ["a"]}, {"dense_shape": [2]}, {"more": 1}:
        with pytest.raises(compat_hub.InputTypeError, match=r"here, input .x.: .*dense_shape"):
            convert_whole({**whole, **change}, "x", _SPARSE, "here")
