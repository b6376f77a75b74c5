"""Batch normalization in training without the estimates that it does not use.

With statistics of the batch, the estimated mean and variance are not read. TensorFlow 1 insists on
empty ones there; layers of today pass the moving averages, which today's kernels ignore.
"""

from __future__ import annotations

from typing import Any

GraphDef = Any
NodeDef = Any

_OPS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_ESTIMATES = (3, 4)  # inputs, after the values, the scale and the offset
_DT_FLOAT = 1  # the dtype that statistics have, of all values


def leave_out_estimates(graph_def: GraphDef) -> None:
    """Makes the estimates empty where statistics of the batch are used, in place.

    A graph with loops of TensorFlow 1 stays as it is: a node that is added belongs to none of its
    contexts.
    """
    if not any(node.op == "Enter" for node in graph_def.node):
        _leave_out(graph_def.node, "")
    for function in graph_def.library.function:
        _leave_out(function.node_def, ":output:0")


def _leave_out(nodes: Any, output: str) -> None:
    names = {node.name for node in nodes}
    for node in [node for node in nodes if node.op in _OPS and _uses_batch(node)]:
        empty = nodes.add()
        empty.name, empty.op = f"{node.name}/no_estimate", "Const"
        while empty.name in names:
            empty.name += "_"
        names.add(empty.name)
        empty.attr["dtype"].type = _DT_FLOAT
        empty.attr["value"].tensor.dtype = _DT_FLOAT
        empty.attr["value"].tensor.tensor_shape.dim.add().size = 0
        for k in _ESTIMATES:
            node.input[k] = f"{empty.name}{output}"


def _uses_batch(node: NodeDef) -> bool:
    """Attributes are left out where they have their default: training, and no averaging."""
    averages = "exponential_avg_factor" in node.attr and node.attr["exponential_avg_factor"].f != 1
    return ("is_training" not in node.attr or node.attr["is_training"].b) and not averages
