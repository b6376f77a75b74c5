"""Whether the names of resources that nodes take as strings come from nodes that make them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tensorflow.core.framework import types_pb2

from compat_hub.graphdef.names import is_control

GraphDef = Any
NodeDef = Any

_FIRST = ("Enter", "Exit", "Identity", "NextIteration", "Switch")
_MERGES = frozenset({"Merge", "RefMerge"})
_PASS_ON = _MERGES.union(_FIRST, (f"Ref{op}" for op in _FIRST))
# They write to their first input, whatever it refers to.
_WRITERS = frozenset({"Assign", "ScatterUpdate", "ScatterNdUpdate", "StridedSliceAssign"})
_GIVEN = frozenset({"Placeholder", "PlaceholderV2"})


def find_foreign_handle(graph_def: GraphDef, op_def: Callable[[str], Any]) -> str | None:
    """A message on a node that takes a resource by a name from elsewhere, or None.

    Before there were handles, ops had the names of tables, queues and arrays as strings; iterators
    and tensors that a session keeps still have. Whoever can write such a string reaches what other
    parts of the program hold. What a caller feeds is the caller's own.

    Args:
        graph_def: The graph, without what is fed; its functions are looked at, too.
        op_def: Gives the OpDef of an op, or None.
    """
    takers: dict[str, list[int]] = {}
    for body in (graph_def, *graph_def.library.function):
        is_graph = body is graph_def
        members = body.node if is_graph else body.node_def
        nodes: Mapping[str, NodeDef] = {}
        for node in members:
            if node.op not in takers:
                takers[node.op] = _handles_in(op_def(node.op))
            writes = node.op in _WRITERS and _is_string(node)
            if not nodes and (writes or takers[node.op]):
                nodes = {n.name: n for n in members}
            if writes and any(
                source is not None and _makes_handle(op_def(source.op))
                for source in _origins(node, 0, nodes)
            ):
                return f"the node {node.name!r} ({node.op}) writes to the name of a resource"
            for number in takers[node.op]:
                is_there = number < sum(not is_control(source) for source in node.input)
                origins = _origins(node, number, nodes)
                if not is_there or not all(_is_own(s, is_graph, op_def) for s in origins):
                    return (
                        f"the node {node.name!r} ({node.op}) takes a resource by a name that no "
                        "node of the graph makes, and so may reach what other parts of the "
                        "program hold"
                    )
    return None


def _is_string(node: NodeDef) -> bool:
    return "T" in node.attr and node.attr["T"].type == types_pb2.DT_STRING


def _handles_in(found: Any) -> list[int]:
    args = found.input_arg if found else ()
    return [k for k, a in enumerate(args) if a.type == types_pb2.DT_STRING and "handle" in a.name]


def _origins(node: NodeDef, number: int, nodes: Mapping[str, NodeDef]) -> Iterator[NodeDef | None]:
    """The nodes that an input may come from; None for what no node gives."""
    data = [source for source in node.input if not is_control(source)]
    stack, seen = data[number : number + 1], set[str]()
    while stack:
        name = stack.pop().partition(":")[0]
        if name in seen:
            continue
        seen.add(name)
        source = nodes.get(name)
        if source is not None and source.op in _PASS_ON:
            data = [s for s in source.input if not is_control(s)]
            stack += data if source.op in _MERGES else data[:1]
        else:
            yield source


def _is_own(source: NodeDef | None, is_graph: bool, op_def: Callable[[str], Any]) -> bool:
    """Whether a handle is of a node that makes it, or is fed.

    What no node of a function gives is an argument: it is not known where it comes from.
    """
    if source is None:
        return is_graph
    return source.op in _GIVEN or _makes_handle(op_def(source.op))


def _makes_handle(found: Any) -> bool:
    args = found.output_arg if found else ()
    return any(a.type == types_pb2.DT_STRING and "handle" in a.name for a in args)
