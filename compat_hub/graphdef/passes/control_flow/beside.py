"""A part of a graph that runs as it is, beside the part whose control flow was raised."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from tensorflow.core.framework.types_pb2 import DT_VARIANT

from compat_hub.graphdef.analysis.side_effects import has_effect
from compat_hub.graphdef.names import is_control, node_of, tensor_of
from compat_hub.graphdef.passes.random_seeds import takes_seeds
from compat_hub.graphdef.private_attrs import COLOCATION
from compat_hub.graphdef.subgraph import NodeIndex, ancestors, cut, index_nodes

GraphDef = Any
OpDef = Any

_SUFFIX = "/as_it_is"
# Resources of one step, which each part has for itself.
_OF_ONE_STEP = ("Stack", "TensorArray")


def put_beside(
    raised: GraphDef,
    graph_def: GraphDef,
    wanted: Collection[str],
    others: Iterable[str],
    given: Collection[str],
    op_def: Callable[[str], OpDef],
) -> dict[str, str] | None:
    """Adds the part of a graph that some tensors need to another part of it, in place.

    What the two have in common outside of loops and conditionals runs once.

    Args:
        raised: The graph of the other tensors, with its control flow raised.
        graph_def: The graph as it was.
        wanted: Names of the tensors that it is to give besides, as they were computed before.
        others: Names of the tensors and nodes that `raised` was made for.
        given: Names of the tensors whose values are given.
        op_def: Gives the OpDef of a registered op.

    Returns:
        The new names of the tensors, or None where something would happen twice: an assignment, or
        the drawing of random numbers.
    """
    before = index_nodes(graph_def)
    known = {node.name: node for node in raised.node}
    shared = {name for name, node in known.items() if _is_same(node, before.get(name))}
    part = cut(graph_def, before, wanted, {*given, *_tensors_of(shared, before)})
    twice = ancestors(before, others, given) & {node.name for node in part.node}
    if any(_happens(before[name], op_def) for name in twice):
        return None
    renamed = {node.name for node in part.node if node.name in known}
    for node in part.node:
        node.input[:] = [_renamed(source, renamed) for source in node.input]
        if node.name in renamed:
            node.name += _SUFFIX
    raised.node.extend(part.node)
    present = {f.signature.name for f in raised.library.function}
    raised.library.function.extend(
        f for f in part.library.function if f.signature.name not in present
    )
    return {tensor: _renamed(tensor_of(tensor), renamed) for tensor in wanted}


def _is_same(node: Any, before: Any) -> bool:
    """Whether a node of the raised graph computes what the node of its name did."""
    if before is None:
        return False
    attrs = (node.attr.keys() | before.attr.keys()) - {COLOCATION}  # the importer adds an empty one
    if node.op == before.op and node.input == before.input:
        return all(a in node.attr and node.attr[a] == before.attr.get(a) for a in attrs)
    # What leaves a loop or a conditional has its name and its value still, unless it is a list.
    return (
        before.op in {"Exit", "Merge"}
        and node.op == "Identity"
        and node.attr["T"].type != DT_VARIANT
    )


def _tensors_of(names: Collection[str], nodes: NodeIndex) -> set[str]:
    """The tensors of some nodes that others take; of a Merge the second is its choice."""
    taken = {
        tensor_of(source)
        for name in nodes
        for source, node in nodes.sources(name)
        if node in names and not is_control(source)
    }
    firsts = {f"{name}:0" for name in names}
    return firsts | {t for t in taken if nodes[node_of(t)].op != "Merge"}


def _happens(node: Any, op_def: Callable[[str], OpDef]) -> bool:
    definition = op_def(node.op)
    if definition is None or takes_seeds(definition):
        return True
    return not node.op.startswith(_OF_ONE_STEP) and has_effect(node, op_def, ())


def _renamed(source: str, renamed: Collection[str]) -> str:
    node = node_of(source)
    if node not in renamed:
        return source
    if is_control(source):
        return f"^{node}{_SUFFIX}"
    return f"{node}{_SUFFIX}:{tensor_of(source).rpartition(':')[2]}"
