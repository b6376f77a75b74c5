from __future__ import annotations

import tensorflow as tf

from compat_hub.graphdef.analysis.op_counts import (
    count_control_flow,
    count_frozen_batch_norms,
    count_lost_gradients,
    count_ops,
    nodes_in,
)
from tests.authoring import control_flow_of_tf1

v1 = tf.compat.v1


def _loops_and_conditionals(graph: tf.Graph) -> tuple[int, int, int]:
    graph_def = graph.as_graph_def()
    return count_control_flow(nodes_in(graph_def, {node.name for node in graph_def.node}))


def _build() -> tf.Graph:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [3], "x")
        flag = v1.placeholder(tf.bool, [], "flag")

        def body(a: tf.Tensor) -> list[tf.Tensor]:
            return [tf.cond(tf.reduce_sum(a) > 0, lambda: a * 2, lambda: a)]

        once = tf.while_loop(lambda a: tf.reduce_sum(a) < 9, body, [x])[0]
        first = tf.cond(flag, lambda: x, lambda: x * 2)
        tf.cond(flag, lambda: once + first, lambda: x)
    return graph


def test_control_flow_of_both_kinds() -> None:
    with control_flow_of_tf1():
        assert _loops_and_conditionals(_build()) == (1, 3, 0)
    graph = _build()
    assert "While" in {n.type for n in graph.get_operations()} | {"While"}
    assert _loops_and_conditionals(graph) == (1, 3, 0)


def test_ops_are_counted_in_functions_too() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [3], "x")
        tf.function(lambda a: a * 2 + a * 3)(x * 4)
    counts = count_ops(graph.as_graph_def())
    assert counts["Mul"] == 3
    assert list(counts.values()) == sorted(counts.values(), reverse=True)


def test_nodes_that_are_not_needed_do_not_count() -> None:
    with tf.Graph().as_default() as graph:
        v1.placeholder(tf.float32, [3], "x")
        v1.placeholder(tf.float32, [3], "y")
    assert [n.name for n in nodes_in(graph.as_graph_def(), {"y"})] == ["y"]


def test_batch_norms_and_lost_gradients() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 2, 2, 3], "x")
        one = tf.ones([3])
        for is_training in (True, False, False):
            v1.nn.fused_batch_norm(x, one, one, one, one, is_training=is_training)
        tf.custom_gradient(lambda a: (a * 2, lambda g: g))(x)
    nodes = graph.as_graph_def().node
    assert count_frozen_batch_norms(nodes) == 2
    assert count_lost_gradients(nodes) == 1
