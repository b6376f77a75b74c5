"""Reference variables of which a function only has the value."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from compat_hub.graphdef.passes.references_to_values import ReferenceNeededError, to_values
from compat_hub.tf_private import op_registry
from tests.graphdef.graphs import constant, make_graph, make_node, placeholder, run

T = tf.float32


def _to_values(*nodes: Any) -> Any:
    return to_values(make_graph(*nodes), {"w:0"}, op_registry.op_def)


def _run(graph: Any, fetch: str, value: float) -> Any:
    """Runs a graph with the variable's value in the variable's place."""
    graph.node.append(placeholder("w"))
    return run(graph, [fetch], w=value)[0]


def test_what_only_reads_stays() -> None:
    graph = make_graph(make_node("y", "Identity", "w", T=T), make_node("z", "Neg", "y", T=T))
    assert to_values(graph, {"w:0"}, op_registry.op_def) is graph
    assert _run(graph, "z:0", 3.0) == -3.0


def test_references_that_are_passed_on() -> None:
    graph = _to_values(
        constant("p", True),
        make_node("switch", "RefSwitch", "w", "p", T=T, _output_shapes=[]),
        make_node("same", "RefIdentity", "switch:1", T=T),
        make_node("merge", "RefMerge", "switch", "same", T=T, N=2),
        make_node("y", "Neg", "merge", T=T),
    )
    assert [n.op for n in graph.node[1:4]] == ["Switch", "Identity", "Merge"]
    assert "_output_shapes" not in graph.node[1].attr
    assert _run(graph, "y:0", 3.0) == -3.0


def test_a_reference_in_a_loop() -> None:
    enter = {"T": T, "frame_name": b"f", "is_constant": True}
    graph = _to_values(
        make_node("enter", "RefEnter", "w", **enter),
        constant("x", 1.0),
        make_node("start", "Enter", "x", T=T, frame_name=b"f"),
        make_node("merge", "Merge", "start", "next", T=T, N=2),
        make_node("less", "Less", "merge", "enter", T=T),
        make_node("cond", "LoopCond", "less"),
        make_node("switch", "Switch", "merge", "cond", T=T),
        make_node("sum", "Add", "switch:1", "enter", T=T),
        make_node("next", "NextIteration", "sum", T=T),
        make_node("out", "Exit", "switch", T=T),
    )
    assert graph.node[0].op == "Enter"
    assert _run(graph, "out:0", 5.0) == 6.0


@pytest.mark.parametrize(
    "node",
    [
        make_node("bad", "AssignAdd", "w", "x", T=T),
        make_node("bad", "CountUpTo", "w", T=T, limit=3),
        make_node("bad", "IsVariableInitialized", "w", dtype=T),
        make_node("bad", "ApplyGradientDescent", "w", "x", "x", T=T),
    ],
)
def test_what_needs_the_reference(node: Any) -> None:
    expected = f"'bad' of type '{node.op}' needs the reference variable 'w:0' itself"
    with pytest.raises(ReferenceNeededError, match=expected):
        _to_values(constant("x", 1.0), node)
    passed = type(node)()
    passed.CopyFrom(node)
    passed.input[0] = "same"
    with pytest.raises(ReferenceNeededError, match="needs the reference variable 'same:0'"):
        _to_values(constant("x", 1.0), passed, make_node("same", "RefIdentity", "w", T=T))


def test_other_references_stay() -> None:
    assign = make_node("assign", "Assign", "own", "w", T=T)
    graph = make_graph(make_node("own", "VariableV2", dtype=T), assign)
    with pytest.raises(ReferenceNeededError):  # it takes the value of w, but says nothing of which
        to_values(graph, {"w:0"}, op_registry.op_def)
    assert to_values(graph, set(), op_registry.op_def) is graph
