"""Whether this TensorFlow has the ops that a module needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import tensorflow as tf

from compat_hub.format.graph_roots import users
from compat_hub.format.op_packages import explain_op, import_package_of
from compat_hub.format.variant import GraphVariant, format_tags
from compat_hub.programs.missing_ops.table import can_replace
from compat_hub.tf_private import op_registry


def unknown_ops(variant: GraphVariant) -> dict[str, str]:
    """The ops that this TensorFlow lacks, and for each where it is and what needs it.

    Only ops that some signature, loss, update op or table needs count.
    """
    places: dict[str, str] = {}
    if not ops_not_registered(variant):
        return places
    for user, wanted, fed in users(variant):
        for op, place in places_of_unknown_ops(variant, wanted, fed).items():
            places.setdefault(op, f"{place}, for {user}")
    return places


def ops_not_registered(variant: GraphVariant) -> frozenset[str]:
    """The ops anywhere in a variant's graph that this TensorFlow lacks, and cannot express."""
    return frozenset(op for op in variant.ops - variant.function_names if not _is_known(op))


def _is_known(op: str) -> bool:
    """Whether TensorFlow has an op, a package that is installed has it, or others express it."""
    if op_registry.is_registered_op(op) or can_replace(op):
        return True
    import_package_of(op)
    return op_registry.is_registered_op(op) or can_replace(op)


def places_of_unknown_ops(
    variant: GraphVariant, wanted: Iterable[str], fed: Iterable[str]
) -> dict[str, str]:
    """The ops that this TensorFlow lacks among those of a part of a graph, and where each is.

    Args:
        variant: The variant.
        wanted: The tensors and nodes that the part computes.
        fed: The tensors that it is given.
    """
    unknown = ops_not_registered(variant)
    places: dict[str, str] = {}
    if not unknown:
        return places
    graph_def = variant.subgraph(wanted, fed)
    for node in graph_def.node:
        if node.op in unknown:
            places.setdefault(node.op, f"node {node.name!r}")
    for function in graph_def.library.function:
        for node in function.node_def:
            if node.op in unknown:
                places.setdefault(node.op, f"function {function.signature.name!r}")
    return places


def explain_unknown_ops(places: Mapping[str, str]) -> str:
    """A message on ops that this TensorFlow lacks, by op with where each is."""
    listed = ", ".join(f"{op!r} ({place})" for op, place in sorted(places.items()))
    hints = " ".join(explain_op(op) for op in sorted(places))
    return f"TensorFlow {tf.__version__} does not have the op {listed}. {hints}"


def find_unknown_ops(variant: GraphVariant) -> str | None:
    """A message on the ops that this TensorFlow lacks, or None where it has all."""
    places = unknown_ops(variant)
    if not places:
        return None
    return (
        f"In {variant.where}: {explain_unknown_ops(places)} If only this variant needs it, load "
        f"another one with `tags` instead of {format_tags(variant.tags)}."
    )
