from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from compat_hub.graphdef.passes.hoist_reads import hoist_reads
from tests.graphdef.graphs import FLOAT, constant, make_graph, make_node, placeholder

_FRAME: dict[str, Any] = {"frame_name": b"loop", "is_constant": True, "T": tf.resource}


def _variable() -> Any:
    node = make_node("v", "VarHandleOp", dtype=tf.float32, shared_name=b"v")
    node.attr["shape"].shape.dim.add(size=3)
    return node


def _hoist(*nodes: Any) -> tuple[Any, dict[str, Any]]:
    graph_def = make_graph(_variable(), *nodes)
    before = graph_def.SerializeToString(deterministic=True)
    result = hoist_reads(graph_def, {"v:0": FLOAT})
    assert graph_def.SerializeToString(deterministic=True) == before
    return result, {node.name: node for node in result.node}


def _read(name: str, handle: str, *controls: str) -> Any:
    return make_node(name, "ReadVariableOp", handle, *controls, dtype=tf.float32)


def test_a_read_outside_of_control_flow_stays() -> None:
    graph_def, nodes = _hoist(_read("read", "v"))
    assert nodes["read"].op == "ReadVariableOp"
    assert len(graph_def.node) == 2


def test_a_read_in_a_loop_is_an_identity_of_what_enters() -> None:
    _, nodes = _hoist(make_node("enter", "Enter", "v", **_FRAME), _read("read", "enter", "^c"))
    assert nodes["read"].op == "Identity"
    assert list(nodes["read"].input) == ["enter/compat_hub_value:0", "^c"]
    assert nodes["read"].attr["T"].type == FLOAT
    assert "dtype" not in nodes["read"].attr
    value = nodes["enter/compat_hub_value"]
    assert value.op == "Enter"
    assert value.attr["frame_name"].s == b"loop"
    assert value.attr["is_constant"].b
    assert value.attr["T"].type == FLOAT
    assert list(value.input) == ["v/compat_hub_read:0"]
    assert nodes["v/compat_hub_read"].op == "ReadVariableOp"
    assert list(nodes["v/compat_hub_read"].input) == ["v:0"]


@pytest.mark.parametrize("branch", [0, 1])
def test_a_read_in_a_branch(branch: int) -> None:
    switch = make_node("switch", "Switch", "v", "p", T=tf.resource)
    switch.attr["_class"].list.s.append(b"loc:@v")
    handle = "switch:1" if branch else "switch"
    predicate = placeholder("p", tf.bool)
    _, nodes = _hoist(predicate, switch, _read("read", handle))
    assert list(nodes["read"].input) == [f"switch/compat_hub_value:{branch}"]
    value = nodes["switch/compat_hub_value"]
    assert list(value.input) == ["v/compat_hub_read:0", "p"]
    assert "_class" not in value.attr


def test_through_chains_one_read_for_all() -> None:
    chain = [
        make_node("enter", "Enter", "v", **_FRAME),
        make_node("switch", "Switch", "enter", "p", T=tf.resource),
        make_node("same", "Identity", "switch:1", T=tf.resource),
        make_node("inner", "Enter", "same", **{**_FRAME, "frame_name": b"inner"}),
    ]
    reads = [_read("a", "inner"), _read("b", "inner"), _read("c", "switch"), _read("d", "v")]
    # In the order in which a file may have them: uses before what they use.
    _, nodes = _hoist(*reads, *reversed(chain), placeholder("p", tf.bool))
    names = [n for n in nodes if "compat_hub" in n]
    assert sorted(names) == [
        "enter/compat_hub_value",
        "inner/compat_hub_value",
        "same/compat_hub_value",
        "switch/compat_hub_value",
        "v/compat_hub_read",
    ]
    assert [nodes[n].op for n in "abcd"] == ["Identity"] * 3 + ["ReadVariableOp"]
    assert list(nodes["inner/compat_hub_value"].input) == ["same/compat_hub_value:0"]
    assert list(nodes["same/compat_hub_value"].input) == ["switch/compat_hub_value:1"]


@pytest.mark.parametrize("where", ["outside", "inside"])
def test_a_variable_that_is_written_is_read_where_it_was(where: str) -> None:
    write = make_node(
        "write",
        "AssignAddVariableOp",
        "v" if where == "outside" else "enter",
        "one",
        dtype=tf.float32,
    )
    enter = make_node("enter", "Enter", "v", **_FRAME)
    graph_def, nodes = _hoist(constant("one", 1.0), enter, write, _read("read", "enter"))
    assert nodes["read"].op == "ReadVariableOp"
    assert list(nodes["read"].input) == ["enter"]
    assert len(graph_def.node) == 5


def test_what_a_function_may_write_is_read_where_it_was() -> None:
    call = make_node("call", "PartitionedCall", "v", f="f", Tin=[tf.resource], Tout=[tf.float32])
    _, nodes = _hoist(make_node("enter", "Enter", "v", **_FRAME), call, _read("read", "enter"))
    assert nodes["read"].op == "ReadVariableOp"


def test_questions_about_a_variable_write_nothing() -> None:
    shape = make_node("shape", "VariableShape", "v", out_type=tf.int32)
    _, nodes = _hoist(make_node("enter", "Enter", "v", **_FRAME), shape, _read("read", "enter"))
    assert nodes["read"].op == "Identity"
    assert list(nodes["shape"].input) == ["v"]


@pytest.mark.parametrize("batch_dims", [0, 1])
def test_a_gather(batch_dims: int) -> None:
    gather = make_node(
        "gather", "ResourceGather", "switch:1", "ids", "^c", dtype=tf.float32, Tindices=tf.int64
    )
    gather.attr["batch_dims"].i = batch_dims
    switch = make_node("switch", "Switch", "v", "p", T=tf.resource)
    _, nodes = _hoist(placeholder("p", tf.bool), placeholder("ids", tf.int64), switch, gather)
    found = nodes["gather"]
    assert found.op == "GatherV2"
    axis = "gather/compat_hub_axis"
    assert list(found.input) == ["switch/compat_hub_value:1", "ids", axis, "^c"]
    assert found.attr["batch_dims"].i == batch_dims
    assert found.attr["Tindices"].type == tf.int64.as_datatype_enum
    # A constant in a branch runs only if something of the branch comes before it.
    assert list(nodes[axis].input) == ["^gather/compat_hub_value_here"]
    here = nodes["gather/compat_hub_value_here"]
    assert (here.op, list(here.input)) == ("Identity", ["switch/compat_hub_value:1"])
    assert tf.make_ndarray(nodes[axis].attr["value"].tensor) == batch_dims


@pytest.mark.parametrize("chosen", [False, True])
def test_the_values_are_the_same(chosen: bool) -> None:
    switch = make_node("switch", "Switch", "v", "p", T=tf.resource)
    gather = make_node(
        "gather", "ResourceGather", "switch:1", "ids", dtype=tf.float32, Tindices=tf.int32
    )
    reads = [
        _read("read", "switch"),
        make_node("sum", "Sum", "read", "axis", T=tf.float32, Tidx=tf.int32),
        make_node("sum_of_some", "Sum", "gather", "axis", T=tf.float32, Tidx=tf.int32),
        make_node("merge", "Merge", "sum", "sum_of_some", T=tf.float32, N=2),
    ]
    nodes = [
        placeholder("p", tf.bool),
        constant("ids", np.asarray([0, 2, 2], "int32")),
        constant("axis", np.asarray([0], "int32")),
    ]
    graph_def, _ = _hoist(*nodes, switch, gather, *reads)
    expected = [1.0 + 3.0 + 3.0] if chosen else [1.0 + 2.0 + 3.0]
    assign = [
        constant("start", [1.0, 2.0, 3.0]),
        make_node("init", "AssignVariableOp", "v", "start", dtype=tf.float32),
    ]
    graph_def.node.extend(assign)
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            session.run("init")
            assert session.run(["merge:0"], {"p:0": chosen}) == expected
