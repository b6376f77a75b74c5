from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

import compat_hub
from compat_hub.format import tensor_info
from tests.records import FIXTURES


def _proto(shape: Any = None, dtype: tf.DType = tf.float32, **fields: Any) -> Any:
    proto = meta_graph_pb2.TensorInfo(dtype=dtype.as_datatype_enum, **fields)
    proto.tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
    return proto


def _sparse(shape: Any) -> Any:
    proto = _proto(shape, tf.int64)
    proto.coo_sparse.indices_tensor_name = "i:0"
    proto.coo_sparse.values_tensor_name = "v:0"
    proto.coo_sparse.dense_shape_tensor_name = "s:0"
    return proto


def _ragged() -> tensor_info.TensorInfo:
    spec = compat_hub.load_module_spec(FIXTURES / "ragged_io/module")
    return spec.get_input_info_dict()["deep"]


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ([], "float32 []"),
        ([None, 4], "float32 [None, 4]"),
        (None, "float32 of unknown rank"),
    ],
)
def test_dense(shape: Any, text: str) -> None:
    info = tensor_info.parse(_proto(shape, name="x:1"))
    assert info.type_spec == tf.TensorSpec(shape, tf.float32)
    assert info.dtype == tf.float32
    assert info.get_shape() == tf.TensorShape(shape)
    assert info.get_shape().rank == tf.TensorShape(shape).rank
    assert (info.is_sparse, info.is_composite) == (False, False)
    assert info.components == ("x:1",)
    assert info.component_specs() == [info.type_spec]
    assert str(info) == text
    assert info.pack(["a tensor"]) == "a tensor"


@pytest.mark.parametrize(("shape", "rank"), [([None, 10], 2), ([3], 1), (None, None)])
def test_sparse(shape: Any, rank: int | None) -> None:
    info = tensor_info.parse(_sparse(shape))
    assert info.type_spec == tf.SparseTensorSpec(shape, tf.int64)
    assert info.dtype == tf.int64
    assert info.get_shape().rank == rank
    assert (info.is_sparse, info.is_composite) == (True, True)
    assert info.components == ("i:0", "v:0", "s:0")
    indices, values, dense_shape = info.component_specs()
    assert (indices.dtype, values.dtype, dense_shape.dtype) == (tf.int64,) * 3
    assert [s.shape.rank for s in (indices, values, dense_shape)] == [2, 1, 1]
    assert indices.shape[1] == dense_shape.shape[0] == rank
    expected = "of unknown rank" if shape is None else shape
    assert str(info) == f"sparse int64 {expected}"


def test_sparse_values_are_packed() -> None:
    info = tensor_info.parse(_sparse([None, 3]))
    value = info.pack([[[0, 2]], [7], [1, 3]])
    assert isinstance(value, tf.SparseTensor)
    assert tf.sparse.to_dense(value).numpy().tolist() == [[0, 0, 7]]


def test_ragged() -> None:
    info = _ragged()
    assert info.type_spec == tf.RaggedTensorSpec([None, None, None], tf.int32, 2, tf.int64)
    assert info.dtype == tf.int32
    assert info.get_shape().as_list() == [None, None, None]
    assert (info.is_sparse, info.is_composite) == (False, True)
    assert len(info.components) == 3
    assert [(s.dtype, s.shape.rank) for s in info.component_specs()] == [
        (tf.int32, 1),
        (tf.int64, 1),
        (tf.int64, 1),
    ]
    assert str(info) == "ragged int32 [None, None, None]"


def test_ragged_values_are_packed() -> None:
    value = tf.ragged.constant([[[1, 2], []], [[3]]], dtype=tf.int32)
    packed = _ragged().pack(tf.nest.flatten(value, expand_composites=True))
    assert packed.to_list() == value.to_list()


def test_a_name_without_an_output_number_is_that_of_output_0() -> None:
    assert tensor_info.parse(_proto([], name="x")).components == ("x:0",)


def test_it_cannot_be_changed() -> None:
    info = tensor_info.parse(_proto([], name="x:0"))
    with pytest.raises(AttributeError):
        info.type_spec = None
    infos = tensor_info.parse_map({"b": _proto([], name="x:0"), "a": _proto([], name="y:0")})
    assert list(infos) == ["a", "b"]
    with pytest.raises(TypeError):
        infos["c"] = info


def test_an_unknown_encoding() -> None:
    with pytest.raises(compat_hub.ModuleFormatError, match="unknown encoding"):
        tensor_info.parse(_proto([]))


def test_a_shape_that_is_none() -> None:
    proto = _proto([None], name="x:0")
    proto.tensor_shape.dim[0].size = -2
    with pytest.raises(compat_hub.ModuleFormatError, match=r"\[-2\]"):
        tensor_info.parse(proto)


def test_tensors_that_make_no_sparse_tensor() -> None:
    info = tensor_info.TensorInfo(tf.SparseTensorSpec([None], tf.float32), ("i:0", "v:0", "s:0"))
    components = [tf.zeros([1, 1], tf.int64), tf.zeros([1]), tf.zeros([1], tf.int32)]
    with pytest.raises(compat_hub.ModuleFormatError, match=r"i:0, v:0, s:0 make no sparse float32"):
        info.pack(components)
