"""Passes for a whole MetaGraph: its collections, its assets, and where its variables get values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import variable_pb2
from tensorflow.core.protobuf import control_flow_pb2

from compat_hub.errors import ModuleFormatError
from compat_hub.format.host_access import VARIABLE_COLLECTIONS
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.names import node_of, tensor_of
from compat_hub.graphdef.op_outputs import output_dtypes
from compat_hub.graphdef.passes.control_flow.raise_control_flow import CONTROL_FLOW_V1
from compat_hub.graphdef.passes.ops_to_functions import inline_substitutes
from compat_hub.graphdef.subgraph import index_nodes
from compat_hub.sources.fresh_copy import fresh_copy
from compat_hub.tf_private import op_registry

_CONTEXTS: Mapping[str, Any] = {
    tf.compat.v1.GraphKeys.COND_CONTEXT: control_flow_pb2.CondContextDef,
    tf.compat.v1.GraphKeys.WHILE_CONTEXT: control_flow_pb2.WhileContextDef,
}
_RESTORE_SCOPE = "checkpoint_initializer"
_RESTORE_INPUTS = ("prefix", "names", "slices")
_ASSET_FILEPATHS = tf.compat.v1.GraphKeys.ASSET_FILEPATHS


def inline_missing_ops(meta_graph: Any) -> None:
    """Puts in the place of ops that TensorFlow 2 lacks what computes the same.

    New nodes belong to the loop or branch that the node was in.
    """
    graph_def = meta_graph.graph_def
    new = inline_substitutes(graph_def, op_registry.op_def)
    nodes = index_nodes(graph_def)
    tensors = {
        node: [
            f"{name}:{k}"
            for name in names
            for k in range(len(output_dtypes(nodes[name], op_registry.op_def)))
        ]
        for node, names in new.items()
    }
    for key, context in _CONTEXTS.items():
        values = (
            meta_graph.collection_def[key].bytes_list.value
            if key in (meta_graph.collection_def)
            else []
        )
        for k, value in enumerate(values):
            proto = context.FromString(value)
            _add_to_context(proto, tensors)
            values[k] = proto.SerializeToString()


def _add_to_context(proto: Any, tensors: Mapping[str, list[str]]) -> None:
    """Adds tensors to the context of a loop or branch, and to those within it, in place."""
    own = {node_of(v) for v in proto.values_def.values} - set(proto.values_def.external_values)
    for node, names in tensors.items():
        if node in own:
            proto.values_def.values.extend(names)
    for nested in proto.nested_contexts:
        _add_to_context(getattr(nested, nested.WhichOneof("ctxt")), tensors)


def can_inline(meta_graph: Any) -> bool:
    """Whether calls of functions may become what they compute.

    In a graph, each node of a loop or branch of TF1 has to be known to a context. And a function
    with a gradient function of its own has it in the library, where it stays if a module is made of
    this graph.
    """
    library = meta_graph.graph_def.library
    return not library.gradient and not any(
        node.op.removeprefix("Ref") in CONTROL_FLOW_V1
        for nodes in (meta_graph.graph_def.node, *(f.node_def for f in library.function))
        for node in nodes
    )


def keep_collections(meta_graph: Any, kept: Mapping[str, Sequence[str] | None]) -> None:
    for key in list(meta_graph.collection_def):
        if key not in kept:
            del meta_graph.collection_def[key]
    for key, names in kept.items():
        if names is not None:
            meta_graph.collection_def[key].node_list.value[:] = names


def drop_foreign_assets(meta_graph: Any, variant: GraphVariant) -> None:
    """Leaves only the module's own assets in ASSET_FILEPATHS.

    TensorFlow copies the files that the collection names into each SavedModel that a program makes.
    """
    if _ASSET_FILEPATHS in meta_graph.collection_def:
        collection = meta_graph.collection_def[_ASSET_FILEPATHS]
        own = [name for name in collection.node_list.value if tensor_of(name) in variant.assets]
        collection.Clear()
        if own:
            collection.node_list.value.extend(own)
        else:
            del meta_graph.collection_def[_ASSET_FILEPATHS]


def set_asset_paths(meta_graph: Any, assets: Mapping[str, str]) -> None:
    """Gives the constants that hold paths of assets the paths on this machine, in place.

    Args:
        meta_graph: The MetaGraph.
        assets: The paths, by the tensor that holds each.
    """
    nodes = index_nodes(meta_graph.graph_def)
    for tensor, file in assets.items():
        if node_of(tensor) in nodes:
            # All of the value: its other fields may hold another string.
            value = nodes[node_of(tensor)].attr["value"].tensor
            path = tf.make_tensor_proto(file, tf.string)
            path.tensor_shape.CopyFrom(value.tensor_shape)
            value.CopyFrom(path)


def initialize_from_checkpoint(
    meta_graph: Any,
    variant: GraphVariant,
    prefix: str,
    names: Mapping[str, str] = MappingProxyType({}),
) -> Collection[str]:
    """Makes the variables' initializers read a checkpoint.

    Each variable has a restore op of its own: they run in parallel, and none keeps the values of
    all variables in memory.

    Returns:
        The names of the nodes that read it.

    Raises:
        ModuleFormatError: A variable's initializer is no assignment.
    """
    nodes = index_nodes(meta_graph.graph_def)
    restored: dict[str, str] = {}
    taken = set(nodes)
    for info in variant.variables:
        scope = f"{_RESTORE_SCOPE}/{info.name}"
        # Another variable may be called as a constant of this one is: "w" and "w/prefix".
        while not taken.isdisjoint((scope, *(f"{scope}/{part}" for part in _RESTORE_INPUTS))):
            scope += "_"
        taken.update((scope, *(f"{scope}/{part}" for part in _RESTORE_INPUTS)))
        part = info.slice.spec if info.slice else ""
        restore = meta_graph.graph_def.node.add(name=scope, op="RestoreV2")
        values = (prefix, [names.get(info.key, info.key)], [part])
        for name, value in zip(_RESTORE_INPUTS, values, strict=True):
            constant = meta_graph.graph_def.node.add(name=f"{scope}/{name}", op="Const")
            constant.attr["dtype"].type = tf.string.as_datatype_enum
            constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, tf.string))
            restore.input.append(constant.name)
        restore.attr["dtypes"].list.type.append(info.dtype.as_datatype_enum)
        restored[info.name] = scope
    for key in VARIABLE_COLLECTIONS:
        if key not in meta_graph.collection_def:
            continue
        values = meta_graph.collection_def[key].bytes_list.value
        for k, value in enumerate(values):
            proto: Any = variable_pb2.VariableDef.FromString(value)
            name = node_of(proto.variable_name)
            if name not in restored:
                continue
            assign = nodes.get(node_of(proto.initializer_name))
            if assign is None or len(assign.input) < 2:
                raise ModuleFormatError(
                    f"In {variant.where}: the variable {name!r} has no op that assigns its initial "
                    f"value. The module is damaged. {fresh_copy(variant.handle)}"
                )
            assign.input[1] = restored[name]
            proto.initial_value_name = f"{restored[name]}:0"
            values[k] = proto.SerializeToString()
    return restored.values()
