"""Loops by hand: the While computes what the frame did."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from compat_hub.graphdef.passes.control_flow.loops import raise_loops
from compat_hub.graphdef.passes.control_flow.make_function import IrreducibleError
from tests.graphdef.graphs import (
    constant,
    facts_of,
    floats,
    loop_variable,
    make_graph,
    make_node,
    merge,
    nodes_of,
    placeholder,
    run,
    with_functions,
)

_FRAME = {"frame_name": b"frame", "T": tf.float32}


def _double_until(limit: str = "limit/enter") -> list[Any]:
    """x doubles until it is beyond 100: `x/exit`."""
    return [
        constant("limit", 100.0),
        make_node("limit/enter", "Enter", "limit", is_constant=True, **_FRAME),
        *loop_variable("x", "x", "double"),
        floats("less", "Less", "x/merge", limit),
        make_node("go", "LoopCond", "less"),
        floats("double", "Add", "x/in", "x/in"),
    ]


def _raise(*nodes: Any) -> tuple[Any, Any, dict[str, Any]]:
    graph_def = make_graph(placeholder("x"), placeholder("p", tf.bool), *nodes)
    for node in graph_def.node:
        if node.op == "Placeholder":
            node.attr["shape"].shape.SetInParent()
    found, functions = raise_loops(nodes_of(graph_def), facts_of(graph_def))
    raised = with_functions(graph_def, found, functions)
    ops = {node.op for node in raised.node}
    assert not {"Enter", "Exit", "NextIteration", "LoopCond", "Merge", "Switch"} & ops
    return graph_def, raised, found


def _check_values(graph_def: Any, raised: Any, *fetches: str) -> None:
    for x in (1.0, 3.0, 1000.0):
        for p in (False, True):
            expected = run(graph_def, fetches, x=np.float32(x), p=p)
            np.testing.assert_array_equal(run(raised, fetches, x=np.float32(x), p=p), expected)


def test_a_loop_becomes_one_while() -> None:
    graph_def, raised, nodes = _raise(*_double_until())
    _check_values(graph_def, raised, "x/exit:0")
    (loop,) = (node for node in nodes.values() if node.op == "While")
    assert loop.attr["parallel_iterations"].i == 10
    assert nodes["x/exit"].op == "Identity"
    functions = {f.signature.name: f for f in raised.library.function}
    body = functions[loop.attr["body"].func.name]
    condition = functions[loop.attr["cond"].func.name]
    assert "double" in [node.name for node in body.node_def]
    assert [node.name for node in condition.node_def] == ["less"]
    assert condition.signature.output_arg[0].type == tf.bool.as_datatype_enum


def test_parallel_iterations_are_kept() -> None:
    nodes = _double_until()
    for node in nodes:
        if node.op == "Enter":
            node.attr["parallel_iterations"].i = 3
    _, _, found = _raise(*nodes)
    (loop,) = (node for node in found.values() if node.op == "While")
    assert loop.attr["parallel_iterations"].i == 3


def test_several_variables_keep_their_places() -> None:
    nodes = [
        *_double_until(),
        constant("zero", 0.0),
        constant("one", 1.0),
        make_node("one/enter", "Enter", "one", is_constant=True, **_FRAME),
        *loop_variable("count", "zero", "count/add"),
        floats("count/add", "Add", "count/in", "one/enter"),
        *loop_variable("last", "x", "x/in"),
    ]
    graph_def, raised, _ = _raise(*nodes)
    _check_values(graph_def, raised, "x/exit:0", "count/exit:0", "last/exit:0")


def test_the_order_of_a_merge_s_inputs_does_not_count() -> None:
    nodes = _double_until()
    for node in nodes:
        if node.op == "Merge":
            node.input[:] = reversed(node.input)
    graph_def, raised, _ = _raise(*nodes)
    _check_values(graph_def, raised, "x/exit:0")


def test_a_conditional_in_a_body() -> None:
    nodes = [
        *_double_until(),
        make_node("p/enter", "Enter", "p", frame_name=b"frame", T=tf.bool, is_constant=True),
        floats("s", "Switch", "x/in", "p/enter"),
        floats("no", "Square", "s:0"),
        merge("double2", "no", "double3"),
        floats("double3", "Add", "s:1", "s:1"),
    ]
    square = {"x/next": "double2"}
    for node in nodes:
        if node.name in square:
            node.input[:] = [square[node.name]]
    nodes = [n for n in nodes if n.name != "double"]
    graph_def, raised, found = _raise(*nodes)
    assert run(graph_def, ["x/exit:0"], x=np.float32(3.0), p=True) == [192.0]
    for p, x in (True, 3.0), (False, 3.0), (True, 1000.0):
        feeds = {"x": np.float32(x), "p": p}
        assert run(raised, ["x/exit:0"], **feeds) == run(graph_def, ["x/exit:0"], **feeds)
    assert "If" not in [node.op for node in found.values()]
    assert "If" in [node.op for f in raised.library.function for node in f.node_def]


def test_a_loop_in_a_loop() -> None:
    """The outer one adds 1 until 10, after each time the inner one has doubled until 100."""
    inner = {"frame_name": b"inner"}
    nodes = [
        constant("limit", 3.0),
        make_node("limit/enter", "Enter", "limit", is_constant=True, **_FRAME),
        constant("one", 1.0),
        make_node("one/enter", "Enter", "one", is_constant=True, **_FRAME),
        constant("zero", 0.0),
        *loop_variable("n", "zero", "n/add"),
        floats("n/add", "Add", "n/in", "one/enter"),
        floats("less", "Less", "n/merge", "limit/enter"),
        make_node("go", "LoopCond", "less"),
        *loop_variable("x", "x", "i/exit"),
        *loop_variable("i", "x/in", "i/double", "go/inner", **inner),
        floats("i/double", "Add", "i/in", "i/in"),
        make_node("top/enter", "Enter", "x/in", is_constant=True, **{**_FRAME, **inner}),
        floats("top", "Add", "top/enter", "top/enter"),
        floats("i/less", "Less", "i/merge", "top"),
        make_node("go/inner", "LoopCond", "i/less"),
    ]
    graph_def, raised, found = _raise(*nodes)
    _check_values(graph_def, raised, "x/exit:0", "n/exit:0")
    assert [node.op for node in found.values()].count("While") == 1
    inside = [node.op for f in raised.library.function for node in f.node_def]
    assert inside.count("While") == 1


def test_an_effect_of_the_body_is_one_of_its_function() -> None:
    nodes = [
        make_node("v", "VarHandleOp", dtype=tf.float32, shared_name=b"v"),
        make_node("v/enter", "Enter", "v", is_constant=True, frame_name=b"frame", T=tf.resource),
        *_double_until(),
        make_node("write", "AssignVariableOp", "v/enter", "double", dtype=tf.float32),
    ]
    nodes[0].attr["shape"].shape.SetInParent()
    for node in nodes:
        if node.name == "x/next":
            node.input.append("^write")
    _, raised, found = _raise(*nodes)
    assert "write" not in found
    effects = [name for f in raised.library.function for name in f.control_ret.values()]
    assert effects == ["write"]
    (loop,) = (node for node in found.values() if node.op == "While")
    assert "v" in list(loop.input)
    arguments = [a for f in raised.library.function for a in f.signature.input_arg]
    assert any(a.handle_data and a.handle_data[0].dtype == 1 for a in arguments)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"x/exit": ["x/in"]}, "leaves a loop with what is no loop variable"),
        ({"x/merge": ["x/enter", "x/enter"]}, "does not merge a way into a loop and a way back"),
        ({"x/exit": ["x"]}, "leaves a loop that it is not in"),
        ({"x/switch": ["double", "go"]}, "is part of a cycle|switches what is no loop variable"),
    ],
)
def test_what_is_no_loop_is_refused(change: dict[str, list[str]], why: str) -> None:
    good = make_graph(placeholder("x"), *_double_until())
    facts = facts_of(good)
    nodes = nodes_of(good)
    for name, sources in change.items():
        nodes[name].input[:] = sources
    with pytest.raises(IrreducibleError, match=why) as caught:
        raise_loops(nodes, facts)
    assert caught.value.node in nodes


def test_a_frame_without_a_condition_is_refused() -> None:
    facts = facts_of(make_graph(placeholder("x"), *_double_until()))
    nodes = {n.name: n for n in _double_until() if n.name in {"x/enter", "limit", "limit/enter"}}
    with pytest.raises(IrreducibleError, match="is in a frame without one condition"):
        raise_loops(nodes, facts)


def test_a_way_into_a_loop_that_leads_to_no_variable_is_refused() -> None:
    graph_def = make_graph(placeholder("x"), *_double_until())
    nodes = nodes_of(graph_def)
    nodes["limit/enter"].attr["is_constant"].b = False
    with pytest.raises(IrreducibleError, match="enters a loop and is no loop variable"):
        raise_loops(nodes, facts_of(graph_def))


def test_without_loops_nothing_happens() -> None:
    graph_def = make_graph(placeholder("x"), floats("y", "Neg", "x"))
    nodes = nodes_of(graph_def)
    assert raise_loops(nodes, facts_of(graph_def)) == (nodes, [])
