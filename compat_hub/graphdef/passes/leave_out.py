"""A MetaGraph without some of its nodes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container
from typing import Any

from tensorflow.core.protobuf.control_flow_pb2 import CondContextDef, WhileContextDef

from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.private_attrs import COLOCATION

MetaGraphDef = Any
_CONTEXTS = {"cond_context": CondContextDef, "while_context": WhileContextDef}
_COLOCATION = "loc:@"


def leave_out(meta_graph: MetaGraphDef, nodes: Collection[str], functions: Container[str]) -> None:
    """Removes nodes and functions from a MetaGraph, in place.

    Args:
        meta_graph: The MetaGraph.
        nodes: Names of nodes that none of the others has among its inputs, unless the tensor is
            replaced by another in the import.
        functions: Names of functions that none of the other nodes and functions calls.
    """
    graph_def = meta_graph.graph_def
    _filter(graph_def.node, lambda node: node.name not in nodes)
    _filter(graph_def.library.function, lambda f: f.signature.name not in functions)
    _filter(
        graph_def.library.gradient,
        lambda g: g.function_name not in functions and g.gradient_func not in functions,
    )
    if not nodes:
        return
    for node in graph_def.node:
        if COLOCATION in node.attr:
            _filter(
                node.attr[COLOCATION].list.s,
                lambda s: s.decode(errors="replace").removeprefix(_COLOCATION) not in nodes,
            )
    for key, kind in _CONTEXTS.items():
        if key in meta_graph.collection_def:
            values = meta_graph.collection_def[key].bytes_list.value
            contexts = [kind.FromString(value) for value in values]
            kept = [context for context in contexts if _trim(context, nodes)]
            values[:] = [context.SerializeToString() for context in kept]


def _trim(context: Any, nodes: Container[str]) -> bool:
    """Makes a context of a loop or branch forget nodes; false where nothing of it is left."""
    is_loop = isinstance(context, WhileContextDef)
    pivots = [context.pivot_name]
    pivots += (
        [context.pivot_for_pred_name, context.pivot_for_body_name, context.maximum_iterations_name]
        if is_loop
        else [context.pred_name]
    )
    if any(node_of(name) in nodes for name in pivots):
        return False

    def is_kept(name: str) -> bool:
        return node_of(name) not in nodes

    values = context.values_def
    lost = {k for k, v in values.external_values.items() if not (is_kept(k) and is_kept(v))}
    for name in lost:
        del values.external_values[name]
    _filter(values.values, lambda name: is_kept(name) and name not in lost)
    if is_loop:
        _filter(context.loop_exit_names, is_kept)
        _filter(context.loop_enter_names, is_kept)
    _filter(context.nested_contexts, lambda nested: _trim(_context_in(nested), nodes))
    return True


def _context_in(nested: Any) -> Any:
    return nested.while_ctxt if nested.HasField("while_ctxt") else nested.cond_ctxt


def _filter(field: Any, is_kept: Callable[[Any], bool]) -> None:
    """Keeps some entries of a repeated field; to delete one copies none of the others."""
    for k in reversed([k for k, value in enumerate(field) if not is_kept(value)]):
        del field[k]
