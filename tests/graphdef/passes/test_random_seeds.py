from __future__ import annotations

import numpy as np
import tensorflow as tf

from compat_hub.graphdef.passes.random_seeds import draws, seed_nodes, takes_seeds, unseeded_nodes
from compat_hub.tf_private import op_registry
from tests.graphdef.graphs import FLOAT, make_function, make_graph, make_node, run

SHAPE = make_node("shape", "Const", dtype=tf.int32, value=np.array([5], "int32"))


def _random(name: str, **seeds: int):
    return make_node(name, "RandomUniform", "shape", T=tf.int32, dtype=tf.float32, **seeds)


def _unseeded(graph) -> list[str]:
    return [n.name for n in unseeded_nodes(graph, op_registry.op_def)]


def test_ops_that_take_seeds() -> None:
    for op in ("RandomUniform", "TruncatedNormal", "RandomShuffle", "Multinomial"):
        assert takes_seeds(op_registry.op_def(op)), op
    for op in ("StatelessRandomUniform", "MatMul", "Frobnicate"):
        assert not takes_seeds(op_registry.op_def(op)), op


def test_nodes_without_seeds() -> None:
    seeded = [
        _random("first", seed=1),
        _random("second", seed2=1),
        _random("both", seed=1, seed2=2),
    ]
    graph = make_graph(SHAPE, _random("none"), _random("zeros", seed=0, seed2=0), *seeded)
    assert _unseeded(graph) == ["none", "zeros"]


def test_whether_a_graph_draws() -> None:
    assert draws(make_graph(SHAPE, _random("seeded", seed=1)), op_registry.op_def)
    assert not draws(make_graph(SHAPE), op_registry.op_def)


def test_nodes_in_functions() -> None:
    inner = make_node("inner", "RandomShuffle", "x", T=tf.float32)
    function = make_function("f", {"x": FLOAT}, {"y": ("inner:output:0", FLOAT)}, inner)
    graph = make_graph(SHAPE, _random("outer"), functions=[function])
    assert _unseeded(graph) == ["outer", "inner"]
    seed_nodes(unseeded_nodes(graph, op_registry.op_def), 7)
    assert graph.library.function[0].node_def[0].attr["seed"].i == 7


def test_seeds_make_runs_repeatable_and_nodes_differ() -> None:
    def seeded(seed: int):
        graph = make_graph(SHAPE, _random("a"), _random("b"))
        seed_nodes(unseeded_nodes(graph, op_registry.op_def), seed)
        assert not _unseeded(graph)
        return run(graph, ["a:0", "b:0"])

    first, again, other = seeded(7), seeded(7), seeded(8)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], other[0])


def test_nodes_that_are_asked_about_can_still_be_imported() -> None:
    graph = make_graph(SHAPE, _random("a"))
    assert _unseeded(graph) == ["a"]
    assert run(graph, ["a:0"])[0].shape == (5,)


def test_asking_leaves_no_trace() -> None:
    graph = make_graph(SHAPE, _random("plain"))
    before = graph.SerializeToString(deterministic=True)
    assert _unseeded(graph) == ["plain"]
    assert graph.SerializeToString(deterministic=True) == before
