"""Which nodes of a graph do something besides computing their outputs."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from tensorflow.core.framework.node_def_pb2 import NodeDef

from compat_hub.graphdef.function_library import called_functions, callees_first
from compat_hub.graphdef.passes.random_seeds import takes_seeds

GraphDef = Any
OpDef = Any

# Ops that are registered as stateful since they look at state, and change none.
_READING = frozenset(
    {"LookupTableExportV2", "LookupTableFindV2", "LookupTableSizeV2", "ReadVariableOp"}
    | {"ResourceGather", "ResourceGatherNd", "VarIsInitializedOp", "VariableShape"}
)


def find_effects(graph_def: GraphDef, op_def: Callable[[str], OpDef]) -> list[str]:
    """The names of nodes that change state, write, print or check, loops of such included."""
    functions = {function.signature.name: function for function in graph_def.library.function}
    calls = {
        name: {called for node in f.node_def for called in called_functions(node, functions)}
        for name, f in functions.items()
    }
    pure: set[str] = set()
    for name in callees_first(calls):
        if not any(has_effect(node, op_def, pure) for node in functions[name].node_def):
            pure.add(name)
    suspects = {op for op in {node.op for node in graph_def.node} if may_have_effect(op_def(op))}
    return [
        node.name
        for node in graph_def.node
        if node.op in suspects and has_effect(node, op_def, pure)
    ]


def find_stateful(graph_def: GraphDef, op_def: Callable[[str], OpDef]) -> list[str]:
    """The names of nodes whose op is registered as stateful, or that call a function by its name.

    TensorFlow's optimizer puts a function in the place of a call only where all of these are
    control outputs of the function, whether they change anything or not.
    """
    ops = {op for op in {node.op for node in graph_def.node} if _is_stateful(op_def(op))}
    return [node.name for node in graph_def.node if node.op in ops]


def _is_stateful(definition: OpDef) -> bool:
    return definition is None or definition.is_stateful


def may_have_effect(definition: OpDef) -> bool:
    """Whether some node of an op does something besides; None is a function that is called."""
    return definition is None or (definition.is_stateful and not takes_seeds(definition))


def has_effect(node: NodeDef, op_def: Callable[[str], OpDef], pure: Container[str]) -> bool:
    """Whether a node does something besides computing its outputs.

    Args:
        node: The node.
        op_def: Gives the OpDef of a registered op.
        pure: Names of functions that do not; a function of another name counts as one that does.
    """
    definition = op_def(node.op)
    if definition is None:  # a call by the function's name
        return node.op not in pure
    if not may_have_effect(definition):
        return False
    called = list(called_functions(node, ()))
    return any(name not in pure for name in called) if called else node.op not in _READING
