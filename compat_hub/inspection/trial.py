"""What a call of a signature would come to: its graph rewritten and imported, and nothing run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from compat_hub import _tensorflow
from compat_hub.call import find_update_ops
from compat_hub.errors import HubError
from compat_hub.graph.control_flow import has_control_flow
from compat_hub.graph.gradient_flow import (
    Flow,
    Gradient,
    find_gradient_flow,
    is_differentiable,
)
from compat_hub.graph.names import tensor_of
from compat_hub.rewrite import infer_types, rewrite
from compat_hub.variant import GraphVariant, Signature


@dataclasses.dataclass(frozen=True)
class Trial:
    """What a training call of one signature, for all of its outputs, would come to.

    Inputs that have a default are left out of the call.

    Attributes:
        problem: Why a call raises an error, or None where it does not.
        no_gradient: Why a gradient tape over a call raises an error, or None where it does not.
        trains: Names of the trainable variables that a gradient reaches.
        inputs: Names of the inputs that a gradient reaches.
        update_ops: Names of the update ops that the call runs.
        is_tried: Whether this was found out at all. It is not for a graph that touches the host:
            TensorFlow computes constants while it imports a graph.
    """

    problem: str | None = None
    no_gradient: str | None = None
    trains: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    update_ops: tuple[str, ...] = ()
    is_tried: bool = True


def try_signature(variant: GraphVariant, signature: Signature, may_import: bool = True) -> Trial:
    """Takes a signature through all that its first call does before anything runs.

    Args:
        variant: The variant.
        signature: The signature.
        may_import: Whether TensorFlow may see the graph.

    Returns:
        What was found.
    """
    required = {n: i for n, i in signature.inputs.items() if not variant.has_default(i)}
    inputs = {
        tensor: spec
        for info in required.values()
        for tensor, spec in zip(info.components, info.component_specs(), strict=True)
    }
    given = {**_state_specs(variant), **inputs}
    outputs = [tensor for info in signature.outputs.values() for tensor in info.components]
    unfed = variant.unfed_placeholders(outputs, given)
    if unfed:
        return Trial(
            f"its outputs depend on the placeholder {unfed[0]!r}, which is no input of it: only "
            "those that do not can be asked for"
        )
    if not may_import and has_control_flow(variant.subgraph(outputs, given)):
        return Trial(is_tried=False)
    update_ops = find_update_ops(variant, [*given])
    with tf.Graph().as_default():
        handles = {
            tensor_of(v.name): tf.raw_ops.VarHandleOp(dtype=v.dtype, shape=v.shape)
            for v in variant.variables
        }
        try:
            graph = rewrite(variant, outputs, update_ops, given, handles)
            if may_import:
                infer_types(variant, graph.graph_def, given, handles)
        except HubError as error:
            return Trial(problem=str(error))
    if graph.no_gradient is not None:
        return Trial(no_gradient=_shortened(graph.no_gradient), update_ops=tuple(update_ops))
    sources = [t for t, spec in given.items() if is_differentiable(spec.dtype.as_datatype_enum)]
    flow = find_gradient_flow(
        graph.graph_def, graph.fetches, sources, _tensorflow.op_def, _gradient_of
    )
    return Trial(
        no_gradient=_no_gradient(flow),
        trains=tuple(
            v.name for v in variant.variables if v.trainable and tensor_of(v.name) in flow.reached
        ),
        inputs=tuple(n for n, i in required.items() if flow.reached.intersection(i.components)),
        update_ops=tuple(update_ops),
    )


def _state_specs(variant: GraphVariant) -> dict[str, tf.TensorSpec]:
    """What `ModuleState` gives, without having it."""
    handle = tf.TensorSpec([], tf.resource)
    tables: Sequence[str] = [
        name for name, node in variant.nodes.items() if _tensorflow.makes_resource(node.op)
    ]
    return {
        **dict.fromkeys(variant.assets, tf.TensorSpec([], tf.string)),
        **dict.fromkeys(map(tensor_of, tables), handle),
        **dict.fromkeys(variant.variable_tensors, handle),
    }


def _gradient_of(op: str) -> Gradient:
    try:
        found = _tensorflow.gradient_function(op)
    except LookupError:
        return Gradient.MISSING
    return Gradient.NONE if found is None else Gradient.FUNCTION


def _shortened(message: str) -> str:
    """The reason alone: the report says where it is, and what to do."""
    return message.partition(": ")[2].partition(" Call it outside")[0].rstrip(".")


def _no_gradient(flow: Flow) -> str | None:
    if not flow.missing:
        return None
    node, op = flow.missing[0]
    others = f" and {len(flow.missing) - 1} more" if len(flow.missing) > 1 else ""
    return f"TensorFlow has no gradient of the op {op!r} (node {node!r}{others})"
