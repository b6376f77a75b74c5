"""What a session of TensorFlow 1 computes with a module: the judge of the bridge."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import GraphVariant, Signature
from compat_hub.v1.graph.tensor_array_gradients import control_flow_of_tf1
from compat_hub.v1.module import Module


@dataclasses.dataclass(frozen=True)
class SessionResults:
    """What was computed.

    Attributes:
        outputs: By name; sparse and ragged values as `SparseTensorValue` and `RaggedTensorValue`.
        gradients: Of `weighted_sum` of the outputs, by the variable's name in the graph; None where
            the outputs do not depend on the variable.
        losses: The regularization losses that depend on no input, by tensor name.
        variables: Of all variables, after the outputs and the update ops ran once.
        is_random: Whether a second run gave other outputs.
    """

    outputs: dict[str, Any]
    gradients: dict[str, np.ndarray | None]
    losses: dict[str, np.ndarray]
    variables: dict[str, np.ndarray]
    is_random: bool


def run_in_session(
    spec: ModuleSpec, variant: GraphVariant, signature: Signature, inputs: Mapping[str, Any]
) -> SessionResults:
    """Applies a signature with `compat_hub.Module`, which imports the graph as it is.

    The session does not optimize the graph: TensorFlow's optimizer drops assignments that only a
    control dependency asks for.
    """
    v1 = tf.compat.v1
    config = v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = -1
    graph = tf.Graph()
    with control_flow_of_tf1(), graph.as_default(), v1.Session(config=config) as session:
        module = Module(spec, trainable=True, tags=variant.tags)
        outputs = module(dict(inputs), signature=signature.name, as_dict=True)
        variables = {v.op.name.removeprefix("module/"): v for v in module.variables}
        trainable = [name for name, v in variables.items() if _is_trainable(variant, name)]
        total = weighted_sum(outputs)
        found = (
            tf.gradients(total, [variables[n] for n in trainable])
            if total is not None and trainable
            else [None] * len(trainable)
        )
        gradients = {
            name: None if g is None else tf.convert_to_tensor(g)
            for name, g in zip(trainable, found, strict=True)
        }
        losses = {
            name: graph.get_tensor_by_name(f"module/{name}") for name in variant.free_losses()
        }
        init = [v1.global_variables_initializer(), v1.tables_initializer()]
        session.run(init)
        existing = {n: g for n, g in gradients.items() if g is not None}
        first = session.run([outputs, existing])
        second = session.run([outputs, existing])
        session.run(v1.global_variables_initializer())
        loss_values = session.run(losses) if losses else {}
        session.run([outputs, v1.get_collection(v1.GraphKeys.UPDATE_OPS)])
        after = session.run(variables) if variables else {}
        return SessionResults(
            outputs=first[0],
            gradients={n: first[1].get(n) for n in gradients},
            losses=loss_values,
            variables=after,
            is_random=not _same(first, second),
        )


def weighted_sum(outputs: Mapping[str, Any]) -> tf.Tensor | None:
    """A scalar to differentiate: every number of the floating point outputs, each weighted."""
    terms = []
    for _, value in sorted(outputs.items()):
        for tensor in tf.nest.flatten(value, expand_composites=True):
            if tensor.dtype.is_floating:
                flat = tf.reshape(tf.cast(tensor, tf.float64), [-1])
                weights = tf.cos(tf.cast(tf.range(tf.size(flat)), tf.float64))
                terms.append(tf.reduce_sum(flat * weights))
    return tf.add_n(terms) if terms else None


def _is_trainable(variant: GraphVariant, name: str) -> bool:
    info = variant.variables_by_node.get(name)
    return info is not None and info.trainable


def _same(first: Any, second: Any) -> bool:
    one, other = (tf.nest.flatten(value) for value in (first, second))
    return all(
        np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind in "fc")
        for a, b in zip(one, other, strict=True)
    )
