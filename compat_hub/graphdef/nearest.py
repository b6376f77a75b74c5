"""The nodes whose names are near to one that a graph does not have."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from compat_hub.graphdef.names import node_of

_SHOWN = 4


def nearest_nodes(name: str, nodes: Iterable[str]) -> str:
    """A sentence that names the nearest nodes of a graph, or some where none is near.

    Args:
        name: The name that is not there, of a tensor or a node.
        nodes: The names of the graph's nodes.
    """
    known = list(nodes)
    wanted = node_of(name)
    last = wanted.rpartition("/")[2]
    near = [n for n in known if n.rpartition("/")[2] == last]
    near += difflib.get_close_matches(wanted, known, _SHOWN, 0.7)
    near = list(dict.fromkeys(near))[:_SHOWN]
    if near:
        return f"Near it are: {', '.join(map(repr, near))}."
    return f"It has {len(known)} nodes, such as {', '.join(map(repr, known[:_SHOWN]))}."
