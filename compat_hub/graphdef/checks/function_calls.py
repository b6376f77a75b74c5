"""Whether the functions of a graph's library can call each other as they say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from compat_hub.graphdef.analysis.host_ops import may_touch_host
from compat_hub.graphdef.function_library import called_functions, callees_first

GraphDef = Any

# What is called is inlined, and how much that may be is limited there.
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
# TensorFlow differentiates a function of a branch or a loop once for each place where it is: with
# the same function in both branches on each of ten levels, for a minute.
_MOST_REPEATED = 256


def find_bad_call(graph_def: GraphDef, is_op: Any) -> str | None:
    """A message on a call of no function, or of one within itself, or None where there is none.

    TensorFlow follows such calls until its stack or the memory is used up. The same goes for
    branches and loops that are nested with the same functions in several of them.

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
        if name not in functions and may_touch_host(name):
            return f"the op {name!r} is called as a function"
    nested: dict[str, int] = {}
    for name in callees_first(calls):
        nested[name] = sum(_nested(node, nested) for node in functions[name])
    if calls.keys() - nested:
        name = min(calls.keys() - nested)
        return f"the function {name!r} calls itself, or one that does"
    most = _MOST_REPEATED + len(functions)
    for node in graph_def.node:
        if _nested(node, nested) > most:
            return (
                f"the loops and branches within the node {node.name!r} are more than {most}, as "
                "functions are in several of them"
            )
    return None


def _nested(node: Any, nested: Mapping[str, int]) -> int:
    """How many functions of loops and branches are within a node, counted wherever they are."""
    called = [name for name in called_functions(node, nested) if name in nested]
    is_call = node.op in nested or node.op in _CALLS
    return sum(nested[name] + (not is_call) for name in called)
