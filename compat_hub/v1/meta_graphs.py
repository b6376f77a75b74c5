"""What is changed in a variant's MetaGraph before it is imported into a program's graph."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import variable_pb2

from compat_hub import _tensorflow
from compat_hub.block_cell_gradients import add_block_cell_gradients
from compat_hub.custom_gradients import replace_lost_gradients
from compat_hub.errors import ModuleFormatError
from compat_hub.fresh_copy import fresh_copy
from compat_hub.graph.control_flow import CONTROL_FLOW_V1
from compat_hub.graph.library import rename_functions
from compat_hub.graph.machine_traces import clear_devices
from compat_hub.graph.names import node_of
from compat_hub.graph.subgraph import index_nodes
from compat_hub.rewrite import check_graph, inline_functions
from compat_hub.spec import ModuleSpec
from compat_hub.v1.tensor_array_gradients import add_tensor_array_gradients
from compat_hub.variant import GraphVariant

_numbers = itertools.count()
_RESTORE_SCOPE = "checkpoint_initializer"
_VARIABLE_COLLECTIONS = (
    tf.compat.v1.GraphKeys.GLOBAL_VARIABLES,
    tf.compat.v1.GraphKeys.MODEL_VARIABLES,
    tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES,
)


def prepare(spec: ModuleSpec, variant: GraphVariant) -> Any:
    """A copy of the MetaGraph for this machine and this program.

    Assets get their paths here, functions of the library names that no other module has, and
    devices of the machine that made the module are dropped. Calls of functions become what they
    compute: TensorFlow finds no gradient of most ops in an imported function.

    Raises:
        ModuleFormatError: A function of the graph does not fit a call of it, or a constant cannot
            be made.
    """
    meta_graph = type(variant.meta_graph)()
    meta_graph.CopyFrom(variant.meta_graph)
    check_graph(variant, meta_graph.graph_def)
    nodes = index_nodes(meta_graph.graph_def)
    for tensor, file in variant.assets.items():
        nodes[node_of(tensor)].attr["value"].tensor.string_val[:] = [
            spec.asset_files[file].encode()
        ]
    replace_lost_gradients(meta_graph.graph_def, variant.where)
    if _can_inline(meta_graph):
        meta_graph.graph_def.CopyFrom(inline_functions(variant, meta_graph.graph_def))
    clear_devices(meta_graph.graph_def)
    # The gradient of a While defines functions after the names of its own: see rewrite.py.
    rename_functions(meta_graph.graph_def, f"__{variant.library_digest}_{next(_numbers)}")
    add_block_cell_gradients(meta_graph.graph_def)
    add_tensor_array_gradients(meta_graph.graph_def)
    return meta_graph


def _can_inline(meta_graph: Any) -> bool:
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


def keep_collections(meta_graph: Any, kept: Collection[str]) -> None:
    """Drops all other collections."""
    for key in list(meta_graph.collection_def):
        if key not in kept:
            del meta_graph.collection_def[key]


def prefix_shared_names(meta_graph: Any, scope: str) -> None:
    """Keeps the tables and variables of two instances apart."""
    for node in meta_graph.graph_def.node:
        if "shared_name" in node.attr and node.attr["shared_name"].s:
            node.attr["shared_name"].s = f"{scope}/".encode() + node.attr["shared_name"].s


def initialize_from_checkpoint(meta_graph: Any, variant: GraphVariant, prefix: str) -> None:
    """Makes the variables' initializers read a checkpoint.

    Each variable has a restore op of its own: they run in parallel, and none keeps the values of
    all variables in memory.

    Raises:
        ModuleFormatError: A variable's initializer is no assignment.
    """
    nodes = index_nodes(meta_graph.graph_def)
    restored: dict[str, str] = {}
    for info in variant.variables:
        scope = f"{_RESTORE_SCOPE}/{info.name}"
        while scope in nodes:
            scope += "_"
        part = info.slice.spec if info.slice else ""
        restore = meta_graph.graph_def.node.add(name=scope, op="RestoreV2")
        for name, value in ("prefix", prefix), ("names", [info.key]), ("slices", [part]):
            constant = meta_graph.graph_def.node.add(name=f"{scope}/{name}", op="Const")
            constant.attr["dtype"].type = tf.string.as_datatype_enum
            constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, tf.string))
            restore.input.append(constant.name)
        restore.attr["dtypes"].list.type.append(info.dtype.as_datatype_enum)
        restored[info.name] = scope
    for key in _VARIABLE_COLLECTIONS:
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


def forget_state(meta_graph: Any, state: Mapping[str, tf.Tensor]) -> None:
    """Turns the nodes that hold state into placeholders, whose place the state takes."""
    for node in meta_graph.graph_def.node:
        tensor = state.get(f"{node.name}:0")
        if tensor is not None:
            node.op = "Placeholder"
            node.attr.clear()
            node.attr["dtype"].type = tensor.dtype.base_dtype.as_datatype_enum


def state_nodes(variant: GraphVariant) -> list[str]:
    """The names of the nodes that hold state."""
    return [name for name, node in variant.nodes.items() if _tensorflow.is_state_op(node.op)]
