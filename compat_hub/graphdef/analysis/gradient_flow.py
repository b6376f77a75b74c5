"""Where gradients go in a graph: which of its sources they reach, and which ops have none."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.node_def_pb2 import NodeDef

from compat_hub.graphdef.names import is_control, node_of, tensor_of
from compat_hub.graphdef.op_outputs import flat_index, output_dtypes
from compat_hub.graphdef.passes.inline_functions import CUSTOM_GRADIENT_ATTR

OpDef = Any
FunctionDef = Any
GraphDef = Any

# Those that tapes look at. Resources stand for variables, variants for lists.
_DTYPES = frozenset(
    {types_pb2.DT_HALF, types_pb2.DT_BFLOAT16, types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE}
    | {types_pb2.DT_COMPLEX64, types_pb2.DT_COMPLEX128}
    | {types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT}
)
# Inputs to which the registered gradient gives none: all of them, or those with these numbers.
_NO_GRADIENT_TO: Mapping[str, Collection[int] | None] = {
    **dict.fromkeys(["Floor", "Ceil", "Round", "Rint", "StopGradient", "OnesLike"], None),
    **dict.fromkeys(["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"], (3, 4)),
    **dict.fromkeys(["QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3"], (1, 2, 3)),
}
# Of ops that call functions, the number of the first input that is an argument.
_FIRST_ARGUMENT = {
    **dict.fromkeys(["If", "StatelessIf", "Case", "StatelessCase"], 1),
    **dict.fromkeys(["While", "StatelessWhile", "PartitionedCall", "StatefulPartitionedCall"], 0),
}


class Gradient(enum.Enum):
    """What TensorFlow has registered for a kind of op."""

    FUNCTION = "function"  # it has a gradient
    NONE = "none"  # it is known to have none: what is behind it gets nothing
    MISSING = "missing"  # nothing is registered: a tape over it raises an error


@dataclasses.dataclass(frozen=True)
class Flow:
    """Where gradients of some outputs go.

    Attributes:
        reached: The sources that get one.
        missing: The name and op of nodes on the way that have no gradient at all: a tape over them
            raises an error.
    """

    reached: frozenset[str]
    missing: tuple[tuple[str, str], ...]


def is_differentiable(dtype: int) -> bool:
    """Whether tapes look at tensors of a dtype, a number of `types.proto`."""
    return dtype in _DTYPES


class GradientFlow:
    """Follows gradients through a graph without control flow of TF1.

    Args:
        graph_def: The graph.
        sources: Names of the tensors that gradients are wanted of. They may be missing from the
            graph: they are given.
        op_def: Gives the OpDef of a registered op.
        gradient: What is registered for a kind of op.
    """

    def __init__(
        self,
        graph_def: GraphDef,
        sources: Iterable[str],
        op_def: Callable[[str], OpDef],
        gradient: Callable[[str], Gradient],
    ) -> None:
        library = {f.signature.name: f for f in graph_def.library.function}
        self._region = _Region(graph_def.node, op_def, gradient, library, {}, _tensor_name)
        self._sources = frozenset(sources)
        self._forward = self._region.forward(self._sources)

    def of(self, outputs: Iterable[str]) -> Flow:
        """Where gradients of some outputs go.

        Args:
            outputs: Names of the tensors that are differentiated, all at once.
        """
        reached, missing = self._region.follow(outputs, self._sources, self._forward)
        return Flow(frozenset(reached), tuple(missing))


def _tensor_name(_: Any, __: OpDef, source: str) -> str:
    return tensor_of(source)


def _numbered_name(node: Any, definition: OpDef, source: str) -> str:
    """The name `"node:0"` of what a function calls `"node:output:0"`."""
    name, _, output = source.partition(":")
    return f"{name}:{flat_index(node, definition, output)}"


class _Region:
    """The nodes of a graph, or of a function's body."""

    def __init__(
        self,
        nodes: Iterable[NodeDef],
        op_def: Callable[[str], OpDef],
        gradient: Callable[[str], Gradient],
        library: Mapping[str, FunctionDef],
        known: dict[Any, tuple[list[set[int]], list[tuple[str, str]]]],
        canonical: Callable[[Any, OpDef, str], str],
    ) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._op_def = op_def
        self._gradient = gradient
        self._library = library
        self._known = known
        self._canonical = canonical
        self._inputs = {
            name: [self.name_of(i) for i in node.input if not is_control(i)]
            for name, node in self._nodes.items()
        }

    def name_of(self, source: str) -> str:
        """The name of a tensor, its number among the outputs of its node included."""
        node = self._nodes.get(source.partition(":")[0])
        definition = None if node is None else self._op_def(node.op)
        if definition is None or source.count(":") < 1:
            return tensor_of(source)
        return self._canonical(node, definition, source)

    def follow(
        self, outputs: Iterable[str], sources: frozenset[str], forward: Collection[str]
    ) -> tuple[set[str], list[tuple[str, str]]]:
        """The sources that gradients of the outputs reach, and the nodes without a gradient."""
        seen: set[str] = set()
        missing: dict[tuple[str, str], None] = {}
        stack = [name for name in outputs if name in forward]
        while stack:
            tensor = stack.pop()
            if tensor in seen:
                continue
            seen.add(tensor)
            if tensor in sources:
                continue
            node = self._nodes[node_of(tensor)]
            number = int(tensor.rpartition(":")[2])
            targets, lacking = self._behind(node, number, forward)
            missing.update(dict.fromkeys(lacking))
            stack += [t for t in targets if t in forward]
        return seen & sources, list(missing)

    def forward(self, sources: frozenset[str]) -> set[str]:
        """The tensors that tapes look at and that depend on a source."""
        consumers: dict[str, list[str]] = {}
        for name, inputs in self._inputs.items():
            for tensor in inputs:
                consumers.setdefault(tensor, []).append(name)
        found = set(sources)
        stack = list(sources)
        visited: set[str] = set()
        while stack:
            for name in consumers.get(stack.pop(), ()):
                if name in visited:
                    continue
                visited.add(name)
                for k, dtype in enumerate(output_dtypes(self._nodes[name], self._op_def)):
                    tensor = f"{name}:{k}"
                    if dtype in _DTYPES and tensor not in found:
                        found.add(tensor)
                        stack.append(tensor)
        return found

    def _behind(
        self, node: NodeDef, output: int, forward: Collection[str]
    ) -> tuple[list[str], list[tuple[str, str]]]:
        """The inputs that get a gradient of an output, and nodes on the way without one."""
        inputs = self._inputs[node.name]
        if CUSTOM_GRADIENT_ATTR in node.attr:
            return inputs, []
        found = self._in_functions(node, forward)
        if found is not None:
            first, results, missing = found
            behind = results[output] if output < len(results) else set()
            return [inputs[first + k] for k in sorted(behind)], missing
        kind = self._gradient(node.op)
        if kind is Gradient.MISSING:
            return [], [(node.name, node.op)]
        if kind is Gradient.NONE:
            return [], []
        without = _NO_GRADIENT_TO.get(node.op, ())
        if without is None:
            return [], []
        return [tensor for k, tensor in enumerate(inputs) if k not in without], []

    def _in_functions(
        self, node: NodeDef, forward: Collection[str]
    ) -> tuple[int, list[set[int]], list[tuple[str, str]]] | None:
        """Of a node that calls functions, which arguments each output gives a gradient to.

        Returns:
            The number of the first input that is an argument, the arguments' numbers for each
            output, and nodes without a gradient; None for a node that calls none.
        """
        attrs = [a for a in ("body", "f", "then_branch", "else_branch") if a in node.attr]
        if node.op not in _FIRST_ARGUMENT:
            return None
        first = _FIRST_ARGUMENT[node.op]
        # A stack or a table is a resource that no gradient is wanted of.
        wanted = frozenset(
            k for k, tensor in enumerate(self._inputs[node.name][first:]) if tensor in forward
        )
        names = [node.attr[a].func.name for a in attrs]
        if "branches" in node.attr:  # to look for it would make it
            names += [f.name for f in node.attr["branches"].list.func]
        merged: list[set[int]] = []
        lacking: list[tuple[str, str]] = []
        for name in names:
            results, missing = self._function(name, wanted)
            merged += [set() for _ in range(len(results) - len(merged))]
            for k, arguments in enumerate(results):
                merged[k] |= arguments
            lacking += missing
        return first, _closure(merged) if "body" in attrs else merged, lacking

    def _function(
        self, name: str, wanted: frozenset[int]
    ) -> tuple[list[set[int]], list[tuple[str, str]]]:
        """For each result of a function the arguments that get a gradient of it."""
        key = name, wanted
        if key in self._known:
            return self._known[key]
        self._known[key] = [], []  # a function that calls itself
        function = self._library[name]
        region = _Region(
            function.node_def,
            self._op_def,
            self._gradient,
            self._library,
            self._known,
            _numbered_name,
        )
        arguments = {tensor_of(a.name): k for k, a in enumerate(function.signature.input_arg)}
        sources = frozenset(
            tensor_of(a.name)
            for k, a in enumerate(function.signature.input_arg)
            if a.type in _DTYPES and (a.type != types_pb2.DT_RESOURCE or k in wanted)
        )
        forward = region.forward(sources)
        results, missing = [], {}
        for result in function.signature.output_arg:
            output = region.name_of(function.ret[result.name])
            reached, lacking = region.follow([output], sources, forward)
            results.append({arguments[tensor] for tensor in reached})
            missing.update(dict.fromkeys((f"{name}/{n}", op) for n, op in lacking))
        self._known[key] = results, list(missing)
        return self._known[key]


def _closure(results: list[set[int]]) -> list[set[int]]:
    """What the results of a loop depend on, after any number of turns."""
    # After no turn each result is its argument.
    found = [{k} | set(arguments) for k, arguments in enumerate(results)]
    growing = True
    while growing:
        growing = False
        for arguments in found:
            more = set().union(*(found[k] for k in arguments if k < len(found)))
            growing = growing or not more <= arguments
            arguments.update(more)
    return found
