"""Resources kept apart by their names from those of the program and of other modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tensorflow.core.framework import types_pb2

from compat_hub.graphdef.function_library import all_nodes

GraphDef = Any
NodeDef = Any

_HANDLES = frozenset({types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT})
# The op of a list of variables has them in a list.
_NAMES, _LIST = "shared_name", "shared_names"
_BY_NODE = "use_node_name_sharing"
# It runs the rows of several calls together, with what the first of them captures.
_BATCH = "BatchFunction"
# Another node has the name of this one as its shared name.
_NAMED_BY_OTHERS = frozenset({"AddManySparseToTensorsMap", "AddSparseToTensorsMap"})


def own_resources(
    graph_def: GraphDef, prefix: str, op_def: Callable[[str], Any], batch_prefix: str = ""
) -> None:
    """Makes the names that nodes share resources by begin with a prefix, in place.

    TensorFlow has all resources of a process, or of a session, under one namespace. Two nodes with
    one name have one resource still; without a name, it is that of the node and its function.

    Args:
        graph_def: The graph; its functions are changed, too.
        prefix: What no other names begin with.
        op_def: Gives the OpDef of an op, or None.
        batch_prefix: The same for nodes that run calls together; `prefix` if empty.
    """
    _rename(graph_def.node, prefix, op_def, batch_prefix)
    own_resources_of_functions(graph_def, prefix, op_def, batch_prefix)


def runs_calls_together(graph_def: GraphDef) -> bool:
    """Whether a graph collects rows of several calls in a batch."""
    return any(node.op == _BATCH for node in all_nodes(graph_def))


def own_resources_of_functions(
    graph_def: GraphDef, prefix: str, op_def: Callable[[str], Any], batch_prefix: str = ""
) -> None:
    """The same for what is in functions alone: nodes of a graph have the name of its scope."""
    for function in graph_def.library.function:
        body = f"{function.signature.name}/"
        _rename(function.node_def, prefix, op_def, batch_prefix, body)


def fill_memory(graph_def: GraphDef) -> None:
    """Lets no node give memory as others have left it, in place."""
    for node in all_nodes(graph_def):
        if node.op == "Empty":
            node.attr["init"].b = True
        elif node.op == "FakeParam" and _has_memory(node):
            _make_zeros(node)


def _has_memory(node: NodeDef) -> bool:
    shape = node.attr["shape"].shape
    is_known = not shape.unknown_rank and all(dim.size >= 0 for dim in shape.dim)
    return is_known and node.attr["dtype"].type not in _HANDLES


def _make_zeros(node: NodeDef) -> None:
    value = node.attr["value"].tensor
    value.dtype = node.attr["dtype"].type
    value.tensor_shape.CopyFrom(node.attr["shape"].shape)
    del node.attr["shape"]
    node.op = "Const"


def _rename(
    nodes: Iterable[NodeDef],
    prefix: str,
    op_def: Callable[[str], Any],
    batch_prefix: str,
    body: str = "",
) -> None:
    known: dict[str, frozenset[str]] = {}
    for node in nodes:
        if node.op not in known:
            found = op_def(node.op)
            known[node.op] = frozenset(attr.name for attr in found.attr) if found else frozenset()
        attrs = known[node.op]
        first = batch_prefix or prefix if node.op == _BATCH else prefix
        own = node.name if node.op in _NAMED_BY_OTHERS else f"{body}{node.name}"
        if _NAMES in attrs:
            name = node.attr[_NAMES].s
            if not name and _BY_NODE in attrs and not node.attr[_BY_NODE].b:
                continue  # it is of this node alone
            node.attr[_NAMES].s = f"{first}/".encode() + (name or own.encode())
        if _LIST in attrs:
            names = node.attr[_LIST].list.s
            names[:] = [f"{first}/".encode() + (name or own.encode()) for name in names]
