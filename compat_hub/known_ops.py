"""Whether this TensorFlow has the ops that a module needs."""

from __future__ import annotations

import tensorflow as tf

from compat_hub import _tensorflow
from compat_hub.users import users
from compat_hub.variant import GraphVariant, format_tags


def unknown_ops(variant: GraphVariant) -> dict[str, str]:
    """The ops that this TensorFlow lacks, and for each where it is and what needs it.

    Only ops that some signature, loss, update op or table needs count.
    """
    functions = variant.function_names
    unknown = {
        op for op in variant.ops if op not in functions and not _tensorflow.is_registered_op(op)
    }
    places: dict[str, str] = {}
    if not unknown:
        return places
    for user, wanted, fed in users(variant):
        graph_def = variant.subgraph(wanted, fed)
        for node in graph_def.node:
            if node.op in unknown:
                places.setdefault(node.op, f"node {node.name!r}, for {user}")
        for function in graph_def.library.function:
            for node in function.node_def:
                if node.op in unknown:
                    name = function.signature.name
                    places.setdefault(node.op, f"function {name!r}, for {user}")
    return places


def find_unknown_ops(variant: GraphVariant) -> str | None:
    """A message on the ops that this TensorFlow lacks, or None where it has all."""
    places = unknown_ops(variant)
    if not places:
        return None
    listed = ", ".join(f"{op!r} ({place})" for op, place in sorted(places.items()))
    return (
        f"In {variant.where}: TensorFlow {tf.__version__} does not have the op {listed}. If it "
        "comes from an extension (tensorflow_text, for one), import that package first. If only "
        f"this variant needs it, load another one with `tags` instead of "
        f"{format_tags(variant.tags)}."
    )
