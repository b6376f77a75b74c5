"""Conditionals by hand: the If computes what Switch and Merge did."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from compat_hub.graphdef.passes.control_flow.conditionals import raise_conditionals
from compat_hub.graphdef.passes.control_flow.make_function import IrreducibleError
from tests.graphdef.graphs import (
    constant,
    facts_of,
    floats,
    make_graph,
    make_node,
    merge,
    nodes_of,
    placeholder,
    run,
    with_functions,
)

_INPUTS = [placeholder("x"), placeholder("p", tf.bool), placeholder("q", tf.bool)]


def _raise(*nodes: Any, effects: Collection[str] = ()) -> tuple[Any, Any, dict[str, Any], dict]:
    """The graph, the graph raised, its nodes by name, and where effects went."""
    graph_def = make_graph(*_INPUTS, *nodes)
    copy = make_graph(*graph_def.node)  # the pass may change nodes
    found, functions, moved = raise_conditionals(nodes_of(copy), effects, facts_of(graph_def))
    raised = with_functions(graph_def, found, functions)
    assert not {"Switch", "Merge"} & {node.op for node in raised.node}
    return graph_def, raised, found, moved


def _check_values(graph_def: Any, raised: Any, fetch: str = "y:0") -> None:
    for p in (False, True):
        for q in (False, True):
            feeds = {"x": np.float32([1.5, -2.0]), "p": p, "q": q}
            expected = run(graph_def, [fetch], **feeds)
            np.testing.assert_array_equal(run(raised, [fetch], **feeds), expected, f"{p} {q}")


def _simple() -> list[Any]:
    return [
        floats("s", "Switch", "x", "p"),
        floats("no", "Neg", "s:0"),
        floats("yes", "Square", "s:1"),
        merge("y", "no", "yes"),
    ]


def test_a_conditional_becomes_one_if() -> None:
    graph_def, raised, nodes, _ = _raise(*_simple())
    _check_values(graph_def, raised)
    (branch,) = [node for node in nodes.values() if node.op == "If"]
    assert branch.name == "y/if"
    assert list(branch.input) == ["p", "x:0"]
    assert (nodes["y"].op, list(nodes["y"].input)) == ("Identity", ["y/if:0"])
    functions = {f.signature.name: f for f in raised.library.function}
    then = functions[branch.attr["then_branch"].func.name]
    other = functions[branch.attr["else_branch"].func.name]
    assert [node.op for node in then.node_def] == ["Square"]
    assert [node.op for node in other.node_def] == ["Neg"]


def test_the_order_of_a_merge_s_inputs_does_not_count() -> None:
    *nodes, _ = _simple()
    graph_def, raised, _, _ = _raise(*nodes, merge("y", "yes", "no"))
    _check_values(graph_def, raised)


def test_a_predicate_behind_identities_is_the_same() -> None:
    nodes = [
        make_node("p/id", "Identity", "p", T=tf.bool),
        floats("s", "Switch", "x", "p"),
        floats("s2", "Switch", "x", "p/id"),
        merge("y", "s:0", "s2:1"),
    ]
    graph_def, raised, found, _ = _raise(*nodes)
    _check_values(graph_def, raised)
    assert [node.op for node in found.values()].count("If") == 1


def test_a_small_constant_is_copied_into_its_branch() -> None:
    nodes = [constant("two", 2.0), *_simple()]
    nodes[3] = floats("yes", "Mul", "s:1", "two")
    graph_def, raised, found, _ = _raise(*nodes)
    _check_values(graph_def, raised)
    assert list(found["y/if"].input) == ["p", "x:0"]


def test_a_tensor_from_outside_is_captured() -> None:
    nodes = [floats("outside", "Exp", "x"), *_simple()]
    nodes[3] = floats("yes", "Mul", "s:1", "outside")
    graph_def, raised, found, _ = _raise(*nodes)
    _check_values(graph_def, raised)
    assert list(found["y/if"].input) == ["p", "x:0", "outside:0"]


def test_a_conditional_in_a_branch() -> None:
    nodes = [
        floats("s", "Switch", "x", "p"),
        make_node("q/in", "Switch", "q", "p", T=tf.bool),
        floats("inner", "Switch", "s:1", "q/in:1"),
        floats("inner/no", "Neg", "inner:0"),
        floats("inner/yes", "Exp", "inner:1"),
        merge("inner/merge", "inner/no", "inner/yes"),
        floats("no", "Square", "s:0"),
        merge("y", "no", "inner/merge"),
    ]
    graph_def, raised, found, _ = _raise(*nodes)
    _check_values(graph_def, raised)
    assert [node.op for node in found.values()].count("If") == 1
    inside = [node.op for f in raised.library.function for node in f.node_def]
    assert inside.count("If") == 1


def test_one_after_the_other_are_two() -> None:
    later = [
        floats("s2", "Switch", "first", "q"),
        floats("no2", "Exp", "s2:0"),
        merge("y", "no2", "s2:1"),
    ]
    *nodes, _ = _simple()
    graph_def, raised, found, _ = _raise(*nodes, merge("first", "no", "yes"), *later)
    _check_values(graph_def, raised)
    assert {"first/if", "y/if"} < found.keys()


def test_an_effect_moves_into_its_branch() -> None:
    """A write that a branch waits for happens only there."""
    nodes = [
        make_node("v", "VarHandleOp", dtype=tf.float32, shared_name=b"v"),
        floats("s", "Switch", "x", "p"),
        make_node("vs", "Switch", "v", "p", T=tf.resource),
        make_node("write", "AssignVariableOp", "vs:1", "s:1", dtype=tf.float32),
        floats("no", "Neg", "s:0"),
        floats("yes", "Square", "s:1"),
        merge("y", "no", "yes"),
    ]
    nodes[0].attr["shape"].shape.dim.add(size=2)
    _, raised, found, moved = _raise(*nodes, effects=["write"])
    assert "write" not in found
    where = {f.signature.name: [n.name for n in f.node_def] for f in raised.library.function}
    effects = {f.signature.name: list(f.control_ret.values()) for f in raised.library.function}
    (branch,) = (node for node in found.values() if moved["write"] == node.name)
    assert "write" in where[branch.attr["then_branch"].func.name]
    assert "write" in effects[branch.attr["then_branch"].func.name]
    assert "write" not in where[branch.attr["else_branch"].func.name]


def test_what_waits_for_a_switch_waits_for_what_was_switched() -> None:
    nodes = [*_simple(), floats("later", "Neg", "y", "^s")]
    graph_def, raised, found, _ = _raise(*nodes)
    _check_values(graph_def, raised, "later:0")
    assert list(found["later"].input) == ["y", "^x"]


def test_names_that_are_taken() -> None:
    graph_def, raised, found, _ = _raise(*_simple(), floats("y/if", "Neg", "y"))
    _check_values(graph_def, raised, "y/if:0")
    assert found["y/if"].op == "Neg"
    assert found["y/if_"].op == "If"


@pytest.mark.parametrize(
    ("nodes", "node", "why"),
    [
        (
            [
                floats("s", "Switch", "x", "p"),
                floats("t", "Switch", "x", "q"),
                merge("y", "s:0", "t:1"),
            ],
            "y",
            "merges what are not the two branches of one conditional",
        ),
        (
            [
                floats("s", "Switch", "x", "p"),
                floats("t", "Switch", "x", "q"),
                floats("y", "Add", "s:0", "t:1"),
            ],
            "y",
            "needs branches of two unrelated conditionals",
        ),
    ],
)
def test_what_is_no_conditional_is_refused(nodes: list[Any], node: str, why: str) -> None:
    with pytest.raises(IrreducibleError, match=why) as caught:
        _raise(*nodes)
    assert caught.value.node == node


def test_without_switches_nothing_happens() -> None:
    graph_def = make_graph(*_INPUTS, floats("y", "Neg", "x"))
    nodes = nodes_of(graph_def)
    assert raise_conditionals(nodes, [], facts_of(graph_def)) == (nodes, [], {})
