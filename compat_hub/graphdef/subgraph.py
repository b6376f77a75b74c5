"""The part of a graph between given inputs and wanted outputs.

A call of a signature means what `Session.run` means: only what the wanted outputs need runs. In a
graph function every stateful node would run, so the graph is cut to that part before the import.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from compat_hub.graphdef.function_library import needed_functions
from compat_hub.graphdef.names import is_control, node_of, spellings
from compat_hub.graphdef.private_attrs import COLOCATION

NodeDef = Any
GraphDef = Any


class NodeIndex(dict[str, NodeDef]):
    """The nodes of a graph by name, in the graph's order. The graph must not change any more."""

    def __init__(self, graph_def: GraphDef) -> None:
        super().__init__({node.name: node for node in graph_def.node})
        self._sources: dict[str, tuple[tuple[str, str], ...]] = {}
        self._consumers: dict[str, list[tuple[str, str]]] | None = None

    def sources(self, name: str) -> tuple[tuple[str, str], ...]:
        """A node's inputs, each with the node that it comes from; read from the proto once.

        Raises:
            KeyError: There is no such node.
        """
        found = self._sources.get(name)
        if found is None:
            inputs = self[name].input
            found = self._sources[name] = tuple((i, node_of(i)) for i in inputs)
        return found

    def consumers(self, name: str) -> Sequence[tuple[str, str]]:
        """The nodes that have a node among their inputs, each with the input as it says it."""
        if self._consumers is None:
            self._consumers = _consumers({name: self.sources(name) for name in self})
        return self._consumers.get(name, ())


def index_nodes(graph_def: GraphDef) -> NodeIndex:
    """The nodes of a graph by name, in the graph's order."""
    return NodeIndex(graph_def)


def ancestors(nodes: NodeIndex, wanted: Iterable[str], fed: Collection[str] = ()) -> set[str]:
    """The names of all nodes that must run for `wanted`, those of `wanted` included.

    Args:
        nodes: The graph's nodes by name.
        wanted: Names of tensors or nodes.
        fed: Names of tensors whose values are given; what lies behind them is not needed. A control
            dependency on a node with a fed tensor is met by the feed.

    Raises:
        KeyError: A node that is not in the graph is needed; its argument is that node's name.
    """
    given = given_inputs(fed)
    seen: set[str] = set()
    stack = [node_of(name) for name in wanted if name not in given]
    while stack:
        name = stack.pop()
        if name not in seen:
            seen.add(name)
            stack += [node for source, node in nodes.sources(name) if source not in given]
    return seen


def dependents(
    nodes: Mapping[str, NodeDef], sources: Iterable[str], fed: Collection[str] = ()
) -> set[str]:
    """The names of all nodes that need one of the nodes `sources`, those included.

    Args:
        nodes: The graph's nodes by name.
        sources: Names of nodes.
        fed: Names of tensors whose values are given; nobody needs their nodes for these.
    """
    if isinstance(nodes, NodeIndex):
        consumers = nodes.consumers
    else:
        inputs = {name: [(i, node_of(i)) for i in node.input] for name, node in nodes.items()}
        found_consumers = _consumers(inputs)

        def consumers(name: str) -> Sequence[tuple[str, str]]:
            return found_consumers.get(name, ())

    given = given_inputs(fed)
    found: set[str] = set()
    stack = list(sources)
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack += [user for source, user in consumers(name) if source not in given]
    return found


def names_by_op(nodes: Mapping[str, NodeDef]) -> dict[str, list[str]]:
    """The names of nodes by their op."""
    found: dict[str, list[str]] = {}
    for name, node in nodes.items():
        found.setdefault(node.op, []).append(name)
    return found


def given_inputs(fed: Collection[str]) -> set[str]:
    """The inputs of nodes, as they say them, that are met where tensors are fed.

    A control dependency on a node with a fed tensor is met by the feed.
    """
    return {f"^{node_of(tensor)}" for tensor in fed}.union(*map(spellings, fed))


def _consumers(
    inputs: Mapping[str, Iterable[tuple[str, str]]],
) -> dict[str, list[tuple[str, str]]]:
    """By node, who has it among its inputs; from each node's inputs, with their nodes."""
    consumers: dict[str, list[tuple[str, str]]] = {}
    for consumer, sources in inputs.items():
        for source, node in sources:
            consumers.setdefault(node, []).append((source, consumer))
    return consumers


def cut(
    graph_def: GraphDef,
    nodes: NodeIndex,
    wanted: Iterable[str],
    fed: Collection[str] = (),
) -> GraphDef:
    """Cuts a graph to what `wanted` needs when `fed` is given.

    Device placements and colocation constraints are dropped: they speak of the machine that wrote
    the graph and of nodes that may be cut away.

    Args:
        graph_def: The whole graph, for its versions and function library.
        nodes: `index_nodes(graph_def)`.
        wanted: Names of tensors or nodes.
        fed: Names of tensors whose values are given.

    Returns:
        A new GraphDef, nodes in the order of the old one. Inputs that refer to fed tensors dangle:
        the importer maps them.
    """
    needed = ancestors(nodes, wanted, fed)
    result = type(graph_def)()
    result.versions.CopyFrom(graph_def.versions)
    for name, node in nodes.items():
        if name not in needed:
            continue
        copy = result.node.add()
        copy.CopyFrom(node)
        strip_placement(copy)
        kept = [i for i in node.input if not is_control(i) or node_of(i) in needed]
        if len(kept) < len(node.input):  # control dependencies on nodes that are fed
            del copy.input[:]
            copy.input.extend(kept)
    needed_functions(result.node, graph_def.library, into=result.library)
    for function in result.library.function:
        for node in function.node_def:
            strip_placement(node)
    return result


def drop_met_controls(graph_def: GraphDef, fed: Collection[str]) -> None:
    """Removes control dependencies on nodes with a fed tensor, in place: the feed meets them."""
    met = {f"^{node_of(tensor)}" for tensor in fed}
    for node in graph_def.node if met else ():
        kept = [source for source in node.input if source not in met]
        if len(kept) < len(node.input):
            node.input[:] = kept


def strip_placement(node: NodeDef) -> None:
    """Removes the device and the colocation constraints of one node, in place."""
    node.device = ""
    if COLOCATION in node.attr:
        others = [s for s in node.attr[COLOCATION].list.s if not s.startswith(b"loc:@")]
        if others:
            del node.attr[COLOCATION].list.s[:]
            node.attr[COLOCATION].list.s.extend(others)
        else:
            del node.attr[COLOCATION]


def consumed_tensors(graph_def: GraphDef, names: Collection[str]) -> set[str]:
    """Which of the tensors `names` some node of the graph reads."""
    spelled = {spelling: name for name in names for spelling in spellings(name)}
    sources = {source for node in graph_def.node for source in node.input}
    return {spelled[source] for source in sources & spelled.keys()}
