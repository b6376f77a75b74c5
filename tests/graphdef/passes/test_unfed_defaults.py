from __future__ import annotations

import tensorflow as tf

from compat_hub.graphdef.passes.unfed_defaults import unfed_to_defaults
from tests.graphdef.graphs import constant, floats, make_graph, make_node, run


def test_an_input_that_nobody_feeds_is_its_default() -> None:
    graph_def = make_graph(
        constant("three", 3.0),
        make_node("rate", "PlaceholderWithDefault", "three", "^three", dtype=tf.float32),
        floats("y", "Neg", "rate"),
    )
    graph_def.node[1].attr["shape"].shape.unknown_rank = True
    unfed_to_defaults(graph_def)
    assert [node.op for node in graph_def.node] == ["Const", "Identity", "Neg"]
    assert list(graph_def.node[1].attr) == ["T"]
    assert run(graph_def, ["y:0"]) == [-3.0]
