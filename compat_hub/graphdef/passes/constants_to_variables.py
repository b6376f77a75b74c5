"""Constants that become variables again, with the constant as the initial value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tensorflow.core.framework.variable_pb2 import VariableDef

from compat_hub.graphdef.names import is_control
from compat_hub.graphdef.passes.fix_tensors import constant, free_name, rename_tensors

GraphDef = Any


def to_variables(graph_def: GraphDef, names: Iterable[str]) -> list[Any]:
    """Makes resource variables of constants, in place; each has the constant's name.

    Args:
        graph_def: The graph.
        names: The names of the constants.

    Returns:
        A `VariableDef` for each.
    """
    nodes = {node.name: node for node in graph_def.node}
    chosen = list(names)
    reads = {name: free_name(f"{name}/Read/ReadVariableOp", nodes) for name in chosen}
    rename_tensors(graph_def, {f"{name}:0": f"{read}:0" for name, read in reads.items()})
    return [_to_variable(graph_def, nodes, name, reads[name]) for name in chosen]


def _to_variable(graph_def: GraphDef, nodes: dict[str, Any], name: str, read: str) -> Any:
    node = nodes[name]
    dtype = node.attr["value"].tensor.dtype
    initial = graph_def.node.add()
    initial.CopyFrom(constant(free_name(f"{name}/initial_value", nodes), node.attr["value"].tensor))
    controls = [i for i in node.input if is_control(i)]
    del node.input[:]
    node.op = "VarHandleOp"
    node.attr["shape"].shape.CopyFrom(node.attr["value"].tensor.tensor_shape)
    node.attr["dtype"].type = dtype
    node.attr["shared_name"].s = name.encode()
    del node.attr["value"]
    assign = graph_def.node.add(
        name=free_name(f"{name}/Assign", nodes),
        op="AssignVariableOp",
        input=[name, initial.name],
    )
    reading = graph_def.node.add(name=read, op="ReadVariableOp", input=[name, *controls])
    for added in (initial, assign, reading):
        added.attr["dtype"].type = dtype
        nodes[added.name] = added
    return VariableDef(
        variable_name=f"{name}:0",
        initializer_name=assign.name,
        initial_value_name=f"{initial.name}:0",
        snapshot_name=f"{read}:0",
        is_resource=True,
        trainable=True,
    )
