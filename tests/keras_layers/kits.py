"""Both Keras behind one set of names, for the tests of what is the same in both."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from compat_hub import keras2, keras3
from tests.records import FIXTURES


@dataclasses.dataclass(frozen=True)
class Kit:
    """One Keras and its layer.

    Attributes:
        keras: The package.
        layer_class: Its KerasLayer.
        model_files: Names of files for `model.save`, one for each format.
        weights_files: The same for `model.save_weights`.
    """

    keras: Any
    layer_class: Any
    model_files: tuple[str, ...]
    weights_files: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.keras.__name__

    def layer(self, fixture: str, trainable: bool = True, **options: Any) -> Any:
        return self.layer_class(path_of(fixture), trainable=trainable, **options)

    def fruit_layer(self, trainable: bool = True, **options: Any) -> Any:
        options = {"signature": "fruit_to_pet", "signature_outputs_as_dict": True, **options}
        return self.layer("fruit", trainable, **options)

    def compile(self, model: Any, rate: float = 0.1, **options: Any) -> Any:
        model.compile(self.keras.optimizers.SGD(rate), "mse", **options)
        return model

    def scaled_sgd(self) -> Any:
        """An optimizer for mixed precision that does not begin with steps that it leaves out."""
        if self._is_3:
            return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=1.0)
        return tf_keras.mixed_precision.LossScaleOptimizer(
            tf_keras.optimizers.SGD(0.1), dynamic=False, initial_scale=1.0
        )

    def variables(self, weights: Iterable[Any]) -> list[tf.Variable]:
        """The module's variables that are weights of a layer."""
        return (
            [getattr(weight, "value", weight) for weight in weights] if self._is_3 else [*weights]
        )

    def names(self, weights: Iterable[Any]) -> list[str]:
        """Their names in the module."""
        if self._is_3:
            return [weight.path.partition("/")[2] for weight in weights]
        return [weight.name.removesuffix(":0") for weight in weights]

    @property
    def _is_3(self) -> bool:
        return self.keras is keras


KITS = (
    Kit(
        tf_keras,
        keras2.KerasLayer,
        ("model.keras", "model.h5", "model"),
        ("w.weights.h5", "weights"),
    ),
    Kit(keras, keras3.KerasLayer, ("model.keras", "model.h5"), ("w.weights.h5",)),
)


def path_of(fixture: str) -> str:
    return str(FIXTURES / fixture / "module")


def values(layer: Any) -> dict[str, np.ndarray]:
    """The module's variables by name, as they are now."""
    return {v.name.removesuffix(":0"): v.numpy() for v in layer.resolved_object.variables}


def changed(layer: Any, before: dict[str, np.ndarray]) -> set[str]:
    """Which of the module's variables have changed since `before`."""
    now = values(layer)
    return {name for name in before if not np.array_equal(before[name], now[name])}


def all_changed(layer: Any, before: dict[str, np.ndarray]) -> bool:
    """Whether all did; a bias before a normalization has no gradient but rounding errors."""
    return set(before) - changed(layer, before) <= {"conv2d/bias", "conv2d_1/bias"}


def shapes(nest: Any) -> Any:
    """A nest of shapes of either Keras as lists."""
    if isinstance(nest, dict):
        return {name: shapes(shape) for name, shape in nest.items()}
    return list(getattr(nest, "shape", nest))
