"""The files that tables are filled from, and whether their columns can be."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

GraphDef = Any

_OPS = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_LEAST_COLUMN = -2  # the whole line; -1 is its number
_MOST_COLUMNS = 10**6  # beyond the range of 32 bits TensorFlow reads where there is nothing


def file_inputs(nodes: Mapping[str, Any], nodes_by_op: Mapping[str, Sequence[str]]) -> list[str]:
    """The tensors that hold the paths of files that tables are filled from.

    Args:
        nodes: The nodes of a graph by name.
        nodes_by_op: Their names by op.
    """
    found = [nodes[name] for op in sorted(_OPS) for name in nodes_by_op.get(op, ())]
    return [node.input[1] for node in found if len(node.input) > 1]


def find_large_vocabulary(
    nodes: Mapping[str, Any], nodes_by_op: Mapping[str, Sequence[str]], most_bytes: int
) -> str | None:
    """A message on a node that says a file has more lines than it can have, or None.

    TensorFlow makes place for that many before it looks.

    Args:
        nodes: The nodes of a graph by name.
        nodes_by_op: Their names by op.
        most_bytes: The size of the largest file that they may read.
    """
    for name in (name for op in sorted(_OPS) for name in nodes_by_op.get(op, ())):
        attr = nodes[name].attr  # of a message that must not change, as it would where one is read
        size = attr["vocab_size"].i if "vocab_size" in attr else 0
        if size > most_bytes + 1:
            return (
                f"the node {name!r} fills a table from {size:,} lines of a file, and the largest "
                f"asset file has {most_bytes:,} bytes"
            )
    return None


def find_bad_column(graph_def: GraphDef) -> str | None:
    """A message on a node that fills a table from a column that there cannot be, or None.

    Args:
        graph_def: The graph; its functions are looked at, too.
    """
    bodies = (graph_def.node, *(function.node_def for function in graph_def.library.function))
    for node in itertools.chain.from_iterable(bodies):
        if node.op in _OPS:
            for name in ("key_index", "value_index"):
                column = node.attr[name].i
                if not _LEAST_COLUMN <= column <= _MOST_COLUMNS:
                    return f"the node {node.name!r} reads the column {column} of a file ({name})"
    return None
