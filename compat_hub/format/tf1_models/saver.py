"""What a Saver's nodes in a graph say of the checkpoint: which name each variable has in it."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.passes.references_to_resources import VARIABLE_OPS
from compat_hub.graphdef.subgraph import NodeIndex, ancestors

_ASSIGNING = frozenset({"Assign", "AssignVariableOp"})
_PASSING = frozenset({"Identity", "Reshape"})
_RESTORING = frozenset({"RestoreV2", "RestoreSlice", "Restore"})


@dataclasses.dataclass(frozen=True)
class Restored:
    """Where a variable's value is in a checkpoint.

    Attributes:
        key: Its name there.
        part: Which part of that, as TensorFlow's restore op takes it; "" for all.
    """

    key: str
    part: str


def find_restored(saver_def: Any, nodes: NodeIndex) -> dict[str, Restored]:
    """Where the values of variables are, by the variable's node, as a Saver would restore them."""
    restore = node_of(saver_def.restore_op_name)
    if restore not in nodes:
        return {}
    found: dict[str, Restored] = {}
    try:
        needed = ancestors(nodes, [restore])
    except KeyError:
        return {}
    for name in needed:
        node = nodes[name]
        if node.op not in _ASSIGNING or len(node.input) < 2:
            continue
        variable = node_of(node.input[0])
        place = _restored_value(nodes, node.input[1])
        if variable in nodes and nodes[variable].op in VARIABLE_OPS and place is not None:
            found[variable] = place
    return found


def _restored_value(nodes: NodeIndex, tensor: str) -> Restored | None:
    """Which entry of a checkpoint a tensor is."""
    for _ in range(8):
        node = nodes.get(node_of(tensor))
        if node is None:
            return None
        if node.op in _RESTORING:
            number = int(tensor.rpartition(":")[2]) if ":" in tensor else 0
            names = _strings(nodes, node.input[1])
            parts = _strings(nodes, node.input[2]) if len(node.input) > 2 else []
            if number >= len(names):
                return None
            return Restored(names[number], parts[number] if number < len(parts) else "")
        if node.op not in _PASSING:
            return None
        tensor = node.input[0]
    return None


def _strings(nodes: NodeIndex, tensor: str) -> list[str]:
    node = nodes.get(node_of(tensor))
    if node is None or node.op != "Const":
        return []
    try:
        values = tf.make_ndarray(node.attr["value"].tensor).ravel().tolist()
        return [value.decode() for value in values]
    except (AttributeError, TypeError, UnicodeDecodeError, ValueError):
        return []
