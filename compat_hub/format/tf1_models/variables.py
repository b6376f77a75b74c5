"""The variables of a graph as its collections list them; and those that none lists."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.variable_pb2 import SaveSliceInfoDef, VariableDef

from compat_hub.format.host_access import VARIABLE_COLLECTIONS
from compat_hub.format.tf1_models.saver import Restored
from compat_hub.graphdef.analysis.weights import is_average
from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.passes.references_to_resources import VARIABLE_OPS
from compat_hub.graphdef.subgraph import NodeIndex

_VARIABLES, _, _TRAINABLE = VARIABLE_COLLECTIONS
_LISTS = (*VARIABLE_COLLECTIONS, "local_variables", "moving_average_variables")
_FLOATS = frozenset({types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE, types_pb2.DT_HALF})
_ASSIGNING = frozenset({"Assign", "AssignVariableOp"})
_READING = frozenset({"Identity", "ReadVariableOp"})
_FROM_CHECKPOINT = frozenset({"RestoreV2", "RestoreSlice", "Restore"})


class Variables:
    """The variables of a graph by their nodes.

    Attributes:
        protos: A `VariableDef` for each.
        trainable: The names of those that train.
    """

    def __init__(self, meta_graph: Any, nodes: NodeIndex, restored: Mapping[str, Restored]) -> None:
        self.protos: dict[str, Any] = {}
        self.trainable: set[str] = set()
        listed = _TRAINABLE in meta_graph.collection_def or _VARIABLES in meta_graph.collection_def
        for collection in _LISTS:
            for proto in _listed(meta_graph, collection):
                name = node_of(proto.variable_name)
                if name in nodes:
                    self.protos.setdefault(name, proto)
                    if collection == _TRAINABLE:
                        self.trainable.add(name)
        for name, node in nodes.items():
            if node.op not in VARIABLE_OPS or name in self.protos:
                continue
            self.protos[name] = _make(nodes, name, restored.get(name))
            if not listed and node.attr["dtype"].type in _FLOATS and not is_average(name):
                self.trainable.add(name)

    def write(self, meta_graph: Any, kept: Collection[str]) -> None:
        """Puts the variables that are kept into the collections of a meta graph."""
        for collection in _LISTS:
            if collection in meta_graph.collection_def:
                del meta_graph.collection_def[collection]
        chosen = {name: proto for name, proto in self.protos.items() if name in kept}
        for collection, wanted in (
            (_VARIABLES, chosen),
            (_TRAINABLE, self.trainable & chosen.keys()),
        ):
            values = [p.SerializeToString() for n, p in chosen.items() if n in wanted]
            if values:
                meta_graph.collection_def[collection].bytes_list.value.extend(values)

    def needed_by(self, names: Collection[str]) -> list[str]:
        """The nodes that give initial values to variables, and read them."""
        found: list[str] = []
        for name, proto in self.protos.items():
            if name in names:
                given = (proto.initializer_name, proto.initial_value_name, proto.snapshot_name)
                found += [tensor for tensor in given if tensor]
        return found


def checkpoint_names(protos: Mapping[str, Any], restored: Mapping[str, Restored]) -> dict[str, str]:
    """What variables are called in a checkpoint, where it is not as the graph says."""
    names: dict[str, str] = {}
    for name, proto in protos.items():
        if name in restored:
            key = _full_name(name, proto)
            if restored[name].key != key:
                names[key] = restored[name].key
    return names


def _full_name(name: str, proto: Any) -> str:
    is_part = proto.HasField("save_slice_info_def")
    return name.rpartition("/")[0] if is_part else name


def _listed(meta_graph: Any, collection: str) -> list[Any]:
    if collection not in meta_graph.collection_def:
        return []
    found: list[Any] = []
    for value in meta_graph.collection_def[collection].bytes_list.value:
        try:
            found.append(VariableDef.FromString(value))
        except DecodeError:
            continue  # other objects are in such collections, too
    return found


def _make(nodes: NodeIndex, name: str, restored: Restored | None) -> Any:
    """What a collection would say of a variable."""
    node = nodes[name]
    proto = VariableDef(
        variable_name=f"{name}:0", is_resource=node.op == "VarHandleOp", trainable=True
    )
    for source, consumer in nodes.consumers(name):
        user = nodes[consumer]
        if node_of(source) != name or not user.input or node_of(user.input[0]) != name:
            continue
        if user.op in _ASSIGNING and not _is_restored(nodes, user) and not proto.initializer_name:
            proto.initializer_name = consumer
            proto.initial_value_name = user.input[1]
        elif user.op in _READING and not proto.snapshot_name:
            proto.snapshot_name = f"{consumer}:0"
    if restored is not None and restored.part and "/" in name:
        part = _slice_of(restored)
        if part is not None:
            proto.save_slice_info_def.CopyFrom(part)
    return proto


def _is_restored(nodes: NodeIndex, assign: Any) -> bool:
    source = nodes.get(node_of(assign.input[1]))
    if source is not None and source.op == "Identity":
        source = nodes.get(node_of(source.input[0]))
    return source is None or source.op in _FROM_CHECKPOINT


def _slice_of(restored: Restored) -> Any | None:
    """A part as `"12 4 8,4:0,4"` says it."""
    *full, extents = restored.part.split(" ")
    try:
        pairs = [extent.split(",") for extent in extents.split(":")]
        return SaveSliceInfoDef(
            full_name=restored.key,
            full_shape=[int(n) for n in full],
            var_offset=[int(start) for start, _ in pairs],
            var_shape=[int(size) for _, size in pairs],
        )
    except ValueError:
        return None
