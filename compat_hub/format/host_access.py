"""Whether a module would touch the host when it is used."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from tensorflow.core.framework import variable_pb2

from compat_hub.errors import UnsafeModuleError
from compat_hub.format.graph_roots import all_wanted, users
from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.analysis.host_nodes import HostNodes, PassedOn
from compat_hub.graphdef.analysis.host_ops import is_judged, may_touch_host
from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.passes.leave_out import leave_out
from compat_hub.graphdef.subgraph import dependents, index_nodes, names_by_op
from compat_hub.tf_private import op_registry

# The keys of tf.compat.v1.GraphKeys under which a graph lists variables.
VARIABLE_COLLECTIONS = ("variables", "model_variables", "trainable_variables")

_LOSSES = "regularization_losses"

# By op, node, what it does, and what of the module needs it.
_Finding = tuple[str, str, str, str]


def find_host_access(variant: GraphVariant, has_checkpoint: bool = True) -> list[_Finding]:
    """The nodes that touch the host, among those that run when the module is used.

    Reading the module's own assets is not counted.

    Args:
        variant: The variant.
        has_checkpoint: Whether the variables get their values from one, and not from the graph.

    Returns:
        For each the op, the node, what it does, and what of the module needs it.
    """
    suspects = _suspect_ops(variant, variant.ops)
    library = variant.meta_graph.graph_def.library
    if not suspects and not library.gradient:
        return []
    hosts = HostNodes(variant.nodes, variant.nodes_by_op, library, suspects)
    resources = {n for n in hosts.callers if op_registry.makes_resource(variant.nodes[n].op)}
    # Most modules have nodes that save and restore the checkpoint, and nothing needs these.
    wanted = all_wanted(variant, initial_values=not has_checkpoint)
    needed = hosts.needed(wanted, (), variant.nodes) if hosts.names else ()
    if not needed and not resources:
        return []
    within = dependents(variant.nodes, needed)
    assets = _asset_constants(variant)
    found: dict[tuple[str, str], _Finding] = {}
    listed: set[str] = set()
    for user, wanted, fed in users(variant, initial_values=not has_checkpoint):
        needed = hosts.needed(wanted, fed, within)
        # A value that the caller passes is not an own file, even in the place of an asset.
        own = PassedOn(assets, variant.nodes, fed)
        for op, name, what in hosts.places(needed, own, listed):
            found.setdefault((op, name), (op, name, what, user))
    # All are made where a SavedModel is loaded, and one may take the place of others by its name.
    for op, name, what in hosts.places(resources, (), listed):
        found.setdefault((op, name), (op, name, what, "the resources"))
    return sorted(found.values())


def _suspect_ops(variant: GraphVariant, ops: Iterable[str]) -> set[str]:
    """Those of the ops of a graph that touch the host, or may.

    Of those that nobody has judged, what is the name of a function is none, and what this
    TensorFlow does not have cannot run.
    """
    return {
        op
        for op in filter(may_touch_host, ops)
        if is_judged(op) or (op not in variant.function_names and op_registry.is_registered_op(op))
    }


def check_host_access(
    spec: ModuleSpec, variants: Iterable[GraphVariant], initial_values: bool = False
) -> None:
    """Checks that variants stay within the graph when they are used, unless the spec allows more.

    Args:
        spec: The module.
        variants: The variants that will be used.
        initial_values: Whether the graph's initializers give values to some variables, though the
            module has a checkpoint.

    Raises:
        UnsafeModuleError: One would touch the host.
    """
    if spec.allow_host_access:
        return
    for variant in variants:
        has_checkpoint = spec.checkpoint_prefix is not None and not initial_values
        found = find_host_access(variant, has_checkpoint)
        if found:
            raise UnsafeModuleError(_message(spec.handle, variant, found))


def check_run(
    spec: ModuleSpec,
    variant: GraphVariant,
    user: str,
    wanted: Collection[str],
    fed: Collection[str],
) -> None:
    """Checks that what is not a signature's part of a graph stays within the graph when it runs.

    Args:
        spec: The module.
        variant: The variant.
        user: How the message names who runs it.
        wanted: The names of tensors and nodes.
        fed: The names of the tensors whose values are given at each call, the state not counted.

    Raises:
        UnsafeModuleError: It would touch the host.
    """
    library = variant.meta_graph.graph_def.library
    suspects = _suspect_ops(variant, variant.ops)
    if spec.allow_host_access or not (suspects or library.gradient):
        return
    hosts = HostNodes(variant.nodes, variant.nodes_by_op, library, suspects)
    needed = hosts.needed(wanted, fed, variant.nodes)
    own = PassedOn(_asset_constants(variant), variant.nodes, fed)
    found = [(op, name, what, user) for op, name, what in hosts.places(needed, own, set())]
    if found:
        raise UnsafeModuleError(_message(spec.handle, variant, sorted(found)))


def leave_out_host_access(
    spec: ModuleSpec,
    variant: GraphVariant,
    meta_graph: Any,
    fed: Collection[str] = (),
    trusted: Collection[str] = (),
) -> None:
    """Removes what touches the host, and what depends on it, from a graph for a session, in place.

    A session runs whatever of a graph it is asked for, and TensorFlow computes constants while it
    imports one. Nothing changes where the spec allows host access.

    Args:
        spec: The module.
        variant: The variant.
        meta_graph: A copy of its MetaGraph, with the collections that the program will see.
        fed: Names of the tensors that others will take the place of.
        trusted: Names of nodes that stay.

    Raises:
        UnsafeModuleError: Something in the collections, a variable's initializer for one, depends
            on what touches the host.
    """
    graph_def = meta_graph.graph_def
    may_touch = _suspect_ops(variant, variant.ops) or graph_def.library.gradient
    if spec.allow_host_access or not may_touch:
        return
    nodes = index_nodes(graph_def)
    by_op = names_by_op(nodes)
    ops = by_op.keys() | {n.op for f in graph_def.library.function for n in f.node_def}
    hosts = HostNodes(nodes, by_op, graph_def.library, _suspect_ops(variant, ops), trusted)
    own = PassedOn(_asset_constants(variant), nodes, fed)
    beyond = hosts.beyond(own)
    if not beyond and not hosts.functions.names:
        return
    gone = dependents(nodes, beyond, fed)
    # The check has refused losses that run without inputs; the others are not computed here.
    losses = meta_graph.collection_def[_LOSSES].node_list.value
    losses[:] = [name for name in losses if node_of(name) not in gone]
    if not losses:
        del meta_graph.collection_def[_LOSSES]
    found: set[_Finding] = set()
    listed: set[str] = set()
    for user, names in _named_in_collections(meta_graph):
        if not gone.isdisjoint(map(node_of, names)):
            needed = hosts.needed(names, fed, gone) & beyond
            places = hosts.places(needed, own, listed)
            found.update((op, name, what, user) for op, name, what in places)
    if found:
        raise UnsafeModuleError(_message(spec.handle, variant, sorted(found)))
    leave_out(meta_graph, gone, hosts.functions.names)


def _asset_constants(variant: GraphVariant) -> set[str]:
    """The assets' tensors, as far as a session gives them their paths: those that are constants."""
    return {t for t in variant.assets if variant.nodes[node_of(t)].op == "Const"}


def _named_in_collections(meta_graph: Any) -> Iterable[tuple[str, list[str]]]:
    for key, collection in meta_graph.collection_def.items():
        names = list(collection.node_list.value)
        is_of_variables = key in VARIABLE_COLLECTIONS
        for value in collection.bytes_list.value if is_of_variables else ():
            proto: Any = variable_pb2.VariableDef.FromString(value)
            names += [proto.variable_name, proto.initializer_name]
            names += [proto.initial_value_name, proto.snapshot_name]
        yield f"the collection {key!r}", names


def _message(handle: str, variant: GraphVariant, found: Iterable[_Finding]) -> str:
    listed = "; ".join(
        f"{op!r}, node {node!r}, for {user}, {what}" for op, node, what, user in found
    )
    return (
        f"In {variant.where}: the graph would touch the host when it runs: {listed}. "
        "If you trust the module's source, allow it with "
        f"compat_hub.load({handle!r}, allow_host_access=True), or pass "
        f"compat_hub.load_module_spec({handle!r}, allow_host_access=True) in the handle's place."
    )
