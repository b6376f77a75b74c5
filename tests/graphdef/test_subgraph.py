from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from compat_hub.graphdef.subgraph import (
    ancestors,
    consumed_tensors,
    cut,
    dependents,
    index_nodes,
    strip_placement,
)
from tests.graphdef.graphs import (
    FLOAT,
    constant,
    make_function,
    make_graph,
    make_node,
    names,
    placeholder,
    run,
)


def _add(name: str, *inputs: str):
    return make_node(name, "AddV2", *inputs, T=tf.float32)


# x ─┬→ a ─┬→ b ──→ d        e, beside them, waits for c
#    └→ c ←┘ (control)
GRAPH = make_graph(
    placeholder("x"),
    make_node("a", "Identity", "x", T=tf.float32),
    _add("b", "a", "x:0"),
    make_node("c", "Identity", "x", "^a", T=tf.float32),
    _add("d", "b:0", "b"),
    make_node("e", "NoOp", "^c"),
)
NODES = index_nodes(GRAPH)


def test_nodes_by_name_in_order() -> None:
    assert list(NODES) == ["x", "a", "b", "c", "d", "e"]
    assert NODES["b"] is not None
    assert NODES["b"].op == "AddV2"


@pytest.mark.parametrize(
    ("wanted", "fed", "expected"),
    [
        ([], [], ""),
        (["x:0"], [], "x"),
        (["d:0"], [], "xabd"),
        (["d"], [], "xabd"),
        (["c:0"], [], "xac"),
        (["e"], [], "xace"),
        (["e", "d:0"], [], "xabcde"),
        (["d:0"], ["b:0"], "d"),
        (["d:0"], ["a:0"], "xbd"),
        (["d:0"], ["a:0", "x:0"], "bd"),
        (["d:0"], ["d:0"], ""),
        (["d:0"], ["e:0"], "xabd"),
        # A control dependency on a node that is fed is met.
        (["c:0"], ["a:0"], "xc"),
        (["e"], ["c:0"], "e"),
        # Another output of a fed node is not given.
        (["d:0"], ["b:1"], "xabd"),
    ],
)
def test_ancestors(wanted: list[str], fed: list[str], expected: str) -> None:
    assert ancestors(NODES, wanted, fed) == set(expected)
    assert names(cut(GRAPH, NODES, wanted, fed)) == sorted(expected, key="xabcde".index)


def test_ancestors_of_a_second_output() -> None:
    graph = make_graph(
        placeholder("x", tf.int32),
        make_node("u", "Unique", "x", T=tf.int32, out_idx=tf.int32),
        make_node("y", "Identity", "u:1", T=tf.int32),
    )
    nodes = index_nodes(graph)
    assert ancestors(nodes, ["y:0"], ["u:0"]) == {"x", "u", "y"}
    assert ancestors(nodes, ["y:0"], ["u:1"]) == {"y"}


def test_ancestors_in_a_cycle() -> None:
    graph = make_graph(
        constant("start", 0.0),
        make_node("enter", "Enter", "start", T=tf.float32, frame_name=b"f"),
        make_node("merge", "Merge", "enter", "next", T=tf.float32, N=2),
        make_node("next", "NextIteration", "merge", T=tf.float32),
        make_node("exit", "Exit", "merge", T=tf.float32),
    )
    nodes = index_nodes(graph)
    assert ancestors(nodes, ["exit:0"]) == set(nodes)
    assert ancestors(nodes, ["exit:0"], ["enter:0"]) == {"merge", "next", "exit"}
    assert names(cut(graph, nodes, ["next:0"])) == ["start", "enter", "merge", "next"]
    assert dependents(nodes, ["next"]) == {"merge", "next", "exit"}


def test_a_node_that_is_missing() -> None:
    graph = make_graph(_add("b", "gone", "x"), placeholder("x"))
    with pytest.raises(KeyError) as caught:
        ancestors(index_nodes(graph), ["b:0"])
    assert caught.value.args == ("gone",)
    assert ancestors(index_nodes(graph), ["x:0"]) == {"x"}
    assert ancestors(index_nodes(graph), ["b:0"], ["gone:0"]) == {"b", "x"}


@pytest.mark.parametrize(
    ("sources", "fed", "expected"),
    [
        ([], [], ""),
        (["x"], [], "xabcde"),
        (["a"], [], "abcde"),
        (["b"], [], "bd"),
        (["x"], ["x:0"], "x"),
        (["a"], ["a:0"], "a"),
        (["a"], ["b:0"], "abce"),
        (["gone"], [], ""),
    ],
)
def test_dependents(sources: list[str], fed: list[str], expected: str) -> None:
    assert dependents(NODES, sources, fed) - {"gone"} == set(expected)


def test_a_cut_graph_computes_the_same() -> None:
    part = cut(GRAPH, NODES, ["d:0"])
    (expected,) = run(GRAPH, ["d:0"], x=3.0)
    assert run(part, ["d:0"], x=3.0) == [expected] == [12.0]


def test_inputs_that_name_fed_tensors_dangle() -> None:
    part = cut(GRAPH, NODES, ["d:0"], ["a:0", "x:0"])
    assert [list(n.input) for n in part.node] == [["a", "x:0"], ["b:0", "b"]]
    with tf.Graph().as_default():
        given = {"a:0": tf.constant(1.0), "x:0": tf.constant(2.0)}
        (d,) = tf.graph_util.import_graph_def(part, given, ["d:0"])
        with tf.compat.v1.Session() as session:
            assert session.run(d) == 6.0


def test_control_inputs_on_what_is_cut_away_are_dropped() -> None:
    part = cut(GRAPH, NODES, ["e", "d:0"], ["c:0"])
    assert list(index_nodes(part)["e"].input) == []
    part = cut(GRAPH, NODES, ["c:0", "b:0"], ["a:0"])
    assert list(index_nodes(part)["c"].input) == ["x"]


def test_cutting_leaves_the_graph_alone() -> None:
    before = GRAPH.SerializeToString(deterministic=True)
    part = cut(GRAPH, NODES, ["c:0"], ["a:0"])
    part.node[0].name = "changed"
    assert GRAPH.SerializeToString(deterministic=True) == before


def test_versions_are_kept() -> None:
    graph = make_graph(placeholder("x"))
    graph.versions.producer = 27
    graph.versions.min_consumer = 12
    assert cut(graph, index_nodes(graph), ["x"]).versions == graph.versions


def test_placements_are_dropped() -> None:
    node = make_node("x", "NoOp")
    node.device = "/job:worker/device:GPU:0"
    node.attr["_class"].list.s.extend([b"loc:@a", b"loc:@b"])
    strip_placement(node)
    assert node == make_node("x", "NoOp")
    node.attr["_class"].list.s.extend([b"loc:@a", b"other"])
    strip_placement(node)
    assert list(node.attr["_class"].list.s) == [b"other"]


def test_placements_are_dropped_in_functions_too() -> None:
    inner = make_node("y", "Identity", "x", T=tf.float32)
    inner.device = "/device:GPU:0"
    inner.attr["_class"].list.s.append(b"loc:@x")
    function = make_function("f", {"x": FLOAT}, {"y": ("y:output:0", FLOAT)}, inner)
    call = make_node("call", "f", "x")
    call.device = "/device:GPU:1"
    graph = make_graph(placeholder("x"), call, functions=[function])
    part = cut(graph, index_nodes(graph), ["call:0"])
    assert [n.device for n in part.node] == ["", ""]
    (copy,) = part.library.function
    assert copy.node_def[0].device == ""
    assert "_class" not in copy.node_def[0].attr
    assert graph.node[1].device == "/device:GPU:1"
    np.testing.assert_allclose(run(part, ["call:0"], x=2.0), [2.0])


def test_consumed_tensors() -> None:
    assert consumed_tensors(GRAPH, ["x:0", "a:0", "c:0", "e:0", "b:1"]) == {"x:0", "a:0"}
    assert consumed_tensors(GRAPH, []) == set()
