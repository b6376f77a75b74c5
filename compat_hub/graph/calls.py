"""Whether the functions of a graph's library can call each other as they say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from compat_hub.graph.library import called_functions

GraphDef = Any


def find_bad_call(graph_def: GraphDef, is_op: Any) -> str | None:
    """A message on a call of no function, or of one within itself, or None where there is none.

    TensorFlow follows such calls until its stack or the memory is used up.

    Args:
        graph_def: The graph.
        is_op: Whether there is an op of a name.
    """
    functions = {f.signature.name: f.node_def for f in graph_def.library.function}

    def called(nodes: Iterable[Any]) -> set[str]:
        return {name for node in nodes for name in called_functions(node, functions)}

    calls = {name: called(nodes) for name, nodes in functions.items()}
    for name in called(graph_def.node).union(*calls.values()):
        if name not in functions and not is_op(name):
            return f"the function {name!r} is called, which the graph does not have"
    # Without those that call none but those that are left out already, and so on.
    while calls:
        last = [name for name, others in calls.items() if not others & calls.keys()]
        if not last:
            return f"the function {min(calls)!r} calls itself, or one that does"
        for name in last:
            del calls[name]
    return None
