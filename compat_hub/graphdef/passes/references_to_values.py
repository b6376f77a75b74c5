"""Reference variables rewritten to values, for a graph that only reads them.

A function takes a reference variable by its value: what the variable held when the call began.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from compat_hub.graphdef.edit import follow
from compat_hub.graphdef.names import is_control, tensor_of
from compat_hub.graphdef.passes.references_to_resources import PASSING_OPS
from compat_hub.graphdef.private_attrs import NOTED_SHAPES

GraphDef = Any
OpDef = Any


class ReferenceNeededError(ValueError):
    """A node needs the reference variable itself, to assign to it, and only its value is given."""


def to_values(
    graph_def: GraphDef, variables: Collection[str], op_def: Callable[[str], OpDef]
) -> GraphDef:
    """Rewrites all uses of reference variables whose values are given.

    Args:
        graph_def: A graph without the variables' own nodes: inputs that name them dangle, and name
            values afterwards.
        variables: The tensor of each such variable.
        op_def: Gives the OpDef of a registered op.

    Returns:
        The graph: `graph_def` itself where no node takes a reference.

    Raises:
        ReferenceNeededError: A node takes a reference, not to pass it on.
    """
    references = set(variables)
    taking = [n for n in graph_def.node if any(a.is_ref for a in _input_args(n.op, op_def))]
    passing = {n.name for n in taking if n.op in PASSING_OPS}

    def visit(node: Any) -> bool:
        found = not references.isdisjoint(_inputs(node))
        if found:
            references.update(f"{node.name}:{k}" for k in range(2))
        return found

    follow([node for node in taking if node.name in passing], visit)
    taking = [n for n in taking if references & _inputs(n)]
    for node in taking:
        if node.name not in passing:
            variable = next(i for i in map(tensor_of, node.input) if i in references)
            raise ReferenceNeededError(
                f"the node {node.name!r} of type {node.op!r} needs the reference variable "
                f"{variable!r} itself"
            )
    if not taking:
        return graph_def
    result = type(graph_def)()
    result.CopyFrom(graph_def)
    names = {node.name for node in taking}
    for node in result.node:
        if node.name in names:
            node.op = PASSING_OPS[node.op]
            node.attr.pop(NOTED_SHAPES, None)
    return result


def _inputs(node: Any) -> set[str]:
    return {tensor_of(i) for i in node.input if not is_control(i)}


def _input_args(op: str, op_def: Callable[[str], OpDef]) -> Any:
    definition = op_def(op)
    return definition.input_arg if definition is not None else ()
