from __future__ import annotations

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef

from compat_hub.graphdef.passes.ensured_ranks import ensure_ranks


def test_only_what_needs_it() -> None:
    graph_def = GraphDef()
    graph_def.node.add(name="x", op="Placeholder")
    for name, op in ("conv", "Conv2D"), ("dense", "MatMul"), ("cell", "LSTMBlockCell"):
        node = graph_def.node.add(name=name, op=op, input=["x", "other"])
        node.attr["T"].type = tf.half.as_datatype_enum
    graph_def.node.add(name="damaged", op="Conv2D", input=["^x"])
    ensure_ranks(graph_def)
    nodes = {node.name: node for node in graph_def.node}
    assert [*nodes["conv"].input] == ["conv/rank", "other"]
    assert [*nodes["cell"].input] == ["cell/rank", "other"]
    assert [*nodes["dense"].input] == ["x", "other"]
    check = nodes["conv/rank"]
    assert (check.op, [*check.input], check.attr["T"].type) == ("EnsureShape", ["x"], 19)
    assert [dim.size for dim in check.attr["shape"].shape.dim] == [-1] * 4
    assert len(nodes) == 7
