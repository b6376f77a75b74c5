"""TensorArrays by hand: lists give the same values; and arrays that cannot become lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from compat_hub.graphdef.passes.tensor_arrays_to_lists import (
    TensorArrayError,
    has_tensor_arrays,
    to_tensor_lists,
)
from tests.graphdef.graphs import (
    constant,
    floats,
    make_graph,
    make_node,
    merge,
    names,
    placeholder,
    run,
)

_X = np.float32([[1, 2], [3, 4], [5, 6]])


def _array(size: str = "three", **attrs: Any) -> list[Any]:
    return [
        constant("zero", 0),
        constant("one", 1),
        constant("two", 2),
        constant("three", 3),
        placeholder("x"),
        make_node("a", "TensorArrayV3", size, dtype=tf.float32, **attrs),
        make_node("range", "Range", "zero", "three", "one", Tidx=tf.int32),
        make_node("some", "Pack", "two", "zero", "two", N=3, T=tf.int32),
        make_node("lengths", "Const", dtype=tf.int64, value=np.int64([1, 2, 0])),
    ]


def _op(name: str, op: str, *inputs: str, **attrs: Any) -> Any:
    dtype = {"T": tf.float32} if op in {"Write", "Scatter", "Split"} else {"dtype": tf.float32}
    return make_node(name, f"TensorArray{op}V3", "a", *inputs, **(attrs or dtype))


def _element(node: Any, *sizes: int) -> Any:
    for size in sizes:
        node.attr["element_shape"].shape.dim.add(size=size)
    return node


def _rewrite(*nodes: Any, array: list[Any] | None = None) -> tuple[Any, Any, dict[str, Any]]:
    graph_def = make_graph(*(array or _array()), *nodes)
    before = graph_def.SerializeToString(deterministic=True)
    lists = to_tensor_lists(graph_def)
    assert graph_def.SerializeToString(deterministic=True) == before
    assert not [node.op for node in lists.node if node.op.startswith("TensorArray")]
    return graph_def, lists, {node.name: node for node in lists.node}


def _check_values(graph_def: Any, lists: Any, *fetches: str, **feeds: Any) -> None:
    feeds = {"x": _X, **feeds}
    expected = run(graph_def, fetches, **feeds)
    for found, value in zip(run(lists, fetches, **feeds), expected, strict=True):
        np.testing.assert_array_equal(found, value)


_SCATTERED = _op("w", "Scatter", "range", "x", "a:1")


def test_what_is_written_at_once_is_read_at_once() -> None:
    nodes = [
        _SCATTERED,
        _op("n", "Size", "w", dtype=tf.float32),
        make_node("all", "Range", "zero", "n", "one", Tidx=tf.int32),
        _op("y", "Gather", "all", "w"),
    ]
    nodes[1].attr.clear()
    graph_def, lists, found = _rewrite(*nodes)
    _check_values(graph_def, lists, "y:0", "n:0")
    assert found["a"].op == "TensorListReserve"
    assert found["w"].op == "TensorListFromTensor"
    assert found["y"].op == "TensorListStack"


def test_an_element() -> None:
    graph_def, lists, found = _rewrite(_SCATTERED, _element(_op("y", "Read", "two", "w"), 2))
    _check_values(graph_def, lists, "y:0")
    assert found["y"].op == "TensorListGetItem"


def test_an_element_that_is_written() -> None:
    row = make_node("row", "Cast", "two", SrcT=tf.int32, DstT=tf.float32)
    nodes = [row, _op("w", "Write", "one", "row", "a:1"), _op("y", "Read", "one", "w")]
    graph_def, lists, found = _rewrite(*nodes)
    _check_values(graph_def, lists, "y:0")
    assert found["w"].op == "TensorListSetItem"
    assert not found["w"].attr["resize_if_index_out_of_bounds"].b


def test_an_array_that_grows() -> None:
    row = make_node("row", "Cast", "two", SrcT=tf.int32, DstT=tf.float32)
    nodes = [row, _op("w", "Write", "two", "row", "a:1"), _op("y", "Read", "two", "w")]
    graph_def, lists, found = _rewrite(*nodes, array=_array("one", dynamic_size=True))
    _check_values(graph_def, lists, "y:0")
    assert found["w"].attr["resize_if_index_out_of_bounds"].b


def test_some_elements_one_of_them_twice() -> None:
    """A list's gradient would forget the second read."""
    nodes = [_SCATTERED, _op("y", "Gather", "some", "w")]
    graph_def, lists, found = _rewrite(*nodes, array=_array(clear_after_read=False))
    _check_values(graph_def, lists, "y:0")
    assert found["y/unique"].op == "Unique"
    assert (found["y/elements"].op, found["y"].op) == ("TensorListGather", "GatherV2")


def test_rows_split_and_joined() -> None:
    nodes = [_op("w", "Split", "x", "lengths", "a:1"), _op("y", "Concat", "w")]
    graph_def, lists, found = _rewrite(*nodes)
    _check_values(graph_def, lists, "y:0", "y:1")
    assert (found["w"].op, found["y"].op) == ("TensorListSplit", "TensorListConcatV2")


def test_through_a_branch() -> None:
    nodes = [
        placeholder("p", tf.bool),
        _SCATTERED,
        floats("s", "Switch", "w", "p"),
        make_node("as", "Switch", "a", "p", T=tf.resource),
        make_node("read", "TensorArrayReadV3", "as:1", "two/s:1", "s:1", dtype=tf.float32),
        make_node("two/s", "Switch", "two", "p", T=tf.int32),
        make_node("other", "TensorArrayReadV3", "as:0", "zero/s", "s", dtype=tf.float32),
        make_node("zero/s", "Switch", "zero", "p", T=tf.int32),
        merge("y", "other", "read"),
    ]
    graph_def, lists, found = _rewrite(*nodes)
    assert "as" not in found  # what passed the handle on
    assert found["s"].attr["T"].type == tf.variant.as_datatype_enum
    for p in (False, True):
        _check_values(graph_def, lists, "y:0", p=p)
    # A constant in a branch waits for something of the branch.
    (wait,) = found["read/element_shape"].input
    assert found[wait[1:]].input[0] == "s:1"


def test_what_closes_an_array_does_nothing() -> None:
    _, _, found = _rewrite(_op("close", "Close"))
    assert found["close"].op == "NoOp"


@pytest.mark.parametrize("op", ["TensorArrayGradV3", "TensorArrayV2"])
def test_an_op_without_a_twin(op: str) -> None:
    with pytest.raises(TensorArrayError, match=f"'odd' of type '{op}'") as caught:
        _rewrite(make_node("odd", op, "a", "a:1"))
    assert caught.value.node == "odd"


def test_a_handle_that_something_else_takes() -> None:
    with pytest.raises(TensorArrayError, match="'odd' of type 'Pack'"):
        _rewrite(make_node("odd", "Pack", "a", N=1, T=tf.resource))


def test_a_flow_from_elsewhere() -> None:
    with pytest.raises(TensorArrayError, match="'y' of type 'TensorArrayReadV3'"):
        _rewrite(_op("y", "Read", "two", "x"))


def test_an_array_without_a_size() -> None:
    graph_def = tf.compat.v1.GraphDef()
    graph_def.node.add(name="a", op="TensorArrayV3", input=["^other"])
    graph_def.node.add(name="other", op="NoOp")
    with pytest.raises(TensorArrayError, match="'a' of type 'TensorArrayV3'"):
        to_tensor_lists(graph_def)


def test_a_graph_without_arrays_stays() -> None:
    graph_def = make_graph(placeholder("x"))
    assert not has_tensor_arrays(graph_def)
    assert to_tensor_lists(graph_def) is graph_def
    assert names(graph_def) == ["x"]
