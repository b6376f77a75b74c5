from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from compat_hub.graphdef.analysis.side_effects import find_effects, find_stateful, has_effect
from compat_hub.tf_private import op_registry
from tests.graphdef.graphs import FLOAT, RESOURCE, make_function, make_graph, make_node


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("AssignAddVariableOp", True),
        ("AssignVariableOp", True),
        ("ResourceScatterAdd", True),
        ("LookupTableInsertV2", True),
        ("Assert", True),
        ("PrintV2", True),
        ("WriteFile", True),
        ("ReadVariableOp", False),
        ("ResourceGather", False),
        ("LookupTableFindV2", False),
        ("VarIsInitializedOp", False),
        ("RandomUniform", False),
        ("MatMul", False),
        ("Placeholder", False),
    ],
)
def test_ops(op: str, expected: bool) -> None:
    assert has_effect(make_node("n", op), op_registry.op_def, ()) is expected


def _function(name: str, *nodes: Any) -> Any:
    return make_function(name, {"h": RESOURCE, "x": FLOAT}, {"y": ("x", FLOAT)}, *nodes)


ADD = make_node("add", "AssignAddVariableOp", "h", "x", dtype=tf.float32)
READ = make_node("read", "ReadVariableOp", "h", dtype=tf.float32)


def _call(name: str, function: str, op: str = "StatefulPartitionedCall") -> Any:
    types = [tf.resource, tf.float32]
    return make_node(name, op, "h", "x", Tin=types, Tout=[tf.float32], f=function)


def _if(name: str, then: str, otherwise: str) -> Any:
    branches = {"then_branch": then, "else_branch": otherwise}
    types = {"Tcond": tf.bool, "Tin": [tf.resource, tf.float32], "Tout": [tf.float32]}
    return make_node(name, "If", "flag", "h", "x", **types, **branches)


FUNCTIONS = [
    _function("pure", READ),
    _function("adds", ADD),
    _function("calls_pure", _call("c", "pure")),
    _function("calls_adds", _call("c", "adds")),
    _function("adds_in_a_branch", _if("if", "pure", "calls_adds")),
]


def _effects(*nodes: Any, functions: list[Any] = FUNCTIONS) -> list[str]:
    return find_effects(make_graph(*nodes, functions=functions), op_registry.op_def)


def test_nodes_of_the_graph() -> None:
    assert _effects(ADD, READ, make_node("check", "Assert")) == ["add", "check"]
    assert _effects() == []


def test_functions_that_call_functions() -> None:
    nodes = [_call(f.signature.name, f.signature.name) for f in FUNCTIONS]
    assert _effects(*nodes) == ["adds", "calls_adds", "adds_in_a_branch"]


def test_branches() -> None:
    nodes = [_if("a", "pure", "calls_pure"), _if("b", "pure", "adds"), _if("c", "adds", "pure")]
    assert _effects(*nodes) == ["b", "c"]


def test_functions_that_call_each_other() -> None:
    loop = [_function("a", _call("c", "b")), _function("b", _call("c", "a"))]
    # It cannot be told, so they count.
    assert _effects(_call("n", "a"), functions=loop) == ["n"]


def test_a_call_of_a_function_that_is_not_there() -> None:
    assert _effects(_call("n", "elsewhere")) == ["n"]


def test_a_call_by_the_function_s_name() -> None:
    functions = [*FUNCTIONS, _function("named", make_node("c", "adds", "h", "x"))]
    assert _effects(_if("n", "pure", "named"), functions=functions) == ["n"]


def test_what_is_registered_as_stateful_whether_it_changes_anything_or_not() -> None:
    nodes = [
        make_node("table", "Placeholder", dtype=tf.resource),
        make_node("gather", "ResourceGather", "table", "x", dtype=tf.float32, Tindices=tf.int32),
        make_node("random", "RandomUniform", "shape", dtype=tf.float32, T=tf.int32),
        make_node("call", "adds", "table", "x"),
        make_node("sum", "AddV2", "gather", "random", T=tf.float32),
    ]
    graph = make_graph(*nodes, functions=FUNCTIONS)
    assert find_stateful(graph, op_registry.op_def) == ["gather", "random", "call"]
    assert find_effects(graph, op_registry.op_def) == ["call"]
