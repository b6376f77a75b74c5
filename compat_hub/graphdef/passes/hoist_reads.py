"""Variables that loops and conditionals only read, read before them.

A While in a SavedModel that was loaded knows nothing of the variables behind its resources: through
nested loops TensorFlow then gives no gradient, or a wrong one, and no error (seen in TensorFlow
2.21). What was read outside goes into a loop as a plain tensor, whose gradient is right.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tensorflow.core.framework.types_pb2 import DT_INT32

from compat_hub.graphdef.edit import follow, int_constant, split_inputs
from compat_hub.graphdef.names import is_control, node_of, tensor_of
from compat_hub.graphdef.placement import wait_for
from compat_hub.graphdef.subgraph import index_nodes

GraphDef = Any
NodeDef = Any

_READ = "ReadVariableOp"
_GATHER = "ResourceGather"
_READERS = frozenset({_READ, _GATHER, "VariableShape", "VarIsInitializedOp"})
_PASSING = frozenset({"Enter", "Switch", "Identity"})


def hoist_reads(graph_def: GraphDef, variables: Mapping[str, int]) -> GraphDef:
    """Reads variables outside of control flow that do not change within the graph.

    Args:
        graph_def: A graph with the control flow of TF1.
        variables: The dtypes of the variables by the tensor that is their handle.

    Returns:
        A new graph, where each read within control flow is an Identity or GatherV2 of the value.
    """
    result = type(graph_def)()
    result.CopyFrom(graph_def)
    nodes = index_nodes(result)
    origins = _origins(nodes, variables.keys())
    written = {
        origins[tensor_of(source)]
        for node in nodes.values()
        if node.op not in _READERS and node.op not in _PASSING
        for source in node.input
        if not is_control(source) and tensor_of(source) in origins
    }
    for node in list(nodes.values()):
        if node.op not in (_READ, _GATHER) or not node.input:
            continue
        handle = tensor_of(node.input[0])
        if handle in variables or handle not in origins or origins[handle] in written:
            continue
        value = _value_of(result, nodes, handle, origins[handle], variables[origins[handle]])
        _read_value(result, nodes, node, value, variables[origins[handle]])
    return result


def _origins(nodes: Mapping[str, NodeDef], variables: Collection[str]) -> dict[str, str]:
    """Which variable each tensor is the handle of: the variable itself, or one passed on."""
    origins = {name: name for name in variables}

    def visit(node: NodeDef) -> bool:
        origin = origins.get(tensor_of(node.input[0]))
        if origin is not None and f"{node.name}:0" not in origins:
            origins.update({f"{node.name}:{k}": origin for k in range(2)})
        return origin is not None

    passing = [n for n in nodes.values() if n.op in _PASSING and n.input]
    follow([n for n in passing if not is_control(n.input[0])], visit)
    return origins


def _value_of(
    graph_def: GraphDef, nodes: dict[str, NodeDef], handle: str, variable: str, dtype: int
) -> str:
    """The tensor with the variable's value in the place of its handle; nodes are added for it."""
    if handle == variable:
        name = f"{node_of(variable)}/compat_hub_read"
        if name not in nodes:
            nodes[name] = graph_def.node.add(name=name, op=_READ, input=[variable])
            nodes[name].attr["dtype"].type = dtype
        return f"{name}:0"
    passing = nodes[node_of(handle)]
    name = f"{passing.name}/compat_hub_value"
    if name not in nodes:
        source = _value_of(graph_def, nodes, tensor_of(passing.input[0]), variable, dtype)
        nodes[name] = graph_def.node.add()
        nodes[name].CopyFrom(passing)
        nodes[name].name = name
        nodes[name].input[0] = source
        nodes[name].attr["T"].type = dtype
        for noted in [a for a in nodes[name].attr if a.startswith("_")]:
            del nodes[name].attr[noted]
    return f"{name}:{handle.rpartition(':')[2]}"


def _read_value(
    graph_def: GraphDef, nodes: Mapping[str, NodeDef], node: NodeDef, value: str, dtype: int
) -> None:
    """Makes a node take the value instead of the handle, in place."""
    node.input[0] = value
    if node.op == _READ:
        node.op = "Identity"
        node.attr.clear()
        node.attr["T"].type = dtype
        return
    indices = node.attr["Tindices"].type
    batch_dims = node.attr["batch_dims"].i if "batch_dims" in node.attr else 0
    wait, added = wait_for(value, nodes, f"{node.name}/compat_hub_value_here")
    axis = int_constant(f"{node.name}/compat_hub_axis", batch_dims, wait)
    graph_def.node.extend([axis, *added])
    data, controls = split_inputs(node)
    node.input[:] = [*data, axis.name, *controls]
    node.op = "GatherV2"
    node.attr.clear()
    node.attr["Tparams"].type = dtype
    node.attr["Tindices"].type = indices
    node.attr["Taxis"].type = DT_INT32
    node.attr["batch_dims"].i = batch_dims
