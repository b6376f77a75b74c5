"""The state of a module in a program's graph: variables, tables, and the losses on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from compat_hub.common.log_filter import no_word_of
from compat_hub.errors import GraphError
from compat_hub.format.checkpoints.read import Checkpoint
from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.names import node_of
from compat_hub.programs.tensorflow_errors import building
from compat_hub.tf_private.variable_internals import complete_variable
from compat_hub.v1.graph.instance_state import InstanceState
from compat_hub.v1.graph.meta_graphs import (
    prefix_shared_names,
    prepare,
    state_nodes,
)

_Keys = tf.compat.v1.GraphKeys
_STATE_COLLECTIONS = frozenset(
    {
        _Keys.GLOBAL_VARIABLES,
        _Keys.MODEL_VARIABLES,
        _Keys.TABLE_INITIALIZERS,
        _Keys.ASSET_FILEPATHS,
        _Keys.COND_CONTEXT,
        _Keys.WHILE_CONTEXT,
    }
)
_TRAINABLE_COLLECTIONS = frozenset({_Keys.TRAINABLE_VARIABLES, _Keys.REGULARIZATION_LOSSES})


def reserve_scope(name: str) -> str:
    """Finds a variable scope, based on `name`, that no variable and no op is in yet.

    Returns:
        The absolute name of the scope, without a slash at its end.

    Raises:
        GraphError: The scope of variables is free, and that of ops is not.
    """
    outer = tf.compat.v1.get_variable_scope().name
    with tf.name_scope(f"{outer}/" if outer else ""):
        with tf.compat.v1.variable_scope(
            None, default_name=name, auxiliary_name_scope=False
        ) as scope:
            found = scope.name
        graph = tf.compat.v1.get_default_graph()
        if graph.unique_name(name, mark_as_used=False) != found:
            raise GraphError(
                f"The variable scope {found!r} is free for a module, but ops of the graph are in "
                "the name scope of that name already. Pass another `name`, or make the module "
                "outside of the name scope."
            )
    return found


def import_state(
    spec: ModuleSpec, variant: GraphVariant, scope: str, trainable: bool
) -> InstanceState:
    """Adds a module's state to the current graph.

    Args:
        spec: The module.
        variant: The variant.
        scope: What `reserve_scope` gave.
        trainable: Whether TRAINABLE_VARIABLES and REGULARIZATION_LOSSES get their share.

    Returns:
        What was added.

    Raises:
        CheckpointError: The checkpoint is missing or damaged, or lacks a variable of the variant.
        ModuleFormatError: An asset file is missing.
        UnsafeModuleError: Something that the state needs would touch the host.
    """
    for file in sorted(set(variant.assets.values())):
        spec.asset_path(file)
    kept = _STATE_COLLECTIONS | (_TRAINABLE_COLLECTIONS if trainable else frozenset())
    prefix = spec.checkpoint_prefix
    has_values = bool(prefix and variant.variables)
    if prefix and has_values:
        Checkpoint(spec.handle, prefix, spec.checkpoint_names).check(variant.variables)
    with building(variant.where):
        collections = dict.fromkeys(kept)
        meta_graph = prepare(spec, variant, collections, from_checkpoint=has_values)
    names = {node.name for node in meta_graph.graph_def.node}
    prefix_shared_names(meta_graph, scope)
    graph = tf.compat.v1.get_default_graph()
    outer, _, name = scope.rpartition("/")
    known = set(map(id, graph.get_collection(_Keys.GLOBAL_VARIABLES)))
    with (
        building(variant.where),
        tf.name_scope(f"{outer}/" if outer else ""),
        no_word_of("Saver not created"),  # none is needed
    ):
        tf.compat.v1.train.import_meta_graph(meta_graph, import_scope=name)
    variables = {
        variable.name.removeprefix(f"{scope}/").partition(":")[0]: variable
        for variable in graph.get_collection(_Keys.GLOBAL_VARIABLES)
        if id(variable) not in known
    }
    for variable in variables.values():
        complete_variable(variable)
    with building(variant.where):
        tensors = {
            f"{node}:0": graph.get_tensor_by_name(f"{scope}/{node}:0")
            for node in state_nodes(variant)
            if node in names
        }
        values = {n: variables[node_of(n)].value() for n in variant.reference_variables}
        assets = [tensor for tensor in variant.assets if node_of(tensor) in names]
        values.update({n: graph.get_tensor_by_name(f"{scope}/{n}") for n in assets})
        return InstanceState(tensors, values, _variable_map(variant, variables))


def _variable_map(variant: GraphVariant, variables: Mapping[str, Any]) -> dict[str, Any]:
    parts: dict[str, list[tuple[tuple[int, ...], Any]]] = {}
    result: dict[str, Any] = {}
    for info in variant.variables:
        if info.slice:
            parts.setdefault(info.key, []).append((info.slice.offset, variables[info.name]))
        else:
            result[info.key] = variables[info.name]
    for key, found in parts.items():
        result[key] = [variable for _, variable in sorted(found, key=lambda part: part[0])]
    return result
