"""TensorArrays of TF1 rewritten to TensorLists.

A TensorArray is a resource that lives for one step; between a forward and a backward function it is
gone, and its gradient finds it by a name that no two functions share. A TensorList is a value: it
goes through loops and functions as the array's flow did, and each of its ops has a gradient.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.types_pb2 import DT_INT32, DT_INT64, DT_VARIANT

from compat_hub.graphdef.analysis.equal_values import limit_of_range, same_value
from compat_hub.graphdef.edit import copy_node, follow, int_constant, new_graph, split_inputs
from compat_hub.graphdef.names import is_control, node_of, tensor_of
from compat_hub.graphdef.placement import wait_for
from compat_hub.graphdef.private_attrs import NOTED_SHAPES
from compat_hub.graphdef.subgraph import index_nodes

GraphDef = Any

_PASSING = frozenset(
    {"Enter", "Exit", "Identity", "Merge", "NextIteration", "StopGradient", "Switch"}
)
# Where each op takes the flow among its inputs.
_FLOW_INPUT = {
    "TensorArrayConcatV3": 1,
    "TensorArrayGatherV3": 2,
    "TensorArrayReadV3": 2,
    "TensorArrayScatterV3": 3,
    "TensorArraySizeV3": 1,
    "TensorArraySplitV3": 3,
    "TensorArrayWriteV3": 3,
}
_UNKNOWN_RANK = -1  # a scalar, where a vector has the size of each dimension
_GIVES_FLOW = frozenset({"TensorArrayScatterV3", "TensorArraySplitV3", "TensorArrayWriteV3"})


class TensorArrayError(ValueError):
    """A TensorArray is used in a way that a TensorList does not know.

    Attributes:
        node: The name of the node that does.
    """

    def __init__(self, node: NodeDef) -> None:
        super().__init__(f"the node {node.name!r} of type {node.op!r}")
        self.node = node.name


@dataclasses.dataclass(frozen=True)
class _Array:
    """What a TensorArrayV3 node says of its array."""

    shape: Any
    dynamic: bool


def has_tensor_arrays(graph_def: GraphDef) -> bool:
    """Whether some node of the graph is one that makes a TensorArray."""
    return any(node.op == "TensorArrayV3" for node in graph_def.node)


def to_tensor_lists(graph_def: GraphDef) -> GraphDef:
    """Rewrites all TensorArrays of a graph.

    Returns:
        `graph_def` itself where it has none, else a new graph without the nodes that passed the
        arrays' handles on.

    Raises:
        TensorArrayError: An op uses an array in a way that has no twin for lists.
    """
    arrays = [n for n in graph_def.node if n.op.startswith("TensorArray")]
    if not arrays:
        return graph_def
    for node in arrays:
        if node.op not in _FLOW_INPUT and node.op not in {"TensorArrayV3", "TensorArrayCloseV3"}:
            raise TensorArrayError(node)
    nodes = index_nodes(graph_def)
    flows = _find_flows(graph_def.node)
    handles = _find_handles(graph_def.node)
    passed_on = {name for name, makes in handles.items() if not makes}
    rewritten: list[NodeDef] = []
    for node in graph_def.node:
        if node.name in passed_on:
            continue
        new = copy_node(node)
        added = [n for c in _rewrite(new, flows, nodes) for n in _placed(c, flows, nodes)]
        if node.op in _PASSING and tensor_of(node.input[0]) in flows:
            new.attr["T"].type = DT_VARIANT
            new.attr.pop(NOTED_SHAPES, None)
        sources = [s for s in new.input if not (is_control(s) and s[1:] in passed_on)]
        new.input[:] = [_without_handle(s, handles, node) for s in sources]
        rewritten += [*added, new]
    return new_graph(graph_def, rewritten)


def _placed(
    node: NodeDef, flows: Mapping[str, _Array], nodes: Mapping[str, NodeDef]
) -> list[NodeDef]:
    """A node that was added, and what puts it, if it is a constant, where its input is."""
    if node.op != "Const":
        return [node]
    anchor = node.input[0]
    dtype = DT_VARIANT if tensor_of(anchor) in flows else None
    wait, added = wait_for(anchor, nodes, f"{node.name}/here", dtype)
    node.input[0] = wait
    return [*added, node]


def _without_handle(source: str, handles: Mapping[str, bool], node: NodeDef) -> str:
    """The list is the first output of its node, where the flow was the array's second."""
    maker = node_of(source)
    if is_control(source) or maker not in handles:
        return source
    if handles[maker] and tensor_of(source) == f"{maker}:1":
        return f"{maker}:0"
    raise TensorArrayError(node)


def _find_flows(nodes: Iterable[NodeDef]) -> dict[str, _Array]:
    """Every tensor that is the flow of an array."""
    nodes = list(nodes)
    flows: dict[str, _Array] = {}
    for node in nodes:
        if node.op == "TensorArrayV3":
            shape = node.attr["element_shape"].shape if "element_shape" in node.attr else None
            dynamic = "dynamic_size" in node.attr and node.attr["dynamic_size"].b
            flows[f"{node.name}:1"] = _Array(shape, dynamic)

    def visit(node: NodeDef) -> bool:
        position = _FLOW_INPUT.get(node.op)
        sources = node.input if position is None else [node.input[position]]
        known = [flows[t] for t in map(tensor_of, sources) if t in flows]
        if known:
            for k in range(2 if node.op == "Switch" else 1):
                flows[f"{node.name}:{k}"] = known[0]
        return bool(known)

    follow([n for n in nodes if n.op in _PASSING or n.op in _GIVES_FLOW], visit)
    return flows


def _find_handles(nodes: Iterable[NodeDef]) -> dict[str, bool]:
    """The nodes that make an array (True) or pass its handle on (False)."""
    nodes = list(nodes)
    handles = {n.name: True for n in nodes if n.op == "TensorArrayV3"}
    tensors = {f"{name}:0" for name in handles}

    def visit(node: NodeDef) -> bool:
        found = any(tensor_of(i) in tensors for i in node.input if not is_control(i))
        if found:
            handles[node.name] = False
            tensors.update({f"{node.name}:0", f"{node.name}:1"})
        return found

    follow([n for n in nodes if n.op in _PASSING], visit)
    return handles


def _rewrite(
    node: NodeDef, flows: Mapping[str, _Array], nodes: Mapping[str, NodeDef]
) -> list[NodeDef]:
    """Turns an op on an array into the op on a list, in place; returns constants that it needs."""
    if node.op == "TensorArrayCloseV3":
        _become(node, "NoOp", [], {})
        return []
    if node.op == "TensorArrayV3":
        return _rewrite_array(node)
    if node.op not in _FLOW_INPUT:
        return []
    flow = node.input[_FLOW_INPUT[node.op]]
    if tensor_of(flow) not in flows:
        raise TensorArrayError(node)
    array = flows[tensor_of(flow)]
    rewrite = _REWRITES[node.op]
    if node.op == "TensorArrayGatherV3" and _reads_all(node, nodes):
        rewrite = _rewrite_stack
    elif node.op == "TensorArrayGatherV3" and limit_of_range(nodes, node.input[1]) is None:
        rewrite = _rewrite_gather
    elif node.op == "TensorArrayScatterV3" and _writes_all(node, nodes):
        rewrite = _rewrite_unstack
    return rewrite(node, flow, array)


def _reads_all(node: NodeDef, nodes: Mapping[str, NodeDef]) -> bool:
    """Whether the elements gathered are those from 0 to the array's size."""
    limit = limit_of_range(nodes, node.input[1])
    size = nodes.get(node_of(limit)) if limit else None
    return (
        size is not None
        and size.op == "TensorArraySizeV3"
        and tensor_of(size.input[1]) == tensor_of(node.input[2])
    )


def _writes_all(node: NodeDef, nodes: Mapping[str, NodeDef]) -> bool:
    """Whether the elements scattered are all of a new array."""
    limit = limit_of_range(nodes, node.input[1])
    array = nodes.get(node_of(node.input[3]))
    return (
        limit is not None
        and array is not None
        and array.op == "TensorArrayV3"
        and same_value(nodes, limit, array.input[0])
    )


# XLA compiles a list that is made, or read, as a whole; scatter and gather it does not.
def _rewrite_stack(node: NodeDef, flow: str, array: _Array) -> list[NodeDef]:
    shape = node.attr["element_shape"]
    constant = _shape_constant(node, shape.shape if shape.HasField("shape") else array.shape)
    types = {"element_dtype": node.attr["dtype"].type}
    noted = node.attr[NOTED_SHAPES].list.shape[:] if NOTED_SHAPES in node.attr else []
    _become(node, "TensorListStack", [flow, f"{constant.name}:0"], types)
    if noted:  # only the program that made the graph may have known the size
        node.attr[NOTED_SHAPES].list.shape.extend(noted)
    return [constant]


def _rewrite_unstack(node: NodeDef, _: str, array: _Array) -> list[NodeDef]:
    constant = _shape_constant(node, array.shape)
    inputs = [node.input[2], f"{constant.name}:0"]
    types = {"element_dtype": node.attr["T"].type, "shape_type": DT_INT32}
    _become(node, "TensorListFromTensor", inputs, types)
    return [constant]


def _rewrite_array(node: NodeDef) -> list[NodeDef]:
    dtype, shape = node.attr["dtype"].type, node.attr["element_shape"]
    constant = _shape_constant(node, shape.shape if shape.HasField("shape") else None)
    inputs = [f"{constant.name}:0", node.input[0]]
    _become(node, "TensorListReserve", inputs, {"element_dtype": dtype, "shape_type": DT_INT32})
    return [constant]


def _rewrite_size(node: NodeDef, flow: str, _: _Array) -> list[NodeDef]:
    _become(node, "TensorListLength", [flow], {})
    return []


def _rewrite_write(node: NodeDef, flow: str, array: _Array) -> list[NodeDef]:
    inputs = [flow, node.input[1], node.input[2]]
    _become(node, "TensorListSetItem", inputs, {"element_dtype": node.attr["T"].type})
    node.attr["resize_if_index_out_of_bounds"].b = array.dynamic
    return []


def _rewrite_scatter(node: NodeDef, flow: str, _: _Array) -> list[NodeDef]:
    inputs = [flow, node.input[2], node.input[1]]
    types = {"element_dtype": node.attr["T"].type}
    _become(node, "TensorListScatterIntoExistingList", inputs, types)
    return []


def _rewrite_split(node: NodeDef, _: str, __: _Array) -> list[NodeDef]:
    constant = _shape_constant(node, None)
    inputs = [node.input[1], f"{constant.name}:0", node.input[2]]
    types = {"element_dtype": node.attr["T"].type, "shape_type": DT_INT32}
    _become(node, "TensorListSplit", inputs, types)
    return [constant]


def _rewrite_concat(node: NodeDef, flow: str, _: _Array) -> list[NodeDef]:
    rest = node.attr["element_shape_except0"]
    known = rest.HasField("shape") and not rest.shape.unknown_rank
    constant = _constant(
        node, "element_shape", [-1, *(d.size for d in rest.shape.dim)] if known else _UNKNOWN_RANK
    )
    lengths = _constant(node, "leading_dims", [], DT_INT64)
    inputs = [flow, f"{constant.name}:0", f"{lengths.name}:0"]
    types = {"element_dtype": node.attr["dtype"].type, "shape_type": DT_INT32}
    _become(node, "TensorListConcatV2", inputs, types)
    return [constant, lengths]


def _rewrite_reader(node: NodeDef, flow: str, array: _Array) -> list[NodeDef]:
    shape = node.attr["element_shape"]
    constant = _shape_constant(node, shape.shape if shape.HasField("shape") else array.shape)
    op = "TensorListGetItem" if node.op == "TensorArrayReadV3" else "TensorListGather"
    types = {"element_dtype": node.attr["dtype"].type}
    _become(node, op, [flow, node.input[1], f"{constant.name}:0"], types)
    return [constant]


def _rewrite_gather(node: NodeDef, flow: str, array: _Array) -> list[NodeDef]:
    """Reads each element once and gathers from these: a list's gradient forgets repeated reads."""
    dtype, (_, controls) = node.attr["dtype"].type, split_inputs(node)
    unique = NodeDef(name=f"{node.name}/unique", op="Unique", input=[node.input[1], *controls])
    unique.attr["T"].type = unique.attr["out_idx"].type = DT_INT32
    read = copy_node(node)
    read.name = f"{node.name}/elements"
    read.attr.pop(NOTED_SHAPES, None)
    read.input[1] = f"{unique.name}:0"
    constants = _rewrite_reader(read, flow, array)
    axis = _constant(node, "axis", 0)
    inputs = [f"{read.name}:0", f"{unique.name}:1", f"{axis.name}:0"]
    types = {"Tparams": dtype, "Tindices": DT_INT32, "Taxis": DT_INT32}
    _become(node, "GatherV2", inputs, types)
    return [unique, *constants, read, axis]


_REWRITES = {
    "TensorArrayConcatV3": _rewrite_concat,
    "TensorArrayGatherV3": _rewrite_reader,
    "TensorArrayReadV3": _rewrite_reader,
    "TensorArrayScatterV3": _rewrite_scatter,
    "TensorArraySizeV3": _rewrite_size,
    "TensorArraySplitV3": _rewrite_split,
    "TensorArrayWriteV3": _rewrite_write,
}


def _become(node: NodeDef, op: str, inputs: list[str], types: Mapping[str, Any]) -> None:
    _, controls = split_inputs(node)
    node.op = op
    node.input[:] = [*inputs, *controls]
    node.attr.clear()
    for name, dtype in types.items():
        node.attr[name].type = dtype


def _shape_constant(node: NodeDef, shape: Any) -> NodeDef:
    if shape is None or shape.unknown_rank:
        return _constant(node, "element_shape", _UNKNOWN_RANK)
    return _constant(node, "element_shape", [d.size for d in shape.dim])


def _constant(node: NodeDef, name: str, value: int | list[int], dtype: Any = DT_INT32) -> NodeDef:
    """A constant beside a node.

    Its input says where it belongs: `_placed` makes it a control input.
    """
    anchor = next((i for i in reversed(node.input) if not is_control(i)), None)
    if anchor is None:
        raise TensorArrayError(node)  # it is damaged: all take something
    return int_constant(f"{node.name}/{name}", value, anchor, dtype=dtype)
