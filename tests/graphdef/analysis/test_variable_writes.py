from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from compat_hub.graphdef.analysis.variable_writes import written_variables
from compat_hub.tf_private import op_registry
from tests.authoring import control_flow_of_tf1
from tests.graphdef.graphs import FLOAT, RESOURCE, make_function, make_graph, make_node

v1 = tf.compat.v1


def _build(build: Callable[[Any, Any, Any], object], resource: bool) -> set[str]:
    """What a graph with the variables `a` and `b` and the placeholder `x` writes to."""
    with tf.Graph().as_default() as graph:
        a, b = (v1.get_variable(n, [2], use_resource=resource) for n in "ab")
        nodes = {operation.name for operation in graph.get_operations()}  # initializers
        build(a, b, v1.placeholder(tf.float32, [2], "x"))
        graph_def = graph.as_graph_def()
    rest = [node for node in graph_def.node if node.name not in nodes]
    return written_variables(rest, ["a", "b"], graph_def.library, op_registry.op_def)


@pytest.mark.parametrize("resource", [False, True], ids=["reference", "resource"])
@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda a, b, x: a * x + b, ""),
        (lambda a, b, x: tf.gather(a, [0, 1]) + b, ""),
        (lambda a, b, x: v1.assign_sub(a, x), "a"),
        (lambda a, b, x: v1.assign(a, b + x), "a"),
        (lambda a, b, x: v1.assign_add(b, a), "b"),
        (lambda a, b, x: v1.scatter_update(b, [0], [1.0]), "b"),
        (lambda a, b, x: v1.Print(x, [a, b]), ""),
        (lambda a, b, x: v1.assert_positive(a), ""),
        (lambda a, b, x: v1.is_variable_initialized(a), ""),
    ],
    ids=["read", "gather", "sub", "assign", "value", "scatter", "print", "assert", "initialized"],
)
def test_ops(build: Any, expected: str, resource: bool) -> None:
    assert _build(build, resource) == set(expected)


def _in_cond(a: Any, b: Any, x: Any) -> None:
    tf.cond(x[0] > 0, lambda: v1.assign_add(a, b), lambda: tf.identity(b))


def _in_loop_in_cond(a: Any, b: Any, x: Any) -> None:
    def body(i: Any) -> Any:
        with tf.control_dependencies([v1.assign_add(a, b * x)]):
            return i + 1

    tf.cond(x[0] > 0, lambda: tf.while_loop(lambda i: i < 3, body, [0]), lambda: [tf.constant(0)])


@pytest.mark.parametrize("resource", [False, True], ids=["reference", "resource"])
@pytest.mark.parametrize("build", [_in_cond, _in_loop_in_cond])
def test_control_flow_of_tf1(build: Any, resource: bool) -> None:
    with control_flow_of_tf1():
        assert _build(build, resource) == {"a"}


@pytest.mark.parametrize("build", [_in_cond, _in_loop_in_cond])
def test_control_flow_of_functions(build: Any) -> None:
    assert _build(build, True) == {"a"}


def test_a_reference_that_an_assignment_returns() -> None:
    assert _build(lambda a, b, x: v1.assign_add(v1.assign(a, b), x), False) == {"a"}


def _function(name: str, *nodes: Any) -> Any:
    arguments = {"first": RESOURCE, "second": RESOURCE, "x": FLOAT}
    return make_function(name, arguments, {"y": ("x", FLOAT)}, *nodes)


def _call(name: str, *inputs: str) -> Any:
    types = [tf.resource, tf.resource, tf.float32]
    return make_node(
        "call", "StatefulPartitionedCall", *inputs, Tin=types, Tout=[tf.float32], f=name
    )


def test_functions_are_looked_into() -> None:
    write = make_node("write", "AssignVariableOp", "second", "x", dtype=tf.float32)
    read = make_node("read", "ReadVariableOp", "first", dtype=tf.float32)
    inner = _function("inner", write, read)
    outer = _function("outer", _call("inner", "second", "first", "x"))
    graph_def = make_graph(_call("outer", "a", "b", "x"), functions=[inner, outer])
    found = written_variables(graph_def.node, ["a", "b"], graph_def.library, op_registry.op_def)
    assert found == {"a"}


def test_an_op_that_nobody_knows_counts_as_one_that_writes() -> None:
    graph_def = make_graph(make_node("n", "NoSuchOp", "a"))
    found = written_variables(graph_def.node, ["a", "b"], graph_def.library, op_registry.op_def)
    assert found == {"a"}
