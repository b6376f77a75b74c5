"""Which of a graph's variables something in it writes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from compat_hub.graphdef.analysis.side_effects import has_effect, may_have_effect
from compat_hub.graphdef.function_library import called_functions
from compat_hub.graphdef.names import is_control, node_of
from compat_hub.graphdef.passes.references_to_resources import PASSING_OPS

NodeDef = Any
OpDefs = Callable[[str], Any]

# What gives on the resource or the reference that it takes. Which of a loop's comes out where makes
# a difference only where something writes to it behind the loop.
_PASSING = frozenset({*PASSING_OPS, *PASSING_OPS.values(), "While", "StatelessWhile"})
_READING_REFERENCES = frozenset({"IsVariableInitialized"})
_DT_RESOURCE = 20
# How many inputs come before those that are the arguments of the function.
_BEFORE_ARGUMENTS = {"If": 1, "StatelessIf": 1, "Case": 1, "StatelessCase": 1}


def written_variables(
    nodes: Iterable[NodeDef], variables: Iterable[str], library: Any, op_def: OpDefs
) -> set[str]:
    """The variables that the nodes write to, in loops, branches and functions too.

    Args:
        nodes: Those nodes of a graph that run.
        variables: Names of the nodes that hold variables.
        library: The graph's function library.
        op_def: Gives the OpDef of a registered op, or None.

    Returns:
        Names of variables.
    """
    functions = {f.signature.name: f for f in library.function}
    return _Search(functions, op_def).find(nodes, {name: name for name in variables})


class _Search:
    def __init__(self, functions: Mapping[str, Any], op_def: OpDefs) -> None:
        self._functions = functions
        self._op_def = op_def
        self._known: dict[str, set[int]] = {}
        self._of_interest: dict[str, bool] = {}

    def find(self, nodes: Iterable[NodeDef], sources: Mapping[str, str]) -> set[str]:
        """Those of the sources, by the nodes that they are reached by, that are written to."""
        consumers: dict[str, list[NodeDef]] = {}
        for node in nodes:
            if self._is_of_interest(node.op):
                for name in {node_of(i) for i in node.input if not is_control(i)}:
                    consumers.setdefault(name, []).append(node)
        written = set()
        for name, source in sources.items():
            stack, seen = [name], {name}
            while stack:
                reached = stack.pop()
                for node in consumers.get(reached, ()):
                    taken = [
                        k
                        for k, i in enumerate(node.input)
                        if not is_control(i) and node_of(i) == reached
                    ]
                    if any(self._writes(node, k) for k in taken):
                        written.add(source)
                    if node.name not in seen and self._passes(node):
                        seen.add(node.name)
                        stack.append(node.name)
        return written

    def _is_of_interest(self, op: str) -> bool:
        """Whether some node of an op writes to a variable, or passes one on. Most do neither."""
        if op not in self._of_interest:
            definition = self._op_def(op)
            self._of_interest[op] = (
                definition is None
                or op in _PASSING
                or may_have_effect(definition)
                or any(argument.is_ref for argument in definition.input_arg)
                or any(argument.is_ref for argument in definition.output_arg)
                or any("func" in attr.type for attr in definition.attr)
            )
        return self._of_interest[op]

    def _writes(self, node: NodeDef, position: int) -> bool:
        called = [self._functions[n] for n in called_functions(node, self._functions)]
        if called:
            argument = position - _BEFORE_ARGUMENTS.get(node.op, 0)
            return any(argument in self._written_arguments(f) for f in called)
        definition = self._op_def(node.op)
        if definition is None:
            return True
        inputs = _inputs(node, definition)
        if position >= len(inputs):  # the node is damaged, and its import will fail
            return True
        dtype, is_reference = inputs[position]
        if is_reference:
            return node.op not in _PASSING and node.op not in _READING_REFERENCES
        return dtype == _DT_RESOURCE and has_effect(node, self._op_def, ())

    def _passes(self, node: NodeDef) -> bool:
        if node.op in _PASSING:
            return True
        definition = self._op_def(node.op)
        return definition is not None and any(o.is_ref for o in definition.output_arg)

    def _written_arguments(self, function: Any) -> set[int]:
        name = function.signature.name
        if name not in self._known:
            self._known[name] = set()  # for a function that calls itself
            arguments = [a.name for a in function.signature.input_arg]
            found = self.find(function.node_def, {a: a for a in arguments})
            self._known[name] = {k for k, a in enumerate(arguments) if a in found}
        return self._known[name]


def _inputs(node: NodeDef, definition: Any) -> list[tuple[int, bool]]:
    """The dtype of each of a node's inputs, and whether it is a reference."""
    found = []
    for argument in definition.input_arg:
        if argument.type_list_attr:
            dtypes = list(node.attr[argument.type_list_attr].list.type)
        else:
            dtypes = [argument.type or node.attr[argument.type_attr].type]
            dtypes *= node.attr[argument.number_attr].i if argument.number_attr else 1
        found.extend((dtype, argument.is_ref) for dtype in dtypes)
    return found
