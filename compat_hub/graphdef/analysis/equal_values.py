"""What a graph tells of its integers: ranges, and tensors that must have the same value."""

from __future__ import annotations

from collections.abc import Mapping

from tensorflow.core.framework.node_def_pb2 import NodeDef

from compat_hub.graphdef.names import is_control, node_of, tensor_of

# Ops whose value depends on their inputs and attributes only, as found in computations of sizes.
_PURE = frozenset(
    {"Add", "AddV2", "Cast", "ConcatV2", "GatherV2", "Maximum", "Minimum", "Mul", "Pack", "Range"}
    | {"Reshape", "Shape", "Size", "Slice", "StridedSlice", "Sub"}
)
_MAX_DEPTH = 12


def limit_of_range(nodes: Mapping[str, NodeDef], tensor: str) -> str | None:
    """The tensor `n` where `tensor` is range(0, n, 1), else None."""
    node = nodes.get(node_of(_source(nodes, tensor)))
    if node is None or node.op != "Range":
        return None
    start, limit, delta = [i for i in node.input if not is_control(i)]
    if _scalar(nodes, start) == 0 and _scalar(nodes, delta) == 1:
        return tensor_of(limit)
    return None


def same_value(nodes: Mapping[str, NodeDef], a: str, b: str, depth: int = _MAX_DEPTH) -> bool:
    """Whether two tensors are computed alike from the same; False where it cannot be told."""
    a, b = _source(nodes, a), _source(nodes, b)
    if a == b:
        return True
    first, second = nodes.get(node_of(a)), nodes.get(node_of(b))
    if first is None or second is None or first.op != second.op or not depth:
        return False
    if a.rpartition(":")[2] != b.rpartition(":")[2] or first.attr != second.attr:
        return False
    if first.op == "Const":
        return True
    if first.op not in _PURE:
        return False
    sources = [[i for i in node.input if not is_control(i)] for node in (first, second)]
    return len(sources[0]) == len(sources[1]) and all(
        same_value(nodes, x, y, depth - 1) for x, y in zip(*sources, strict=True)
    )


def _source(nodes: Mapping[str, NodeDef], tensor: str) -> str:
    """The tensor behind Identities."""
    tensor = tensor_of(tensor)
    for _ in range(len(nodes)):  # a damaged graph may have a circle of them
        node = nodes.get(node_of(tensor))
        if node is None or node.op != "Identity":
            break
        tensor = tensor_of(node.input[0])
    return tensor


def _scalar(nodes: Mapping[str, NodeDef], tensor: str) -> int | None:
    node = nodes.get(node_of(_source(nodes, tensor)))
    if node is None or node.op != "Const":
        return None
    value = node.attr["value"].tensor
    if value.tensor_shape.dim:
        return None
    if value.tensor_content:
        return int.from_bytes(value.tensor_content, "little", signed=True)
    stored = [*value.int_val, *value.int64_val]
    return stored[0] if stored else 0
