"""A signature of a module applied in a program's graph, on the state that is there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.common.log_filter import no_word_of
from compat_hub.errors import InputTypeError, SignatureError
from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.private_attrs import COLOCATION
from compat_hub.graphdef.subgraph import consumed_tensors
from compat_hub.programs.tensorflow_errors import building
from compat_hub.tf_private import graph_internals
from compat_hub.v1.graph.function_graph import import_rewritten, report_use
from compat_hub.v1.graph.instance_state import InstanceState
from compat_hub.v1.graph.meta_graphs import forget_state, prefix_shared_names, prepare

_Keys = tf.compat.v1.GraphKeys
# An asset that is used once more has to be known as one when this graph is exported.
_APPLY_COLLECTIONS = frozenset({_Keys.ASSET_FILEPATHS, _Keys.COND_CONTEXT, _Keys.WHILE_CONTEXT})


def import_signature(
    spec: ModuleSpec,
    variant: GraphVariant,
    name: str,
    state: InstanceState,
    inputs: Mapping[str, tf.Tensor],
    wanted: Sequence[str],
    update_ops: bool,
) -> list[tf.Tensor]:
    """Adds the variant's graph to the current one, fed with inputs and state.

    All of the graph is added, but what touches the host, and in a session only what is fetched
    runs. Inside a function that is being built, where a gradient does not get through loops of TF1,
    it is the graph rewritten for TensorFlow 2, cut to what is wanted.

    Args:
        spec: The module.
        variant: The variant.
        name: The name scope, made unique.
        state: The state of the instance.
        inputs: The inputs, by the name of the variant's tensor that they stand for. They may take
            the place of a state tensor.
        wanted: The variant's tensors to return.
        update_ops: Whether update ops go into the collection UPDATE_OPS: those that need no input
            of another signature. hub.Module adds these too, and no session can run them.

    Returns:
        The wanted tensors.

    Raises:
        InputTypeError: An input is a tensor of an unrelated graph.
        SignatureError: The inputs are in different places, and a node has to be in all of them.
    """
    graph: Any = tf.compat.v1.get_default_graph()
    for tensor in inputs.values():
        _check_home(graph, tensor, variant.where)
    tensors = state.tensors
    targets = variant.runnable_update_ops([*tensors, *inputs]) if update_ops else []
    if graph.building_function:
        report_use(state.eager_variables)
        with tf.name_scope(name):
            given = {**tensors, **state.values, **inputs}
            return import_rewritten(graph, variant, given, wanted, targets)
    collections: dict[str, list[str] | None] = dict.fromkeys(_APPLY_COLLECTIONS)
    if targets:
        # As they are called there: some are tensors.
        named = variant.meta_graph.collection_def[_Keys.UPDATE_OPS].node_list.value
        collections[_Keys.UPDATE_OPS] = [name for name in named if node_of(name) in targets]
    given = {
        n: graph_internals.bring_in(graph, tensor)
        for n, tensor in sorted({**tensors, **inputs}.items())
    }
    with building(variant.where):
        meta_graph = prepare(spec, variant, collections, given.keys())
    forget_state(meta_graph, tensors)
    scope = graph.unique_name(name, mark_as_used=False)
    prefix_shared_names(meta_graph, scope)
    consumed = consumed_tensors(meta_graph.graph_def, given.keys())
    with building(variant.where):
        with no_word_of("Saver not created"):  # none is needed
            tf.compat.v1.train.import_meta_graph(
                meta_graph,
                input_map={n: given[n] for n in consumed},
                import_scope=scope.rpartition("/")[2],
            )
        _move_colocation(graph, scope, meta_graph.graph_def, given, variant.where)
        return [
            given[n] if n in given else graph.get_tensor_by_name(f"{scope}/{n}") for n in wanted
        ]


def _check_home(graph: Any, tensor: tf.Tensor, where: str) -> None:
    home = getattr(tensor, "graph", None)  # an eager tensor has none
    if home is not None and all(home is not g for g in graph_internals.graphs_around(graph)):
        raise InputTypeError(
            f"In {where}: the input {tensor.name!r} is a tensor of another graph. Make inputs in "
            "the graph that the module is applied in."
        )


def _move_colocation(
    graph: Any, scope: str, graph_def: Any, given: Mapping[str, tf.Tensor], where: str
) -> None:
    """Colocates with the given tensors what was colocated with the nodes they replace.

    Raises:
        SignatureError: A node is colocated with one whose outputs are now in several places.
    """
    replaced: dict[bytes, set[bytes]] = {}
    for name, tensor in given.items():
        key = f"loc:@{scope}/{node_of(name)}".encode()
        groups = replaced.setdefault(key, set())
        groups.update(tensor.op.colocation_groups())
    split = {
        f"loc:@{scope}/{node}".encode()
        for node in {node_of(name) for name in given}
        if _is_split(graph, f"{scope}/{node}", node, given)
    }
    for node in graph_def.node:
        if COLOCATION not in node.attr:
            continue
        operation = graph.get_operation_by_name(f"{scope}/{node.name}")
        groups = graph_internals.colocation(operation)
        if not groups & replaced.keys():
            continue
        if groups & split:
            raise SignatureError(
                f"In {where}: the node {node.name!r} is colocated with a node that has "
                "several outputs, of which the inputs replace some, or all by tensors in different "
                "places. The module's author should make each input a placeholder."
            )
        moved = sorted({new for group in groups for new in replaced.get(group, {group})})
        devices = (graph.get_operation_by_name(g.decode()[5:]).device for g in moved)
        graph_internals.set_colocation(operation, moved, next(filter(None, devices), ""))


def _is_split(graph: Any, name: str, node: str, given: Mapping[str, tf.Tensor]) -> bool:
    try:
        outputs = range(len(graph.get_operation_by_name(name).outputs))
    except KeyError:  # it touches the host, and is not there
        return False
    places = {
        tuple(given[f"{node}:{k}"].op.colocation_groups()) if f"{node}:{k}" in given else None
        for k in outputs
    }
    return len(places) > 1
