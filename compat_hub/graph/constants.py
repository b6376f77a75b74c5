"""Whether the constants of a graph can be: TensorFlow ends the process over some that cannot."""

from __future__ import annotations

import math
from typing import Any

from compat_hub.graph.shapes import is_shape

GraphDef = Any

# A constant that says one number for all of its elements takes next to nothing in the file. No more
# than this, which a message cannot hold either.
_MOST_ELEMENTS = 2**31


def find_bad_constant(graph_def: GraphDef) -> str | None:
    """A message on a constant that cannot be, or None where all can.

    Args:
        graph_def: The graph; its functions are looked at, too.
    """
    bodies = (graph_def.node, *(function.node_def for function in graph_def.library.function))
    for nodes in bodies:
        for node in nodes:
            if node.op == "Const":
                problem = _problem(node)
                if problem:
                    return f"the constant {node.name!r} {problem}"
    return None


def _problem(node: Any) -> str | None:
    tensor = node.attr["value"].tensor
    dtype = node.attr["dtype"].type
    if tensor.dtype != dtype:
        return f"has the dtype {dtype}, and its value {tensor.dtype}"
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_shape.unknown_rank or not is_shape(sizes):
        return f"has the shape {sizes}"
    if math.prod(sizes) > _MOST_ELEMENTS:
        return f"has the shape {sizes}, of more elements than a module can hold"
    return None
