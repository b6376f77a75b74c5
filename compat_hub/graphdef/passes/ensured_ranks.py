"""Values of unknown rank, kept from ops that end the process over too few dimensions."""

from __future__ import annotations

from typing import Any

from tensorflow.core.framework import types_pb2

GraphDef = Any

# By op: its input that its kernel does not check, as seen in TensorFlow 2.21 on CPUs. Where an op
# is built, TensorFlow checks ranks that it knows.
_RANKS = {
    "Conv2D": 4,
    "Conv3D": 5,
    "DepthwiseConv2dNative": 4,
    "FusedPadConv2D": 4,
    "LSTMBlockCell": 2,
}


def ensure_ranks(graph_def: GraphDef) -> None:
    """Lets values be checked at run time before they reach such an op, in place.

    Args:
        graph_def: A graph without calls of functions.
    """
    for node in list(graph_def.node):
        rank = _RANKS.get(node.op)
        if rank is None or not node.input or node.input[0].startswith("^"):
            continue
        check = graph_def.node.add(name=f"{node.name}/rank", op="EnsureShape")
        check.input.append(node.input[0])
        check.attr["T"].type = node.attr["T"].type or types_pb2.DT_FLOAT
        for _ in range(rank):
            check.attr["shape"].shape.dim.add(size=-1)
        node.input[0] = check.name
