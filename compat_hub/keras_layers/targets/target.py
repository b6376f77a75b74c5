"""The interface of targets: a layer asks one for variables and losses once, and calls it."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tensorflow as tf

from compat_hub.keras_layers.targets.train_only import Patterns, find_trained


class Target(abc.ABC):
    """The object that a layer calls.

    Attributes:
        resolved_object: What the layer's handle led to.
        trainable_variables: The variables that the layer trains when it is trainable.
        frozen_variables: Its other variables.
        variable_names: A unique name for each of the trainable, then of the frozen variables;
            the same wherever and however often the handle is loaded.
        regularization_losses: Callables without arguments that give a scalar each.
    """

    resolved_object: Any
    trainable_variables: list[tf.Variable]
    frozen_variables: list[tf.Variable]
    variable_names: list[str]
    regularization_losses: list[Callable[[], tf.Tensor]]

    def set_variables(
        self,
        trainable: Iterable[tf.Variable],
        all_: Iterable[tf.Variable],
        names: Mapping[int, str],
    ) -> None:
        """Notes which variables there are: those that may train, all, and their names by id."""
        self._may_train = {names[id(v)]: v for v in trainable}
        self._all = {names[id(v)]: v for v in all_}

    def train_only(self, patterns: Patterns) -> None:
        """Sets which of the variables that may train are trained; the others are frozen.

        Raises:
            SignatureError: A pattern finds none. Nothing has changed then.
        """
        others = {name: v for name, v in self._all.items() if name not in self._may_train}
        trained = find_trained(patterns, self._may_train, others, self.where)
        # In the module's order: .h5 files know weights by their numbers.
        frozen = {name: v for name, v in self._all.items() if name not in trained}
        self.trainable_variables, self.frozen_variables = [*trained.values()], [*frozen.values()]
        self.variable_names = [*trained, *frozen]

    @property
    @abc.abstractmethod
    def where(self) -> str:
        """How messages name the module."""

    @abc.abstractmethod
    def describe(self) -> str:
        """The module and the signature, as a layer's repr shows them."""

    @abc.abstractmethod
    def __call__(self, inputs: Any, training: Any, trainable: bool) -> tuple[Any, list[tf.Tensor]]:
        """Gives the layer's output, and the losses that depend on the inputs.

        Args:
            inputs: What the layer was called with.
            training: Whether this is a training call; a bool or a boolean scalar tensor.
            trainable: Whether a gradient tape sees the trainable variables.
        """

    @abc.abstractmethod
    def output_shapes(self, input_shapes: Any, dtype: tf.DType) -> Any:
        """The nest of output shapes for a nest of input shapes.

        Args:
            input_shapes: A nest of `tf.TensorShape`.
            dtype: Of the inputs, where the target does not know it.
        """

    @abc.abstractmethod
    def output_specs(self, inputs: Any, training: bool) -> Any:
        """The nest of `tf.TypeSpec` that a call gives, traced and not run.

        Args:
            inputs: What the layer is called with, with a `tf.TypeSpec` for each symbolic tensor.
            training: Whether it is a training call.
        """

    @abc.abstractmethod
    def input_dtype(self) -> tf.DType | None:
        """The dtype of the one input that a call has to give; None where it is not known."""

    @abc.abstractmethod
    def uncompilable_op(self, trainable: bool) -> str | None:
        """Says what XLA cannot compile in the target, None if it can compile all of it.

        Args:
            trainable: Whether there are training calls, and gradients.
        """


def trace(function: Callable[[Any], Any], inputs: Any) -> Any:
    """Traces a function on type specs and fixed values, and gives the specs of its results."""
    flat = tf.nest.flatten(inputs)
    # TensorFlow warns of names that no parameter can have, such as numbers.
    specs = {f"leaf_{k}": leaf for k, leaf in enumerate(flat) if isinstance(leaf, tf.TypeSpec)}

    def call(given: Mapping[str, Any]) -> Any:
        values = [given.get(f"leaf_{k}", leaf) for k, leaf in enumerate(flat)]
        return function(tf.nest.pack_sequence_as(inputs, values))

    outputs = tf.function(call).get_concrete_function(specs).structured_outputs
    return tf.nest.map_structure(tf.type_spec_from_value, outputs)


def shapes_of(specs: Any) -> Any:
    """The nest of shapes of a nest of type specs."""
    return tf.nest.map_structure(lambda spec: spec.shape, specs)


def as_shapes(nest: Any) -> Any:
    """A nest of tuples and lists of dimensions as a nest of `tf.TensorShape`."""
    if isinstance(nest, Mapping):
        return {key: as_shapes(value) for key, value in nest.items()}
    kinds = (list, tuple, Mapping, tf.TensorShape)
    if isinstance(nest, list | tuple) and any(isinstance(part, kinds) for part in nest):
        return type(nest)(as_shapes(part) for part in nest)
    return tf.TensorShape(nest)
