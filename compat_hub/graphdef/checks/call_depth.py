"""How deep the functions of a graph's library call each other."""

from __future__ import annotations

from typing import Any

from compat_hub.graphdef.function_library import called_functions

GraphDef = Any

# TensorFlow follows calls by calls of its own, and so does what is written in Python.
_DEEPEST = 64


def find_deep_call(graph_def: GraphDef) -> str | None:
    """A message on functions that call each other too deep, or None where none do.

    Args:
        graph_def: The graph, in whose library no function calls itself.
    """
    functions = {f.signature.name: f.node_def for f in graph_def.library.function}
    called = {
        name: {other for node in nodes for other in called_functions(node, functions)}
        & functions.keys()
        for name, nodes in functions.items()
    }
    callers: dict[str, list[str]] = {}
    for name, others in called.items():
        for other in others:
            callers.setdefault(other, []).append(name)
    pending = {name: len(others) for name, others in called.items()}
    level, depth = [name for name, count in pending.items() if not count], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            return f"the function {min(level)!r} calls others, and these more, over {depth} levels"
        above = []
        for name in level:
            for caller in callers.get(name, ()):
                pending[caller] -= 1
                if not pending[caller]:
                    above.append(caller)
        level = above
    return None
