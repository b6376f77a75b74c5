"""A whole graph: loops, then the conditionals outside of them, and the targets."""

from __future__ import annotations

import tensorflow as tf

from compat_hub.graphdef.passes.control_flow.raise_control_flow import (
    has_control_flow,
    raise_control_flow,
)
from compat_hub.tf_private import op_registry
from tests.graphdef.graphs import (
    floats,
    make_function,
    make_graph,
    make_node,
    merge,
    placeholder,
    types_of,
)


def test_targets_in_a_branch_become_the_if_and_the_library_stays() -> None:
    own = make_function("own", {}, {})
    variable = make_node("v", "VarHandleOp", dtype=tf.float32, shared_name=b"v")
    variable.attr["shape"].shape.SetInParent()
    graph_def = make_graph(
        variable,
        placeholder("x"),
        placeholder("p", tf.bool),
        floats("s", "Switch", "x", "p"),
        make_node("vs", "Switch", "v", "p", T=tf.resource),
        make_node("one", "AssignVariableOp", "vs:1", "s:1", dtype=tf.float32),
        make_node("two", "AssignAddVariableOp", "vs:1", "s:1", dtype=tf.float32),
        make_node("outside", "NoOp"),
        merge("y", "s:0", "s:1"),
        functions=[own],
    )
    assert has_control_flow(graph_def)
    targets = ["one", "outside", "two:0"]
    raised, found = raise_control_flow(graph_def, types_of(graph_def), targets, op_registry.op_def)
    assert not has_control_flow(raised)
    assert found == ["y/if", "outside"]
    assert raised.library.function[0] == own
    assert raised.versions == graph_def.versions
    effects = [set(f.control_ret) for f in raised.library.function if f.control_ret]
    assert effects == [{"one", "two"}]
