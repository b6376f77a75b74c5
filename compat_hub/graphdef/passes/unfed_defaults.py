"""Inputs that nobody feeds become their default values, in a graph that leaves compat_hub."""

from __future__ import annotations

from typing import Any

from compat_hub.graphdef.private_attrs import NOTED_SHAPES

GraphDef = Any


def unfed_to_defaults(graph_def: GraphDef) -> None:
    """Makes each PlaceholderWithDefault an Identity of its default, in place.

    Some converters of SavedModels refuse the op within a function, where nothing can be fed.

    Args:
        graph_def: A graph without the nodes whose tensors are given.
    """
    for node in graph_def.node:
        if node.op == "PlaceholderWithDefault":
            node.op = "Identity"
            dtype = node.attr["dtype"].type
            for name in [name for name in node.attr if name != NOTED_SHAPES]:
                del node.attr[name]
            node.attr["T"].type = dtype
