"""Whether XLA can compile a graph: Keras asks its layers before it compiles a model."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compat_hub.graphdef.function_library import all_nodes
from compat_hub.tf_private import op_registry

# XLA has kernels for them, but sizes that depend on values are no sizes to it.
_SIZED_BY_VALUES = frozenset(
    {"DynamicPartition", "EmptyTensorList", "ListDiff", "Unique", "UniqueV2", "Where"}
)
_CONDITIONALS = frozenset({"Case", "If", "StatelessCase", "StatelessIf"})
_NO_VALUES = frozenset({"Placeholder", "VarHandleOp"})


def find_uncompilable_op(graph_def: Any) -> str | None:
    """The op of some node that XLA does not compile, or None where it compiles all.

    Args:
        graph_def: The graph, without control flow of TF1.
    """
    functions = {f.signature.name for f in graph_def.library.function}
    for node in all_nodes(graph_def):
        if node.op in functions or node.op in _NO_VALUES:
            continue
        dtypes = op_registry.xla_dtypes(node.op)
        if dtypes is None or node.op in _SIZED_BY_VALUES:
            return node.op
        if node.op in _CONDITIONALS and any(
            shape.unknown_rank for shape in node.attr["output_shapes"].list.shape
        ):
            return f"{node.op} with branches of different shapes"
        for name, allowed in dtypes.items():
            attribute = node.attr[name]
            found = [attribute.type] if attribute.type else attribute.list.type
            if not allowed.issuperset(found):
                return f"{node.op} of {tf.as_dtype(found[0]).name}"
    return None
