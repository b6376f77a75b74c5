"""What a call of a signature would come to: its graph rewritten and imported, and nothing run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.errors import HubError
from compat_hub.format.placeholders import PLACEHOLDERS
from compat_hub.format.variant import GraphVariant, Signature
from compat_hub.graphdef.analysis.gradient_flow import (
    GradientFlow,
    is_differentiable,
)
from compat_hub.graphdef.names import node_of, tensor_of
from compat_hub.graphdef.passes.control_flow.raise_control_flow import has_control_flow
from compat_hub.graphdef.subgraph import consumed_tensors
from compat_hub.programs.gradients.outputs import gradient_of, no_gradient
from compat_hub.programs.importing import import_graph, infer_types
from compat_hub.programs.pipeline import rewrite
from compat_hub.tf_private import op_registry


@dataclasses.dataclass(frozen=True)
class Trial:
    """What a training call of one signature, for all of its outputs, would come to.

    Inputs that have a default are left out of the call.

    Attributes:
        problem: Why a call raises an error, or None where it does not.
        no_gradient: Why a gradient of any output raises an error, or None where it does not.
        refused: Why a gradient of an output raises an error, by its name, where others have one.
        trains: Names of the trainable variables that a gradient reaches.
        inputs: Names of the inputs that a gradient reaches.
        update_ops: Names of the update ops that the call runs.
        is_tried: Whether this was found out at all. It is not for a graph that touches the host:
            TensorFlow computes constants while it imports a graph.
    """

    problem: str | None = None
    no_gradient: str | None = None
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict)
    trains: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    update_ops: tuple[str, ...] = ()
    is_tried: bool = True


def try_signatures(
    variant: GraphVariant, names: Iterable[str], may_import: bool = True
) -> dict[str, Trial]:
    """Takes signatures of a variant through all that a first call does before anything runs.

    Args:
        variant: The variant.
        names: The names of the signatures.
        may_import: Whether TensorFlow may see the graph.

    Returns:
        What was found, by the signature's name.
    """
    state = _state_specs(variant)
    calls = [_Call(variant, variant.signatures[name], state) for name in names]
    good = [call for call in calls if not call.unfed]
    trials = _try(variant, good, state, may_import) if _are_apart(good) else None
    if trials is None:  # one of them has a problem: which one?
        trials = {}
        for call in good:
            trials.update(_try(variant, [call], state, may_import) or {})
    for call in calls:
        if call.unfed:
            trials[call.name] = Trial(
                f"its outputs depend on the placeholder {call.unfed[0]!r}, which is not an input "
                "it: only those that do not can be asked for"
            )
    return trials


class _Call:
    """A training call of a signature for all outputs, without its optional inputs."""

    def __init__(
        self, variant: GraphVariant, signature: Signature, state: Mapping[str, tf.TensorSpec]
    ) -> None:
        self.name = signature.name
        self.inputs = {n: i for n, i in signature.inputs.items() if not variant.has_default(i)}
        self.feeds = {
            tensor: spec
            for info in self.inputs.values()
            for tensor, spec in zip(info.components, info.component_specs(), strict=True)
        }
        self.parts = {name: info.components for name, info in signature.outputs.items()}
        self.outputs = [tensor for components in self.parts.values() for tensor in components]
        given = [*state, *self.feeds]
        self.update_ops = variant.runnable_update_ops(given) if variant.update_ops else []
        self.needed = variant.needed_nodes([*self.outputs, *self.update_ops], given)
        needed = self.needed
        if self.update_ops:
            needed = variant.needed_nodes(self.outputs, given)
        self.unfed = sorted(name for name in needed if variant.nodes[name].op in PLACEHOLDERS)


def _are_apart(calls: Sequence[_Call]) -> bool:
    """Whether the graph of all calls together computes what each computes alone."""
    fed = {node_of(tensor) for call in calls for tensor in call.feeds}
    return len(calls) > 1 and not any(
        call.needed & (fed - {node_of(tensor) for tensor in call.feeds}) for call in calls
    )


def _try(
    variant: GraphVariant,
    calls: Sequence[_Call],
    state: Mapping[str, tf.TensorSpec],
    may_import: bool,
) -> dict[str, Trial] | None:
    """What comes of calls in one graph; None for several calls of which one has a problem."""
    given = {**state, **{tensor: spec for call in calls for tensor, spec in call.feeds.items()}}
    outputs = list(dict.fromkeys(tensor for call in calls for tensor in call.outputs))
    update_ops = list(dict.fromkeys(name for call in calls for name in call.update_ops))
    if not may_import and has_control_flow(variant.subgraph([*outputs, *update_ops], given)):
        return {call.name: Trial(is_tried=False) for call in calls} if len(calls) == 1 else None
    try:
        with tf.Graph().as_default():
            graph = rewrite(variant, outputs, update_ops, given, _Handles(variant))
            if may_import:
                _import(variant, graph.graph_def, given)
    except HubError as error:
        return {calls[0].name: Trial(problem=str(error))} if len(calls) == 1 else None
    if graph.refused and len(calls) > 1:  # what cannot be raised for one may stop others
        return None
    sources = [t for t, spec in given.items() if is_differentiable(spec.dtype.as_datatype_enum)]
    flow = GradientFlow(graph.graph_def, sources, op_registry.op_def, gradient_of)
    fetches = dict(zip(outputs, graph.fetches, strict=True))
    return {call.name: _trial(variant, call, flow, fetches, graph.refused) for call in calls}


def _trial(
    variant: GraphVariant,
    call: _Call,
    gradients: GradientFlow,
    fetches: Mapping[str, str],
    known: Mapping[str, str],
) -> Trial:
    flows, refused = {}, {}
    for name, components in call.parts.items():
        tensors = [fetches[tensor] for tensor in components]
        why = next((known[t] for t in tensors if t in known), None)
        flows[name] = gradients.of([] if why else tensors)
        why = why or no_gradient(flows[name])
        if why is not None:
            refused[name] = why
    reached = frozenset().union(*(f.reached for n, f in flows.items() if n not in refused))
    trains = tuple(
        v.name for v in variant.variables if v.trainable and tensor_of(v.name) in reached
    )
    inputs = tuple(n for n, i in call.inputs.items() if reached.intersection(i.components))
    if refused and not reached:
        return Trial(no_gradient=next(iter(refused.values())), update_ops=tuple(call.update_ops))
    return Trial(refused=refused, trains=trains, inputs=inputs, update_ops=tuple(call.update_ops))


class _Handles(Mapping[str, tf.Tensor]):
    """Handles of variables without values, made in the current graph when they are asked for."""

    def __init__(self, variant: GraphVariant) -> None:
        self._variant = variant

    @functools.cached_property
    def _made(self) -> dict[str, tf.Tensor]:
        return {
            tensor_of(v.name): tf.raw_ops.VarHandleOp(dtype=v.dtype, shape=v.shape)
            for v in self._variant.variables
        }

    def __getitem__(self, name: str) -> tf.Tensor:
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._variant.variables)


def _import(variant: GraphVariant, graph_def: Any, given: Mapping[str, tf.TypeSpec]) -> None:
    """Lets TensorFlow check the graph.

    Raises:
        ModuleFormatError: This TensorFlow cannot import it.
    """
    consumed = consumed_tensors(graph_def, given.keys())
    names = {node.name for node in graph_def.node}
    if any(t != tensor_of(node_of(t)) or node_of(t) in names for t in consumed):
        infer_types(variant, graph_def, given, _Handles(variant))
        return
    # What is given becomes nodes of the graph: TensorFlow makes them much faster than Python.
    whole = type(graph_def)()
    whole.CopyFrom(graph_def)
    variables = {tensor_of(v.name): v for v in variant.variables}
    for tensor in consumed:
        node = whole.node.add(name=node_of(tensor), op="Placeholder")
        shape = given[tensor].shape
        if tensor in variables:
            node.op = "VarHandleOp"
            shape = variables[tensor].shape
            node.attr["dtype"].type = variables[tensor].dtype.as_datatype_enum
        else:
            node.attr["dtype"].type = given[tensor].dtype.as_datatype_enum
        node.attr["shape"].shape.CopyFrom(shape.as_proto())
    import_graph(variant, whole, {}, [])


def _state_specs(variant: GraphVariant) -> dict[str, tf.TensorSpec]:
    """What `ModuleState` gives, without having it."""
    handle = tf.TensorSpec([], tf.resource)
    tables: Sequence[str] = [
        name for name, node in variant.nodes.items() if op_registry.makes_resource(node.op)
    ]
    return {
        **dict.fromkeys(variant.assets, tf.TensorSpec([], tf.string)),
        **dict.fromkeys(map(tensor_of, tables), handle),
        **dict.fromkeys(variant.variable_tensors, handle),
    }
