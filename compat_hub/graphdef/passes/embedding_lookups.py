"""Lookups of the rows that a batch names, kept from being made reads of whole tables."""

from __future__ import annotations

from typing import Any

from compat_hub.graphdef.names import tensor_of

GraphDef = Any


def keep_lookups_of_rows(graph_def: GraphDef) -> None:
    """Hides from TensorFlow's graph optimizer, in place, where the indices of lookups come from.

    What tf.nn.embedding_lookup_sparse makes, it turns from a lookup of unique rows into one in the
    whole table, read before ("SimplifyEmbeddingLookup"). That read is a copy of the table once
    rows of the variable have been looked up, or changed, in any other way.
    """
    unique = {f"{node.name}:0": node for node in graph_def.node if node.op == "Unique"}
    if not unique:
        return
    names = {node.name for node in graph_def.node}
    hidden: dict[str, Any] = {}
    for node in list(graph_def.node):
        if node.op != "ResourceGather" or tensor_of(node.input[1]) not in unique:
            continue
        source = tensor_of(node.input[1])
        if source not in hidden:
            found = unique[source]
            made = hidden[source] = graph_def.node.add()
            made.name = f"{found.name}/rows"
            while made.name in names:
                made.name += "_"
            made.op = "EnsureShape"
            made.input.append(source.removesuffix(":0"))
            made.attr["T"].type = found.attr["T"].type
            made.attr["shape"].shape.dim.add().size = -1
        node.input[1] = hidden[source].name
