"""What collections say of loops and conditionals, after a graph has been cut."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.control_flow_pb2 import CondContextDef, WhileContextDef

from compat_hub.graphdef.names import node_of

_KINDS = {"while_context": WhileContextDef, "cond_context": CondContextDef}
_NESTED = {"while_ctxt": "while_context", "cond_ctxt": "cond_context"}


def keep_contexts(meta_graph: Any, nodes: Collection[str]) -> None:
    """Removes names of nodes that are gone from the contexts of a meta graph, in place.

    A context whose own nodes are gone goes, too.

    Args:
        meta_graph: The meta graph.
        nodes: The names of the nodes that are left.
    """
    for collection, kind in _KINDS.items():
        if collection not in meta_graph.collection_def:
            continue
        values = meta_graph.collection_def[collection].bytes_list.value
        kept: list[bytes] = []
        for value in values:
            try:
                context = kind.FromString(value)
            except DecodeError:
                kept.append(value)  # the reader of the variant says what is wrong
                continue
            if _keep(context, nodes):
                kept.append(context.SerializeToString())
        del meta_graph.collection_def[collection]
        if kept:
            meta_graph.collection_def[collection].bytes_list.value.extend(kept)


def _keep(context: Any, nodes: Collection[str]) -> bool:
    own = [context.pivot_name]
    if isinstance(context, WhileContextDef):
        own += [context.pivot_for_pred_name, context.pivot_for_body_name]
        for names in (context.loop_exit_names, context.loop_enter_names):
            names[:] = [name for name in names if node_of(name) in nodes]
        if not context.loop_exit_names:
            return False
    else:
        own.append(context.pred_name)
    if any(name and node_of(name) not in nodes for name in own):
        return False
    values = context.values_def
    values.values[:] = [name for name in values.values if node_of(name) in nodes]
    for inner, outer in list(values.external_values.items()):
        if node_of(inner) not in nodes or node_of(outer) not in nodes:
            del values.external_values[inner]
    nested = [n for n in context.nested_contexts if _keep_nested(n, nodes)]
    copies = [type(n).FromString(n.SerializeToString()) for n in nested]
    del context.nested_contexts[:]
    context.nested_contexts.extend(copies)
    return True


def _keep_nested(control: Any, nodes: Collection[str]) -> bool:
    field = control.WhichOneof("ctxt")
    return field in _NESTED and _keep(getattr(control, field), nodes)
