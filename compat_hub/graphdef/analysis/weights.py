"""Which constants of a frozen graph are weights: what froze it made constants of its variables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tensorflow.core.framework import types_pb2

from compat_hub.graphdef.names import is_control, node_of
from compat_hub.graphdef.subgraph import NodeIndex

_FLOATS = frozenset(
    {types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE, types_pb2.DT_HALF, types_pb2.DT_BFLOAT16}
)
# Ops that give a weight on as it is, or in another form: the input that is it, None for all.
_PASSING: dict[str, int | None] = {
    **dict.fromkeys(
        ["Identity", "Enter", "Switch", "StopGradient", "Snapshot", "CheckNumerics"], 0
    ),
    **dict.fromkeys(["Reshape", "Tile", "Cast", "ExpandDims", "Squeeze", "Transpose"], 0),
    **dict.fromkeys(["FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs", "SpaceToBatchND"], 0),
    **dict.fromkeys(["SplitV", "Unpack"], 0),
    "Split": 1,
    "Pack": None,
    "ConcatV2": None,
}
# By op, which of its inputs are weights, and which are averages that it only reads.
_INPUTS: Mapping[str, tuple[frozenset[int], frozenset[int]]] = {
    op: (frozenset(weights), frozenset(averages))
    for op, weights, averages in [
        ("Conv2D", [1], []),
        ("Conv3D", [1], []),
        ("Conv2DBackpropInput", [1], []),
        ("Conv3DBackpropInput", [1], []),
        ("Conv3DBackpropInputV2", [1], []),
        ("DepthwiseConv2dNative", [1], []),
        ("DepthwiseConv2dNativeBackpropInput", [1], []),
        ("FusedConv2D", [1, 2], []),
        ("_FusedConv2D", [1, 2], []),
        ("_FusedMatMul", [1, 2], []),
        ("Dilation2D", [1], []),
        ("MatMul", [0, 1], []),
        ("BatchMatMul", [0, 1], []),
        ("BatchMatMulV2", [0, 1], []),
        ("SparseTensorDenseMatMul", [3], []),
        ("BiasAdd", [1], []),
        ("FusedBatchNorm", [1, 2], [3, 4]),
        ("FusedBatchNormV2", [1, 2], [3, 4]),
        ("FusedBatchNormV3", [1, 2], [3, 4]),
        ("BatchNormWithGlobalNormalization", [3, 4], [1, 2]),
        ("Gather", [0], []),
        ("GatherV2", [0], []),
        ("GatherNd", [0], []),
        ("LSTMBlockCell", [3, 4, 5, 6, 7], []),
        ("BlockLSTM", [4, 5, 6, 7, 8], []),
        ("BlockLSTMV2", [4, 5, 6, 7, 8], []),
        ("GRUBlockCell", [2, 3, 4, 5], []),
        ("CudnnRNN", [3], []),
        ("CudnnRNNV2", [3], []),
        ("CudnnRNNV3", [3], []),
    ]
}
_ADDS = frozenset({"Add", "AddV2"})
_READS = re.compile(r"(ReadVariableOp(_\d+)?|/Read)$")
_AVERAGES = re.compile(
    r"moving_(mean|variance|avg|average|var)|running_(mean|var)|ExponentialMovingAverage"
    r"|population_(mean|variance)|/(biased|local_step)$"
)


def is_average(name: str) -> bool:
    """Whether a variable's name is that of a moving average, which no gradient changes."""
    return _AVERAGES.search(name) is not None


def find_float_constants(nodes: NodeIndex) -> list[str]:
    """The names of the constants that could be weights by their dtype."""
    return [
        name
        for name, node in nodes.items()
        if node.op == "Const" and node.attr["dtype"].type in _FLOATS
    ]


def find_weights(nodes: NodeIndex) -> dict[str, bool]:
    """The constants that are weights, each with whether it is one that trains.

    A weight is read through an Identity of the name that a variable's read had; or it reaches an
    input of an op that takes weights there; or it is a vector that is added, or that scales what
    one is added to.

    Args:
        nodes: The graph's nodes by name.
    """
    found: dict[str, bool] = {}
    for name in find_float_constants(nodes):
        trains = _use_of(nodes, name)
        if trains is not None:
            found[name] = trains and not is_average(name)
    return found


def _use_of(nodes: NodeIndex, name: str) -> bool | None:
    """Whether a constant is used as a weight that trains, as an average, or, None, as neither."""
    rank = len(nodes[name].attr["value"].tensor.tensor_shape.dim)
    uses: set[bool] = set()
    seen, stack = {name}, [name]
    while stack:
        current = stack.pop()
        for as_said, consumer in nodes.consumers(current):
            node = nodes[consumer]
            if is_control(as_said):
                continue
            if current == name and node.op == "Identity" and _is_read(name, consumer):
                uses.add(True)
            sources = [node_of(i) for i in node.input if not is_control(i)]
            places = {k for k, source in enumerate(sources) if source == current}
            weights, averages = _INPUTS.get(node.op, (frozenset(), frozenset()))
            if rank and places & weights and not _are_all_constant(nodes, sources):
                uses.add(True)
            if places & averages:
                uses.add(False)
            if rank == 1 and (node.op in _ADDS or _scales(nodes, consumer)):
                uses.add(True)
            if consumer not in seen and node.op in _PASSING:
                place = _PASSING[node.op]
                if place is None or place in places:
                    seen.add(consumer)
                    stack.append(consumer)
    if False in uses:
        return False
    return True if uses else None


def _scales(nodes: NodeIndex, name: str) -> bool:
    """Whether a node is the product in `x * scale + shift`: a folded batch normalization."""
    return nodes[name].op == "Mul" and any(
        nodes[consumer].op in _ADDS
        and any(_is_vector(nodes, source) for _, source in nodes.sources(consumer))
        for _, consumer in nodes.consumers(name)
    )


def _is_vector(nodes: NodeIndex, name: str) -> bool:
    node = nodes.get(name)
    return (
        node is not None
        and node.op == "Const"
        and (len(node.attr["value"].tensor.tensor_shape.dim) == 1)
    )


def _are_all_constant(nodes: NodeIndex, sources: list[str]) -> bool:
    return all(nodes[s].op == "Const" for s in sources if s in nodes)


def _is_read(name: str, consumer: str) -> bool:
    return consumer == f"{name}/read" or _READS.search(consumer) is not None
