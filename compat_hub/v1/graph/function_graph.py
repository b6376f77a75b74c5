"""A module inside a function that is being built: tf.function, wrap_function, a branch, a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.errors import GraphError, HubError
from compat_hub.format.checkpoints.read import Checkpoint
from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import GraphVariant
from compat_hub.programs.importing import complete_handle_data, import_graph
from compat_hub.programs.pipeline import rewrite
from compat_hub.state.module_state import ModuleState
from compat_hub.tf_private import bare_functions, graph_internals, variable_internals
from compat_hub.v1.graph.instance_state import InstanceState

_Keys = tf.compat.v1.GraphKeys
# What holds on to the state of the modules made inside a function.
_STATE = ("compat_hub", "state")


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
        given: State and inputs, by the name of the variant's tensor that they stand for. Reference
            variables are captured by their values.
        wanted: The variant's tensors to return.
        targets: The variant's nodes that go into the collection UPDATE_OPS.

    Returns:
        The wanted tensors.
    """
    handles = {
        n: tensor
        for n, tensor in given.items()
        if n in variant.variable_tensors and tensor.dtype == tf.resource
    }
    specs = {n: tf.TensorSpec(tensor.shape, tensor.dtype.base_dtype) for n, tensor in given.items()}
    rewritten = rewrite(variant, wanted, targets, specs, handles)
    computed = [n for n in rewritten.fetches if n not in given]
    tensors = _Captured(graph, given)
    elements = import_graph(variant, rewritten.graph_def, tensors, [*computed, *rewritten.targets])
    complete_handle_data(graph)
    if tf.compat.v1.executing_eagerly_outside_functions():
        bare_functions.register_functions(graph)
    for node in elements[len(computed) :]:
        graph.add_to_collection(_Keys.UPDATE_OPS, node)
    results = dict(zip(computed, elements, strict=False))
    return [results[n] if n in results else tensors[n] for n in rewritten.fetches]


def reserve_function_scope(name: str) -> str:
    """A scope of the function being built, based on `name`, for a module's state.

    Unlike `state_graph.reserve_scope` it leaves the scopes of variables alone: those of a
    tf.function are those of the program's default graph.

    Returns:
        The absolute name of the scope, without a slash at its end.
    """
    outer = tf.compat.v1.get_variable_scope().name
    with tf.name_scope(f"{outer}/" if outer else ""):
        return tf.compat.v1.get_default_graph().unique_name(name)


def make_state(
    spec: ModuleSpec, variant: GraphVariant, scope: str, trainable: bool
) -> InstanceState:
    """The state of a module that is made inside a function of an eager program.

    It is made outside of the function, once, and has its values at once: such a program has no
    session that would run initializers. What is in TF1's collections of variables has one
    nevertheless, which does nothing: tf.compat.v1.wrap_function adds each new variable to them.

    Args:
        spec: The module.
        variant: The variant.
        scope: What `reserve_function_scope` gave.
        trainable: Whether the variables are trainable, and REGULARIZATION_LOSSES gets its share.

    Returns:
        What was made.

    Raises:
        CheckpointError: The checkpoint is missing or damaged, or lacks a variable of the variant.
        GraphError: A tf.function is traced again, and would get other variables this time.
    """
    if spec.checkpoint_prefix is not None and variant.variables:
        Checkpoint(spec.handle, spec.checkpoint_prefix, spec.checkpoint_names).check(
            variant.variables
        )
    state = _make_eagerly(spec, variant, scope, trainable)
    graph: Any = tf.compat.v1.get_default_graph()
    graph.add_to_collection(_STATE, state)
    tensors = {n: tensor.tensor() for n, tensor in state.tensors(variant).items()}
    variables = tuple(state.variables.values())
    with tf.name_scope(f"{scope}/"):
        in_collections = set(map(id, tf.compat.v1.global_variables()))
        for variable in variables:
            if id(variable) in in_collections:
                variable_internals.set_initializer(variable, tf.no_op("initialized"))
        if trainable:
            report_use(variables)
            for loss in import_rewritten(graph, variant, tensors, variant.free_losses(), []):
                graph.add_to_collection(_Keys.REGULARIZATION_LOSSES, loss)
    return InstanceState(tensors, {}, state.variable_map, variables)


def report_use(variables: Iterable[Any]) -> None:
    """Tells the tapes and functions around that they depend on variables of an eager program."""
    for variable in variables:
        variable_internals.variable_accessed(variable)


def _make_eagerly(
    spec: ModuleSpec, variant: GraphVariant, scope: str, trainable: bool
) -> ModuleState:
    def create(next_creator: Callable[..., Any], **kwargs: Any) -> Any:
        return next_creator(**{**kwargs, "trainable": trainable and kwargs["trainable"]})

    with tf.init_scope(), tf.name_scope(f"{scope}/"), tf.variable_creator_scope(create):
        try:
            return ModuleState(spec, [variant])
        except HubError:
            raise
        except ValueError as error:
            raise GraphError(
                f"The variables of {variant.where} cannot be made here: {error} A tf.function is "
                "traced more than once, and may make variables the first time only: make the "
                "module then, and keep it for the next times."
            ) from error


class _Captured(Mapping[str, tf.Tensor]):
    """Tensors captured into a function when they are asked for, and not before."""

    def __init__(self, graph: Any, given: Mapping[str, tf.Tensor]) -> None:
        self._graph = graph
        self._given = given

    def __getitem__(self, name: str) -> tf.Tensor:
        return graph_internals.bring_in(self._graph, self._given[name])

    def __iter__(self) -> Any:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)
