"""The nodes of a graph that touch the host, themselves or in the functions that they call."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tensorflow.core.framework.node_def_pb2 import NodeDef

from compat_hub.graphdef.analysis.host_ops import host_access, may_touch_host
from compat_hub.graphdef.function_library import called_functions
from compat_hub.graphdef.names import node_of, tensor_of
from compat_hub.graphdef.subgraph import NodeIndex, given_inputs

FunctionDefLibrary = Any


class Place(NamedTuple):
    """One node that touches the host.

    Attributes:
        op: Its op.
        name: Its name, after the function's and a slash where it is in one.
        what: What it does.
    """

    op: str
    name: str
    what: str


class PassedOn(Container[str]):
    """The names of some tensors, and of those that Identity makes of them.

    Each node is looked at once, however many tensors are asked for.

    Args:
        tensors: The names.
        nodes: The graph's nodes by name.
        fed: Names of tensors that a caller gives: these are something else, whatever they replace.
    """

    def __init__(
        self, tensors: Iterable[str], nodes: Mapping[str, NodeDef], fed: Iterable[str] = ()
    ) -> None:
        self._nodes = nodes
        self._known = {**dict.fromkeys(tensors, True), **dict.fromkeys(fed, False)}

    def __contains__(self, tensor: object) -> bool:
        name, chain = str(tensor), []
        while name not in self._known:
            self._known[name] = False  # until it is known; a circle comes from nowhere
            chain.append(name)
            node = self._nodes.get(node_of(name))
            if node is None or node.op != "Identity" or not node.input:
                break
            if name != tensor_of(node.name):
                break
            name = tensor_of(node.input[0])
        found = self._known[name]
        self._known.update(dict.fromkeys(chain, found))
        return found


class HostFunctions:
    """The functions of a library that touch the host, themselves or in others that they call.

    A function calls its gradient function, too: whoever differentiates it does.

    Args:
        library: The library.
        suspects: The ops that may touch the host.

    Attributes:
        names: The names of these functions.
    """

    def __init__(self, library: FunctionDefLibrary, suspects: Container[str]) -> None:
        functions = {function.signature.name for function in library.function}
        self._places: dict[str, list[Place]] = {}
        for function in library.function:
            found = _places_in(function.signature.name, function.node_def, suspects)
            if found:
                self._places.setdefault(function.signature.name, []).extend(found)
        for gradient in library.gradient:
            name, op = gradient.function_name, gradient.gradient_func
            if op not in functions and may_touch_host(op):
                found = _places_in(name, [NodeDef(name="gradient", op=op)], {op})
                self._places.setdefault(name, []).extend(found)
        self._calls: dict[str, list[str]] = {}
        callers: dict[str, list[str]] = {}
        if any(self._places.values()):
            self._calls = _calls(library, functions)
            for name, called in self._calls.items():
                for other in called:
                    callers.setdefault(other, []).append(name)
        touching = [name for name, places in self._places.items() if places]
        self.names = frozenset(_reached(touching, callers))

    def called_by(self, node: NodeDef) -> list[str]:
        """Those that a node of a graph refers to."""
        if not self.names:
            return []
        return [name for name in called_functions(node, self.names) if name in self.names]

    def places(self, names: Iterable[str], listed: set[str]) -> Iterator[Place]:
        """What is done to the host where functions are called.

        Args:
            names: Their names.
            listed: Names of functions that are left out; gets those that are not.
        """
        for name in _reached(names, self._calls, listed):
            yield from self._places.get(name, ())


class HostNodes:
    """The nodes of a graph that touch the host, themselves or in functions that they call.

    Args:
        nodes: The graph's nodes by name.
        nodes_by_op: Their names by op.
        library: The graph's library of functions.
        suspects: The ops that may touch the host.
        trusted: Names of nodes that do not count.

    Attributes:
        functions: The functions that touch it.
        names: Names of nodes, those that read files among them, whosever files these are.
        callers: Those of them that call such functions.
    """

    def __init__(
        self,
        nodes: NodeIndex,
        nodes_by_op: Mapping[str, Sequence[str]],
        library: FunctionDefLibrary,
        suspects: Collection[str],
        trusted: Iterable[str] = (),
    ) -> None:
        self.functions = HostFunctions(library, suspects)
        self._nodes = nodes
        self._suspects = suspects
        self.callers = (
            {name for name, node in nodes.items() if self.functions.called_by(node)}
            if self.functions.names
            else set[str]()
        ).difference(trusted)
        found = {name for op in suspects for name in nodes_by_op.get(op, ())}.difference(trusted)
        self.names = self.callers.union(n for n in found if host_access(nodes[n]) is not None)

    def beyond(self, own_files: Container[str]) -> set[str]:
        """Those that do more than read files whose paths are in the tensors `own_files`."""
        return self.callers.union(
            n for n in self.names if self._own_access(self._nodes[n], own_files) is not None
        )

    def needed(
        self, wanted: Iterable[str], fed: Collection[str], within: Container[str]
    ) -> set[str]:
        """Those that must run for `wanted`.

        Args:
            wanted: Names of tensors or nodes.
            fed: Names of tensors whose values are given.
            within: `dependents` of all of them, as nothing else leads to one; or all nodes.
        """
        given = given_inputs(fed)
        seen: set[str] = set()
        stack = [node_of(name) for name in wanted if name not in given]
        while stack:
            name = stack.pop()
            if name in within and name not in seen and name in self._nodes:
                seen.add(name)
                stack += [node for source, node in self._nodes.sources(name) if source not in given]
        return seen & self.names

    def places(
        self, names: Iterable[str], own_files: Container[str], listed: set[str]
    ) -> Iterator[Place]:
        """What some of these nodes do to the host.

        Args:
            names: Their names.
            own_files: Names of the tensors that hold paths of the module's own files.
            listed: Names of functions that are left out; gets those that are not.
        """
        for name in sorted(names):
            node = self._nodes[name]
            what = self._own_access(node, own_files)
            if what is not None:
                yield Place(node.op, name, what)
            yield from self.functions.places(self.functions.called_by(node), listed)

    def _own_access(self, node: NodeDef, own_files: Container[str]) -> str | None:
        return host_access(node, own_files) if node.op in self._suspects else None


def _places_in(function: str, nodes: Iterable[NodeDef], suspects: Container[str]) -> list[Place]:
    # A function's names are its own: one of an asset is something else there.
    return [
        Place(node.op, f"{function}/{node.name}", what)
        for node in nodes
        if node.op in suspects and (what := host_access(node)) is not None
    ]


def _calls(library: FunctionDefLibrary, functions: Container[str]) -> dict[str, list[str]]:
    calls: dict[str, list[str]] = {}
    for function in library.function:
        called = calls.setdefault(function.signature.name, [])
        called += {f for node in function.node_def for f in called_functions(node, functions)}
    for gradient in library.gradient:
        calls.setdefault(gradient.function_name, []).append(gradient.gradient_func)
    return calls


def _reached(
    names: Iterable[str], edges: Mapping[str, Sequence[str]], seen: set[str] | None = None
) -> list[str]:
    """What these names lead to, they included; without those seen, which gets what is returned."""
    seen = set() if seen is None else seen
    found: list[str] = []
    stack = list(names)
    while stack:
        name = stack.pop()
        if name not in seen:
            seen.add(name)
            found.append(name)
            stack += edges.get(name, ())
    return found
