"""KerasLayer for tf_keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

from compat_hub.keras_layers import config as _layer_config
from compat_hub.keras_layers import tf_keras_private
from compat_hub.keras_layers.base_layer import HubLayer

_PACKAGE = "compat_hub"

tf_keras.saving.register_keras_serializable(_PACKAGE)(_layer_config.SharedModule)


@tf_keras.saving.register_keras_serializable(_PACKAGE)
class KerasLayer(HubLayer, tf_keras_private.AdoptedWeights, tf_keras.layers.Layer):
    """A module as a layer of a tf_keras model.

    It is `compat_hub.KerasLayer` where `tf.keras` is tf_keras: with TF_USE_LEGACY_KERAS=1 in the
    environment.

    Examples:
        >>> import tf_keras
        >>> layer = compat_hub.keras2.KerasLayer(
        ...     "path/to/module",
        ...     signature="fruit_to_pet",
        ...     signature_outputs_as_dict=True,
        ...     trainable=True,
        ... )
        >>> pets = layer({"apples": tf.ones([5, 4]), "oranges": tf.ones([5, 3])})
        >>> print(pets["cats"].shape, pets["dogs"].shape)
        (5, 2) (5, 3)
        >>> model = tf_keras.Sequential([
        ...     compat_hub.keras2.KerasLayer("path/to/image_module", trainable=True),
        ...     tf_keras.layers.Dense(5),
        ... ])
        >>> model.compile("adam", "mse")
        >>> history = model.fit(tf.ones([8, 8, 8, 3]), tf.ones([8, 5]), verbose=0)
        >>> len(model.losses)
        2

    It takes the arguments of `compat_hub.keras3.KerasLayer`, and does the same. With
    `trainable=True`, calls in training (`fit`, or `training=True`) run the `{"train"}` variant and
    its update ops, and the regularization losses are in `layer.losses`; `predict` and `evaluate`
    run inference. With `trainable=False` every call is inference, as Keras' BatchNormalization
    does it, and there are no regularization losses.

    Args:
        handle: As of `compat_hub.KerasLayer`, like all arguments up to `missing`.
        **kwargs: Arguments of `tf_keras.layers.Layer`: `name`, `dtype`, `input_shape`, ...

    Attributes:
        handle: What the layer was made from: the path as text, or the object.
        resolved_object: The `HubModule`, or what else the handle led to.
        train_only: The argument. It may be set: compile the model again, as for `trainable`.

    Raises:
        ResolveError: The handle leads to no folder.
        ModuleFormatError: The folder holds no module that can be read.
        SignatureError: The arguments do not fit the module.
        UnsafeModuleError: The module's graph would touch the host.
    """

    __module__ = "compat_hub.keras2"  # where users find it, and what saved files name

    _maker = _layer_config.Maker("tf_keras", tf_keras.saving, _PACKAGE)

    def _divide_weights(
        self, trainable: dict[str, tf.Variable], frozen: dict[str, tf.Variable]
    ) -> None:
        self.adopt_weights(trainable, frozen)

    def _finish(self) -> None:
        for loss in self._target.regularization_losses:
            self.add_loss(self._unless_frozen(loss))

    def _own_weights(self) -> list[tf.Variable]:
        return self.added_weights()

    def __reduce__(self) -> Any:
        """For pickle and deepcopy: makes the layer from its config, with the weights of now.

        Raises:
            ConfigError: The layer has no config.
        """
        return _make_again, (type(self), self.get_config(), self.get_weights())

    @staticmethod
    def _weights_file() -> Any:
        return tf_keras_private.weights_file()

    @staticmethod
    def _older_file() -> Any:
        return tf_keras_private.older_file()

    def _unless_frozen(self, loss: Callable[[], tf.Tensor]) -> Callable[[], tf.Tensor | None]:
        return lambda: loss() if self.trainable else None


def _make_again(
    layer_class: type[KerasLayer], config: dict[str, Any], weights: list[Any]
) -> KerasLayer:
    """What a pickled layer becomes."""
    layer = layer_class.from_config(config)
    layer.set_weights(weights)
    return layer
