"""Every use of a private name of Keras 3, each with its reason.

All were seen in Keras 3.0.5, 3.3.3, 3.5.0, 3.8.0, 3.11.3, 3.12.4 and 3.15.1.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from compat_hub.keras_layers.keras3_backend import import_keras
from compat_hub.keras_layers.weights_file import find_local

keras: Any = import_keras()

# Each by the id of its variable, which it keeps alive.
_held: weakref.WeakValueDictionary[int, HeldVariable] = weakref.WeakValueDictionary()


class HeldVariable(keras.Variable):
    """A `tf.Variable` that was there before, as a Variable of Keras: both have one value.

    There is one for each `tf.Variable`, whatever layers are on it: an optimizer knows variables of
    Keras, and would move a value twice for two of them. It trains if some layer trains it.

    Args:
        variable: The `tf.Variable`.
        path: Its name in Keras, with slashes.
    """

    def __init__(self, variable: tf.Variable, path: str) -> None:
        self._held = variable
        self._trainers: weakref.WeakSet[HeldWeights] = weakref.WeakSet()
        *scopes, name = path.split("/")
        with contextlib.ExitStack() as stack:
            for scope in scopes:
                stack.enter_context(keras.name_scope(scope))
            super().__init__(variable, dtype=variable.dtype.base_dtype.name, name=name)
        self._value = variable

    @classmethod
    def of(cls, variable: tf.Variable, path: str) -> HeldVariable:
        """That of the variable; with this path if there was none."""
        found = _held.get(id(variable))
        if found is None:
            found = _held[id(variable)] = cls(variable, path)
        return found

    def _initialize(self, value: Any) -> None:
        """Takes the variable: up to Keras 3.8 this makes a copy of what it is given."""
        del value
        self._value = self._held
        if not self._held.shape.is_fully_defined():
            # Keras wants to see a shape: that of now. What stands here until the variable has been
            # made is never read.
            with tf.init_scope():
                self._value = tf.TensorSpec(self._held.read_value().shape, self._held.dtype)

    def _maybe_autocast(self, value: Any) -> Any:
        """The value as it is, as the graph reads it, whatever the dtype policies of the model."""
        return value

    @property
    def trainable(self) -> bool:
        """Whether some layer trains it, and nobody switched the variable itself off."""
        return self._trainable and any(layer.trainable for layer in self._trainers)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)

    def train_with(self, layer: HeldWeights) -> None:
        """Notes that a layer trains it when that is trainable."""
        self._trainers.add(layer)

    def no_longer_train_with(self, layer: HeldWeights) -> None:
        """Takes that back."""
        self._trainers.discard(layer)

    def trains_with(self, layer: HeldWeights) -> bool:
        """Whether the layer is one of those that train it."""
        return layer in self._trainers


class HeldWeights:
    """What a Keras layer inherits from to have weights and losses that it did not make.

    `add_weight` can only make variables. `add_loss` forgets with each call what the last one added.
    """

    def hold_weights(
        self, trainable: Mapping[str, tf.Variable], frozen: Mapping[str, tf.Variable]
    ) -> None:
        """Makes variables weights of the layer, except those of a dtype that Keras has not.

        Called again, it says anew which of them train.
        """
        layer: Any = self
        tracker = layer._tracker
        is_locked = tracker.locked  # from the first call on a layer has all its weights
        tracker.unlock()
        for name, variable in {**trainable, **frozen}.items():
            if not _has_dtype(variable):
                continue
            held = HeldVariable.of(variable, f"{layer.name}/{name}")
            tracker.untrack(held)
            if name in trainable:
                held.train_with(self)
                tracker.add_to_store("trainable_variables", held)
            else:
                held.no_longer_train_with(self)
                tracker.add_to_store("non_trainable_variables", held)
        if is_locked:
            tracker.lock()

    def free_losses(self) -> list[tf.Tensor]:
        """The losses that do not come from a call."""
        return []

    @property
    def trainable(self) -> bool:
        """Whether the layer trains."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        # Keras' own setter would switch the variables, which other layers may train.
        self._trainable = bool(value)
        layer: Any = self
        for variable in layer._trainable_variables:
            if not isinstance(variable, HeldVariable):
                variable.trainable = bool(value)
        for inner in layer._layers:
            inner.trainable = bool(value)

    @property
    def trainable_variables(self) -> list[Any]:
        """The variables that train by this layer."""
        return self._only_trained(super().trainable_variables)

    @property
    def trainable_weights(self) -> list[Any]:
        """The weights that train by this layer."""
        return self._only_trained(super().trainable_weights)

    @property
    def non_trainable_variables(self) -> list[Any]:
        """The other variables of this layer."""
        return _without(super().variables, self.trainable_variables)

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The other weights of this layer."""
        return _without(super().weights, self.trainable_weights)

    def _get_own_losses(self) -> list[tf.Tensor]:
        """What models gather: they do not ask their layers for `losses`."""
        parent: Any = super()
        return [*parent._get_own_losses(), *(self.free_losses() if self.trainable else ())]

    def _only_trained(self, variables: Iterable[Any]) -> list[Any]:
        return [v for v in variables if not isinstance(v, HeldVariable) or v.trains_with(self)]


def _without(variables: Iterable[Any], others: Iterable[Any]) -> list[Any]:
    ids = {id(v) for v in others}
    return [v for v in variables if id(v) not in ids]


def _has_dtype(variable: tf.Variable) -> bool:
    try:
        keras.backend.standardize_dtype(variable.dtype.base_dtype.name)
    except ValueError:
        return False
    return True


def allow_any_input(layer: Any) -> None:
    """Lets a layer take what is no tensor: a list of strings, say, as the module itself does."""
    layer._convert_input_args = False
    layer._allow_non_tensor_positional_args = True


def use_compute_dtype_for_input(layer: Any) -> None:
    """Lets a Sequential model make its input of the layer's `input_shape` and compute dtype.

    It makes an input of float32 of an argument `input_shape`, whatever the layer's dtype is, and
    one of the compute dtype where its first layer has such an attribute, with the batch dimension.
    """
    shape = getattr(layer, "_input_shape_arg", None)
    if shape is not None:
        layer._input_shape_arg = None
        layer.input_shape = (None, *shape)


def to_type_spec(value: Any) -> Any:
    """The type spec of a symbolic tensor; any other value as it is."""
    if not isinstance(value, keras.KerasTensor):
        return value
    symbol: Any = value
    shape, dtype = tf.TensorShape(symbol.shape), tf.as_dtype(symbol.dtype)
    if symbol.sparse:
        return tf.SparseTensorSpec(shape, dtype)
    if getattr(symbol, "ragged", False):
        # Keras knows neither before 3.13.
        rank = getattr(symbol, "ragged_rank", None) or 1
        splits = getattr(symbol, "row_splits_dtype", None) or tf.int64
        return tf.RaggedTensorSpec(shape, dtype, rank, tf.as_dtype(splits))
    return tf.TensorSpec(shape, dtype)


def to_symbolic(spec: Any) -> Any:
    """A symbolic tensor of a type spec.

    Raises:
        TypeError: This Keras has no symbolic ragged tensors.
    """
    options: dict[str, Any] = {}
    if isinstance(spec, tf.SparseTensorSpec):
        options["sparse"] = True
    elif isinstance(spec, tf.RaggedTensorSpec):
        options["ragged"] = True
    return keras.KerasTensor(tuple(spec.shape), dtype=spec.dtype.name, **options)


def is_stateless_call(layer: Any) -> bool:
    """Whether the layer is called with values that shall stand for those of its variables."""
    held = [v for v in layer.weights if isinstance(v, HeldVariable)]
    return any(v.value is not v._held for v in held)


def weights_file() -> Any:
    """The HDF5 file that weights are being read from, None where it is not known."""
    return getattr(find_local("keras.src.saving.saving_lib", "weights_store"), "h5_file", None)


def older_file() -> Any:
    """The `.h5` file that layers are being made for, None where there is none."""
    return find_local("keras.src.legacy.saving.legacy_h5_format", "f")
