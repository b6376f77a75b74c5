"""Tensors that have one value for good, as those that every `session.run` was fed with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow.core.framework.node_def_pb2 import NodeDef

from compat_hub.graphdef.names import is_control, node_of, spellings

GraphDef = Any

_PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"})


def fix_tensors(graph_def: GraphDef, values: Mapping[str, Any]) -> dict[str, str]:
    """Puts constants in the place of tensors, in place.

    Args:
        graph_def: The graph.
        values: By the canonical name of a tensor, a `TensorProto`.

    Returns:
        By the name of a tensor, that of the constant: another one where the node stays.
    """
    nodes = {node.name: node for node in graph_def.node}
    renamed: dict[str, str] = {}
    for tensor, value in values.items():
        node = nodes[node_of(tensor)]
        if node.op in _PLACEHOLDERS:
            name = node.name
            node.Clear()
        else:
            name = free_name(f"{node_of(tensor)}_fixed", nodes)
            node = nodes[name] = graph_def.node.add()
        node.CopyFrom(constant(name, value))
        renamed[tensor] = f"{name}:0"
    rename_tensors(graph_def, {t: new for t, new in renamed.items() if t != new})
    return renamed


def constant(name: str, value: Any) -> NodeDef:
    """A node that gives a `TensorProto`."""
    node = NodeDef(name=name, op="Const")
    node.attr["dtype"].type = value.dtype
    node.attr["value"].tensor.CopyFrom(value)
    return node


def rename_tensors(graph_def: GraphDef, renamed: Mapping[str, str]) -> None:
    """Makes the nodes of a graph take other tensors, in place; control inputs stay.

    Args:
        graph_def: The graph.
        renamed: The name of a tensor by that of the one whose place it takes.
    """
    by_spelling = {s: new for tensor, new in renamed.items() for s in spellings(tensor)}
    if not by_spelling:
        return
    for node in graph_def.node:
        for k, name in enumerate(node.input):
            if not is_control(name) and name in by_spelling:
                node.input[k] = by_spelling[name].removesuffix(":0")


def free_name(name: str, taken: Any) -> str:
    """A name that is not taken, by numbers behind it."""
    found, number = name, 0
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found
