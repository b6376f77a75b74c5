"""Conditionals that need themselves, since a gradient is in the branches of the forward nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from compat_hub.graphdef.passes.control_flow.conditionals import raise_conditionals
from compat_hub.graphdef.passes.control_flow.make_function import (
    CycleError,
    IrreducibleError,
    topological_order,
)
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


def _entangled(kept: str = "yes") -> list[Any]:
    """y = x² or -x, and its "gradient": it takes y, and in the branch of True a tensor of that.

    Both go by Switches of one predicate: as one If it would need its own result.
    """
    return [
        placeholder("x"),
        placeholder("p", tf.bool),
        floats("s", "Switch", "x", "p"),
        floats("no", "Neg", "s:0"),
        floats("yes", "Square", "s:1"),
        merge("y", "no", "yes"),
        floats("grad/s", "Switch", "y", "p"),
        floats("grad/yes", "Mul", "grad/s:1", kept),
        floats("grad/no", "Exp", "grad/s:0"),
        merge("grad", "grad/no", "grad/yes"),
    ]


def _raise(nodes: list[Any]) -> tuple[Any, Any]:
    graph_def = make_graph(*nodes)
    copy = make_graph(*nodes)
    found, functions, _ = raise_conditionals(nodes_of(copy), [], facts_of(graph_def))
    raised = with_functions(graph_def, found, functions)
    assert not {"Switch", "Merge"} & {node.op for node in raised.node}
    return graph_def, raised


@pytest.mark.parametrize("kept", ["yes", "s:1"], ids=["made in the branch", "switched into it"])
def test_it_becomes_two_ifs_that_compute_the_same(kept: str) -> None:
    graph_def, raised = _raise(_entangled(kept))
    assert [node.op for node in raised.node].count("If") == 2
    for p in (False, True):
        feeds = {"x": np.float32([0.5, -2.0]), "p": p}
        expected = run(graph_def, ["y:0", "grad:0"], **feeds)
        np.testing.assert_array_equal(run(raised, ["y:0", "grad:0"], **feeds), expected)


def test_in_one_piece_it_is_a_cycle() -> None:
    """So that the test above is one of taking apart."""
    one = [
        placeholder("x"),
        placeholder("p", tf.bool),
        make_node("y/if", "If", "p", "x", "y", Tin=[tf.float32] * 2, Tout=[tf.float32] * 2),
        floats("y", "Identity", "y/if"),
    ]
    with pytest.raises(CycleError) as caught:
        topological_order(nodes_of(make_graph(*one)))
    assert caught.value.node in {"y", "y/if"}


def test_a_tensor_of_the_other_branch_too() -> None:
    nodes = _entangled()
    nodes[-2] = floats("grad/no", "Mul", "grad/s:0", "no")
    graph_def, raised = _raise(nodes)
    for p in (False, True):
        feeds = {"x": np.float32([0.5, -2.0]), "p": p}
        expected = run(graph_def, ["grad:0"], **feeds)
        np.testing.assert_array_equal(run(raised, ["grad:0"], **feeds), expected)


def test_a_later_node_that_only_waits_waits_no_more() -> None:
    nodes = _entangled()
    nodes[-3].input.append("^yes")
    graph_def, raised = _raise(nodes)
    feeds = {"x": np.float32([0.5]), "p": True}
    assert run(raised, ["grad:0"], **feeds) == run(graph_def, ["grad:0"], **feeds)


def test_a_resource_of_the_branch_has_no_zero() -> None:
    handle = make_node("h", "VarHandleOp", dtype=tf.float32, shared_name=b"h")
    handle.attr["shape"].shape.SetInParent()
    nodes = [
        handle,
        *_entangled(),
        make_node("hs", "Switch", "h", "p", T=tf.resource),
        make_node("hi", "Identity", "hs:1", T=tf.resource),
        make_node("r", "ReadVariableOp", "hi", "^grad/s2", dtype=tf.float32),
        floats("grad/s2", "Identity", "grad/s:1"),
        floats("z", "Add", "grad/yes", "r"),
        constant("zero", 0.0),
    ]
    for node in nodes:
        if node.name == "grad":
            node.input[:] = ["grad/no", "z"]
    with pytest.raises(IrreducibleError, match="is used by the gradient of its conditional") as e:
        _raise(nodes)
    assert e.value.node == "hi"
