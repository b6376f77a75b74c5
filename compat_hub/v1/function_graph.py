"""A module inside a function that is being built: tf.function, wrap_function, a branch, a loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub import _tensorflow
from compat_hub.call import find_free_losses
from compat_hub.rewrite import complete_handle_data, import_graph, rewrite
from compat_hub.spec import ModuleSpec
from compat_hub.state import ModuleState
from compat_hub.v1.instance_state import InstanceState
from compat_hub.variant import GraphVariant

_Keys = tf.compat.v1.GraphKeys
# What holds on to the state of the modules made inside a function.
_STATE = ("compat_hub", "state")


def bring_in(graph: Any, tensor: tf.Tensor) -> tf.Tensor:
    """The tensor as seen from where the program is: inside a function, a loop or a branch."""
    if getattr(tensor, "graph", None) is not graph:
        tensor = graph.capture(tensor)
    return _tensorflow.enter_control_flow(graph, tensor)


def can_import_rewritten(graph: Any, state: Mapping[str, tf.Tensor]) -> bool:
    """Whether the graph is a function's, and the state can be used there by rewritten graphs."""
    return graph.building_function and all(
        tensor.dtype == tensor.dtype.base_dtype for tensor in state.values()
    )


def import_rewritten(
    graph: Any,
    variant: GraphVariant,
    given: Mapping[str, tf.Tensor],
    wanted: Sequence[str],
    targets: Sequence[str],
) -> list[tf.Tensor]:
    """Adds a part of a variant to a function, rewritten for TensorFlow 2.

    Args:
        graph: The function's graph.
        variant: The variant.
        given: State and inputs, by the name of the variant's tensor that they stand for.
        wanted: The variant's tensors to return.
        targets: The variant's nodes that go into the collection UPDATE_OPS.

    Returns:
        The wanted tensors.
    """
    handles = {n: tensor for n, tensor in given.items() if n in variant.variable_tensors}
    specs = {n: tf.TensorSpec(tensor.shape, tensor.dtype) for n, tensor in given.items()}
    computed = [n for n in wanted if n not in given]
    rewritten = rewrite(variant, computed, targets, specs, handles)
    tensors = _Captured(graph, given)
    elements = import_graph(
        variant, rewritten.graph_def, tensors, [*rewritten.fetches, *rewritten.targets]
    )
    complete_handle_data(graph)
    for node in elements[len(computed) :]:
        graph.add_to_collection(_Keys.UPDATE_OPS, node)
    results = dict(zip(computed, elements, strict=False))
    return [results[n] if n in results else tensors[n] for n in wanted]


def make_state(spec: ModuleSpec, variant: GraphVariant, trainable: bool) -> InstanceState:
    """The state of a module that is made inside a function of an eager program.

    It is made outside of the function, once, and has its values at once: such a program has no
    session that would run initializers.

    Args:
        spec: The module.
        variant: The variant.
        trainable: Whether TRAINABLE_VARIABLES and REGULARIZATION_LOSSES get their share.

    Returns:
        What was made.
    """
    with tf.init_scope():
        state = ModuleState(spec, [variant])
    graph: Any = tf.compat.v1.get_default_graph()
    graph.add_to_collection(_STATE, state)
    tensors = state.tensors(variant)
    for tensor in tensors.values():
        tensor.accessed()
    given = {n: tensor.tensor() for n, tensor in tensors.items()}
    for name, variable in state.variables.items():
        graph.add_to_collection(_Keys.GLOBAL_VARIABLES, variable)
        if trainable and name in state.trainable:
            graph.add_to_collection(_Keys.TRAINABLE_VARIABLES, variable)
    if trainable:
        for loss in import_rewritten(graph, variant, given, find_free_losses(variant), []):
            graph.add_to_collection(_Keys.REGULARIZATION_LOSSES, loss)
    return InstanceState(given, state.variable_map)


class _Captured(Mapping[str, tf.Tensor]):
    """Tensors captured into a function when they are asked for, and not before."""

    def __init__(self, graph: Any, given: Mapping[str, tf.Tensor]) -> None:
        self._graph = graph
        self._given = given

    def __getitem__(self, name: str) -> tf.Tensor:
        return bring_in(self._graph, self._given[name])

    def __iter__(self) -> Any:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)
