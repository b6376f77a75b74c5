"""Control flow of TF1 raised to functional control flow: While and If.

TensorFlow 2 runs Switch, Merge, Enter and Exit, but no gradient tape gets through them. The runtime
lowers While and If to them again (`_lower_using_switch_merge`), so they execute as before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from compat_hub.graphdef.edit import new_graph
from compat_hub.graphdef.names import node_of
from compat_hub.graphdef.passes.control_flow.conditionals import raise_conditionals
from compat_hub.graphdef.passes.control_flow.loops import raise_loops
from compat_hub.graphdef.passes.control_flow.make_function import Facts, OpDef, Types
from compat_hub.graphdef.subgraph import index_nodes

GraphDef = Any

CONTROL_FLOW_V1 = frozenset({"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"})


def has_control_flow(graph_def: GraphDef) -> bool:
    """Whether some node of the graph is control flow of TF1."""
    return any(node.op in CONTROL_FLOW_V1 for node in graph_def.node)


def raise_control_flow(
    graph_def: GraphDef,
    types: Types,
    targets: Sequence[str],
    op_def: Callable[[str], OpDef],
) -> tuple[GraphDef, list[str]]:
    """Raises every loop and conditional of a graph to a While or an If.

    Args:
        graph_def: The graph, resources and TensorLists only: no references, no TensorArrays.
        types: The type of every tensor.
        targets: Names of nodes that run even if no tensor needs them.
        op_def: Gives the OpDef of a registered op.

    Returns:
        A new graph, in which a tensor that could be fetched before has its name still, and the
        targets: an If in the place of those in branches, where they run when the branch is taken.

    Raises:
        IrreducibleError: Some node is part of neither a loop nor a conditional.
    """
    targets = [node_of(t) for t in targets]
    facts = Facts(types, op_def)
    nodes, functions = raise_loops(index_nodes(graph_def), facts)
    nodes, more, moved = raise_conditionals(nodes, targets, facts)
    result = new_graph(graph_def, nodes.values())
    result.library.function.extend([*functions, *more])
    return result, list(dict.fromkeys(moved.get(t, t) for t in targets))
