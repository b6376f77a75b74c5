"""Whether tensors can have the shapes that a graph says they have."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from compat_hub.graphdef.names import is_control
from compat_hub.graphdef.private_attrs import NOTED_SHAPES

GraphDef = Any

_ATTRS = ("shape", "shapes", "output_shapes", "element_shape", NOTED_SHAPES)
_LARGEST_SIZE = 2**31 - 1  # as TensorFlow's gradients compute with them
_MOST_DIMENSIONS = 254
_MOST_ELEMENTS = 2**63


def find_bad_shape(graph_def: GraphDef) -> str | None:
    """A message on a shape among the attributes of nodes that no tensor has, or None.

    Args:
        graph_def: The graph; its functions are looked at, too.
    """
    bodies = (graph_def.node, *(function.node_def for function in graph_def.library.function))
    for node in itertools.chain.from_iterable(bodies):
        # It makes memory for all rows of `shape`, and writes one for each value.
        if node.op == "ParallelConcat" and "shape" in node.attr:
            rows = [dim.size for dim in node.attr["shape"].shape.dim][:1]
            if rows != [sum(not is_control(name) for name in node.input)]:
                return f"the node {node.name!r} has other rows than values"
        for name in _ATTRS:
            if name not in node.attr:
                continue
            attr = node.attr[name]
            for shape in (attr.shape, *attr.list.shape):
                sizes = [dim.size for dim in shape.dim]
                if sizes and not -1 <= min(sizes) <= max(sizes) <= _LARGEST_SIZE:
                    return f"the node {node.name!r} has the shape {sizes}"
    return None


def is_shape(sizes: Sequence[int]) -> bool:
    """Whether a tensor can have these sizes: their product has to fit into 64 bits."""
    return (
        len(sizes) <= _MOST_DIMENSIONS
        and all(size >= 0 for size in sizes)
        and math.prod(size for size in sizes if size) < _MOST_ELEMENTS
    )
