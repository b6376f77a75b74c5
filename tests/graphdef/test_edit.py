from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.graphdef.edit import copy_node, follow, int_constant, new_graph, split_inputs
from tests.graphdef.graphs import floats, make_function, make_graph, make_node, names


def test_a_copy_is_apart() -> None:
    node = floats("a", "Neg", "x")
    copy = copy_node(node)
    copy.input[0] = "y"
    assert list(node.input) == ["x"]


def test_inputs_are_tensors_and_control_inputs() -> None:
    assert split_inputs(floats("a", "Neg", "x", "^b", "^c")) == (["x"], ["^b", "^c"])


def test_constants() -> None:
    for value, dtype in (3, tf.int32), ([1, 2], tf.int64), ([], tf.int64):
        node = int_constant("c", value, "^x", dtype=dtype.as_datatype_enum)
        found = tf.make_ndarray(node.attr["value"].tensor)
        np.testing.assert_array_equal(found, np.asarray(value, dtype.as_numpy_dtype))
        assert found.dtype == dtype.as_numpy_dtype
        assert list(node.input) == ["^x"]


def test_a_new_graph_has_the_versions_and_the_functions() -> None:
    used, other = make_function("used", {}, {}), make_function("other", {}, {})
    graph_def = make_graph(make_node("a", "NoOp"), functions=[used, other])
    new = new_graph(graph_def, [make_node("b", "used")])
    assert names(new) == ["b"]
    assert new.versions == graph_def.versions
    assert new.library == graph_def.library
    needed = new_graph(graph_def, [make_node("b", "used")], only_needed=True)
    assert [f.signature.name for f in needed.library.function] == ["used"]


def test_following_goes_around_circles_and_ends() -> None:
    nodes = [make_node("c", "NoOp", "b"), make_node("b", "NoOp", "a"), make_node("a", "NoOp", "x")]
    nodes.append(make_node("alone", "NoOp", "alone"))
    known = {"x"}

    def visit(node: Any) -> bool:
        if known.isdisjoint(node.input):
            return False
        known.add(node.name)
        return True

    follow(nodes, visit)
    assert known == {"x", "a", "b", "c"}
