"""What a graph consists of: its ops counted, and the control flow in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.passes.inline_functions import CUSTOM_GRADIENT_ATTR

NodeDef = Any
GraphDef = Any

_LOOPS = frozenset({"While", "StatelessWhile"})
_CONDITIONALS = frozenset({"If", "StatelessIf", "Case", "StatelessCase"})
FUNCTIONAL_CONTROL_FLOW = _LOOPS | _CONDITIONALS
CONVOLUTIONS = frozenset({"Conv2D", "Conv3D", "DepthwiseConv2dNative"})
_ARRAYS = ("TensorArray", "TensorArrayV2", "TensorArrayV3", "StackV2", "Stack", "TensorListReserve")
_BATCH_NORMS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})


def count_ops(graph_def: GraphDef) -> dict[str, int]:
    """The number of nodes by op, in functions too, the most frequent first."""
    counts = Counter(node.op for node in graph_def.node)
    for function in graph_def.library.function:
        counts.update(node.op for node in function.node_def)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def nodes_in(graph_def: GraphDef, needed: Collection[str]) -> list[NodeDef]:
    """The nodes of these names, and those in functions."""
    nodes = [node for node in graph_def.node if node.name in needed]
    return nodes + [node for f in graph_def.library.function for node in f.node_def]


def count_control_flow(nodes: Iterable[NodeDef]) -> tuple[int, int, int]:
    """The numbers of loops, conditionals and TensorArrays.

    A loop of TF1 has one LoopCond. The Switches of a conditional share a predicate, or an Identity
    of it that tf.cond makes for each; those of a loop have its LoopCond for one.
    """
    nodes = list(nodes)
    conditions = {node.name for node in nodes if node.op == "LoopCond"}
    ops = Counter(node.op for node in nodes)
    predicates = {node_of(node.input[1]) for node in nodes if node.op == "Switch"} - conditions
    predicates -= {
        node_of(node.input[0])
        for node in nodes
        if node.op == "Identity" and node.name in predicates
    }
    loops = len(conditions) + sum(ops[op] for op in _LOOPS)
    conditionals = len(predicates) + sum(ops[op] for op in _CONDITIONALS)
    return loops, conditionals, sum(ops[op] for op in _ARRAYS)


def count_lost_gradients(nodes: Iterable[NodeDef]) -> int:
    """The number of nodes with a gradient that tf.custom_gradient gave them."""
    return sum(CUSTOM_GRADIENT_ATTR in n.attr and is_of_custom_gradient(n) for n in nodes)


def is_of_custom_gradient(node: NodeDef) -> bool:
    """Whether TensorFlow made up the name of a node's gradient, and not the author.

    tf.custom_gradient and tf.function number theirs anew in each program.
    """
    if CUSTOM_GRADIENT_ATTR not in node.attr:  # to read it would add it
        return False
    name = node.attr[CUSTOM_GRADIENT_ATTR].s
    return name.startswith(b"CustomGradient") or re.search(rb"-\d+$", name) is not None


def is_of_another_module(node: NodeDef) -> bool:
    """Whether a node names a gradient that compat_hub has registered: none of its own graph's."""
    return CUSTOM_GRADIENT_ATTR in node.attr and node.attr[CUSTOM_GRADIENT_ATTR].s.startswith(
        b"CompatHub"
    )


def count_frozen_batch_norms(nodes: Iterable[NodeDef]) -> int:
    """The number of fused batch normalizations that do not look at the batch."""
    return sum(
        node.op in _BATCH_NORMS and "is_training" in node.attr and not node.attr["is_training"].b
        for node in nodes
    )
