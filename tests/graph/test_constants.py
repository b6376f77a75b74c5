"""Constants that TensorFlow would end the process over."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from compat_hub.graph.constants import find_bad_constant


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
