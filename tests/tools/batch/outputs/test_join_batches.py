from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tools.batch.outputs.join_batches import Joiner, array_of, rows_of


def _joined(info: TensorInfo, *parts: Any) -> dict[str, np.ndarray]:
    joiner = Joiner("y", info)
    found: dict[str, list[np.ndarray]] = {}
    for part in parts:
        for label, array in joiner.add(part, rows_of(part)).items():
            found.setdefault(label, []).append(array)
    arrays = {label: np.concatenate(value) for label, value in found.items()}
    return {**arrays, **joiner.finish()}


def test_dense() -> None:
    info = TensorInfo(tf.TensorSpec([None, 2], tf.bfloat16), ("y:0",))
    found = _joined(info, tf.ones([2, 2], tf.bfloat16), tf.zeros([1, 2], tf.bfloat16))
    assert found["y"].dtype == np.float32
    assert found["y"].tolist() == [[1, 1], [1, 1], [0, 0]]


def test_sparse() -> None:
    parts = [tf.sparse.from_dense([[0, 1], [2, 0]]), tf.sparse.from_dense([[0, 0, 3]])]
    info = TensorInfo(tf.SparseTensorSpec([None, None], tf.int32), ("a:0", "b:0", "c:0"))
    found = _joined(info, *parts)
    joined = tf.SparseTensor(found["y_indices"], found["y_values"], found["y_dense_shape"])
    assert tf.sparse.to_dense(joined).numpy().tolist() == [[0, 1, 0], [2, 0, 0], [0, 0, 3]]


@pytest.mark.parametrize(
    "parts",
    [
        [[[1], [], [2, 3]], [[4, 5]], [[]]],
        [[[[1, 2], []], []], [[[3]], [[4], [5, 6]]]],
    ],
    ids=["one", "two"],
)
def test_ragged(parts: list[Any]) -> None:
    rank = 1 + (parts[0][0][0] != 1)
    tensors = [tf.ragged.constant(part, ragged_rank=rank, dtype=tf.int32) for part in parts]
    info = TensorInfo(tf.type_spec_from_value(tf.concat(tensors, 0)), ("y:0",) * (rank + 1))
    found = list(_joined(info, *tensors).values())
    joined = tf.RaggedTensor.from_nested_row_splits(found[0], found[1:])
    assert joined.to_list() == [row for part in parts for row in part]


def test_what_cannot_be_joined() -> None:
    info = TensorInfo(tf.TensorSpec(None, tf.float32), ("y:0",))
    joiner = Joiner("y", info)
    joiner.add(tf.ones([2, 3]), 2)
    with pytest.raises(compat_hub.SignatureError, match=r"shape \[2, 4\] for one batch.*jsonl"):
        joiner.add(tf.ones([2, 4]), 2)
    for value in tf.ones([7, 3]), tf.constant(1.0):
        joiner = Joiner("y", info)
        joiner.add(value, 2)
        with pytest.raises(compat_hub.SignatureError, match="not one value for each row"):
            joiner.add(value, 2)


def test_arrays_and_rows() -> None:
    assert array_of(tf.constant(["a"])).tolist() == [b"a"]
    assert rows_of(tf.constant(3)) is None
    assert rows_of(tf.zeros([5, 2])) == 5
