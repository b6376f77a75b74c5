"""Constants that TensorFlow would end the process over."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from compat_hub.graphdef.checks.constants import find_bad_constant


def _graph() -> tuple[Any, Any]:
    """A graph of one constant, and its node."""
    graph_def = tf.compat.v1.GraphDef()
    node = graph_def.node.add(name="c", op="Const")
    node.attr["dtype"].type = tf.int32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([1, 2], tf.int32))
    return graph_def, node


def test_a_constant() -> None:
    graph_def, _ = _graph()
    assert find_bad_constant(graph_def) is None


def test_another_dtype_than_its_value() -> None:
    graph_def, node = _graph()
    node.attr["dtype"].type = tf.uint8.as_datatype_enum
    assert "'c' has the dtype 4, and its value 3" in (find_bad_constant(graph_def) or "")


@pytest.mark.parametrize("size", [-1, 2**62, 2**40])
def test_a_size_that_cannot_be(size: int) -> None:
    graph_def, node = _graph()
    node.attr["value"].tensor.tensor_shape.dim[0].size = size
    node.attr["value"].tensor.tensor_shape.dim.add(size=4)
    assert f"'c' has the shape [{size}, 4]" in (find_bad_constant(graph_def) or "")


def test_an_unknown_rank() -> None:
    graph_def, node = _graph()
    node.attr["value"].tensor.tensor_shape.unknown_rank = True
    assert find_bad_constant(graph_def) is not None


def test_in_functions() -> None:
    graph_def, node = _graph()
    node.attr["dtype"].type = tf.uint8.as_datatype_enum
    graph_def.library.function.add().node_def.add().CopyFrom(node)
    del graph_def.node[:]
    assert find_bad_constant(graph_def) is not None


def _bytes(dtype: Any, sizes: list[int], values: Any, times: int = 1, **kwargs: Any) -> int | None:
    """The limit from which on a constant, or several of them, can be."""
    graph_def = tf.compat.v1.GraphDef()
    for k in range(times):
        node = graph_def.node.add(name=f"c{k}", op="Const", **kwargs)
        node.attr["dtype"].type = dtype.as_datatype_enum
        tensor = node.attr["value"].tensor
        tensor.CopyFrom(tf.make_tensor_proto(values, dtype))
        tensor.tensor_shape.CopyFrom(tf.TensorShape(sizes).as_proto())
    message = find_bad_constant(graph_def, 0)
    if message is None:
        return None
    assert f"the shape {sizes}" in (find_bad_constant(graph_def, 2**20) or f"the shape {sizes}")
    found = int(message.partition(" take ")[2].partition(" ")[0].replace(",", "")) * times
    assert find_bad_constant(graph_def, found) is None
    assert "COMPAT_HUB_MAX_CONSTANT_BYTES" in (find_bad_constant(graph_def, found - 1) or "")
    return found


def test_constants_that_take_more_memory_than_they_have_in_the_file() -> None:
    assert _bytes(tf.float32, [2**29], 1.0) == 4 * (2**29 - 1)
    assert _bytes(tf.float32, [2**20], 1.0, times=3) == 3 * 4 * (2**20 - 1)
    assert _bytes(tf.complex128, [2**20], 1j) == 16 * (2**20 - 1)
    assert _bytes(tf.bool, [2**20], [True, False]) == 2**20 - 2
    assert _bytes(tf.string, [2**31], "") == 24 * (2**31 - 1)
    # Each element is a copy of the last string.
    assert _bytes(tf.string, [2**10], ["a" * 2**20]) == (24 + 2**20) * (2**10 - 1)
    assert _bytes(tf.float32, [0, 2**30], []) is None
    assert _bytes(tf.float32, [100, 100], [[2.0] * 100] * 100) is None
    assert _bytes(tf.float32, [2**18], list(range(2**18))) is None
    assert _bytes(tf.string, [2**14], ["a"] * 2**14) is None


def test_the_limit() -> None:
    """The smallest constant that a large module has compressed to one number."""
    graph_def, node = _graph()
    node.attr["value"].tensor.tensor_shape.dim[0].size = 2**26
    assert find_bad_constant(graph_def, 2**28) is None
    node.op = "HostConst"
    node.attr["value"].tensor.tensor_shape.dim.add(size=2)
    assert find_bad_constant(graph_def, 2**28) is not None


@pytest.mark.parametrize("kind", ["variant", "resource"])
def test_objects_of_a_process(kind: str) -> None:
    graph_def, node = _graph()
    dtype = getattr(tf, kind).as_datatype_enum
    tensor = node.attr["value"].tensor
    tensor.Clear()
    node.attr["dtype"].type = tensor.dtype = dtype
    assert find_bad_constant(graph_def) is None
    if kind == "variant":
        tensor.variant_val.add(type_name="tensorflow::TensorList", metadata=b"\0\1\5")
    else:
        tensor.resource_handle_val.add(name="of somebody else")
    assert "'c' holds objects of a process" in (find_bad_constant(graph_def) or "")


def test_a_constant_of_an_op_that_is_none() -> None:
    graph_def = tf.compat.v1.GraphDef()
    node = graph_def.node.add(name="s", op="ImageSummary")
    assert find_bad_constant(graph_def) is None
    assert not node.attr
    node.attr["bad_color"].tensor.CopyFrom(tf.make_tensor_proto([1], tf.uint8, [2**34]))
    assert "'s' has the shape [17179869184]" in (find_bad_constant(graph_def) or "")
