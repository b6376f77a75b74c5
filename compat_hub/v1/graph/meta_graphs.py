"""What is changed in a variant's MetaGraph before it is imported into a program's graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.passes.own_resources import own_resources_of_functions
from compat_hub.graphdef.run_passes import Mode, run_passes
from compat_hub.programs.passes import PASSES
from compat_hub.programs.rewriting import MetaGraphRewrite
from compat_hub.tf_private import op_registry


def prepare(
    spec: ModuleSpec,
    variant: GraphVariant,
    collections: Mapping[str, Sequence[str] | None],
    fed: Collection[str] = (),
    from_checkpoint: bool = False,
) -> Any:
    """A copy of the MetaGraph for this machine and this program.

    It has gone through the passes of `PASSES` that are for graph mode.

    Args:
        spec: The module.
        variant: The variant.
        collections: The collections that are kept: all of one where there is None, else the entries
            of a list of nodes.
        fed: Names of the tensors that others will take the place of. What waits for their nodes no
            longer does.
        from_checkpoint: Whether variables' initializers read the module's checkpoint.

    Raises:
        ModuleFormatError: A function of the graph does not fit a call of it, a constant cannot
            be made, a loop cannot run, or a variable's initializer is no assignment.
        UnsafeModuleError: Something in the collections would touch the host.
    """
    meta_graph = type(variant.meta_graph)()
    meta_graph.CopyFrom(variant.meta_graph)
    rewrite = MetaGraphRewrite(
        variant,
        Mode.GRAPH,
        meta_graph.graph_def,
        spec=spec,
        meta_graph=meta_graph,
        collections=collections,
        fed=fed,
        from_checkpoint=from_checkpoint,
    )
    run_passes(PASSES, rewrite)
    return meta_graph


def prefix_shared_names(meta_graph: Any, scope: str) -> None:
    """Keeps the tables and variables of two instances apart."""
    for node in meta_graph.graph_def.node:
        if "shared_name" in node.attr and node.attr["shared_name"].s:
            node.attr["shared_name"].s = f"{scope}/".encode() + node.attr["shared_name"].s
        if node.op == "_VarHandlesOp":
            names = node.attr["shared_names"].list.s
            names[:] = [f"{scope}/".encode() + name for name in names]
    own_resources_of_functions(meta_graph.graph_def, scope, op_registry.op_def)


def forget_state(meta_graph: Any, state: Mapping[str, tf.Tensor]) -> None:
    """Turns the nodes that hold state into placeholders, whose place the state takes."""
    for node in meta_graph.graph_def.node:
        tensor = state.get(f"{node.name}:0")
        if tensor is not None:
            node.op = "Placeholder"
            node.attr.clear()
            node.attr["dtype"].type = tensor.dtype.base_dtype.as_datatype_enum


def state_nodes(variant: GraphVariant) -> list[str]:
    """The names of the nodes that hold state."""
    return [name for name, node in variant.nodes.items() if op_registry.is_state_op(node.op)]
