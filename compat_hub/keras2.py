"""KerasLayer for tf_keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

from compat_hub import _layer_config, _tensorflow
from compat_hub._hub_layer import HubLayer

_PACKAGE = "compat_hub"

tf_keras.saving.register_keras_serializable(_PACKAGE)(_layer_config.SharedModule)


@tf_keras.saving.register_keras_serializable(_PACKAGE)
class KerasLayer(HubLayer, _tensorflow.AdoptedWeights, tf_keras.layers.Layer):
    """A module as a layer of a tf_keras model.

    Examples:
        >>> import tf_keras
        >>> layer = compat_hub.KerasLayer(
        ...     "path/to/module",
        ...     signature="fruit_to_pet",
        ...     signature_outputs_as_dict=True,
        ...     trainable=True,
        ... )
        >>> pets = layer({"apples": tf.ones([5, 4]), "oranges": tf.ones([5, 3])})
        >>> print(pets["cats"].shape, pets["dogs"].shape)
        (5, 2) (5, 3)
        >>> model = tf_keras.Sequential([
        ...     compat_hub.KerasLayer("path/to/image_module", trainable=True),
        ...     tf_keras.layers.Dense(5),
        ... ])
        >>> model.compile("adam", "mse")
        >>> history = model.fit(tf.ones([8, 8, 8, 3]), tf.ones([8, 5]), verbose=0)
        >>> len(model.losses)
        2

    It takes the place of tensorflow_hub's KerasLayer, and trains modules in TF1 Hub format. With
    `trainable=True`, calls in training (`fit`, or `training=True`) run the `{"train"}` variant and
    its update ops, and the regularization losses are in `layer.losses`; `predict` and `evaluate`
    run inference. With `trainable=False` every call is inference, as Keras' BatchNormalization
    does it, and there are no regularization losses.

    Args:
        handle: What `compat_hub.resolve` takes (a path, an archive, a web address), a `ModuleSpec`,
            a `HubModule` (layers on one HubModule share its weights; `compat_hub.load` makes one,
            with a checked digest, say), or a callable with the attributes
            `variables`, `trainable_variables` and `regularization_losses`, as far as it has any.
        trainable: Whether the layer trains.
        arguments: Further inputs by name, for all calls; for hyperparameters such as
            `batch_norm_momentum`.
        tags: Which graph variant to pin every call to; see `compat_hub.load`.
        signature: The signature's name, `"default"` when None. For a plain SavedModel None is its
            `__call__`.
        signature_outputs_as_dict: Whether to return all outputs of the signature, in a dict.
        output_key: The name of the one output to return; the others are not computed. When None,
            the output called `default`.
        output_shape: The output's shape without the batch dimension, a tuple or a nest of tuples,
            where the graph does not tell it.
        load_options: A `tf.saved_model.LoadOptions`.
        train_only: A regular expression, searched in the variables' names: of the trainable
            variables only those train, the others stay frozen.
        allow_host_access: Whether the module's graph may touch the host: read and write files
            other than its own assets, call Python, reach the network. Where a file is loaded that
            a model was saved to, the permission that is in it does not count.
        allow_links: Whether files of the module may be behind links that lead out of its folder;
            a permission in a file does not count either.
        missing: What becomes of variables that the module's checkpoint does not have, as of
            `compat_hub.load`: `"error"` or `"initial"`.
        **kwargs: Arguments of `tf_keras.layers.Layer`: `name`, `dtype`, `input_shape`, ...

    Attributes:
        resolved_object: The `HubModule`, or what else the handle led to.

    Raises:
        ResolveError: The handle leads to no folder.
        ModuleFormatError: The folder holds no module that can be read.
        SignatureError: The arguments do not fit the module.
        UnsafeModuleError: The module's graph would touch the host.
    """

    _maker = _layer_config.Maker("tf_keras", tf_keras.saving, _PACKAGE)

    def _adopt_weights(
        self, trainable: dict[str, tf.Variable], frozen: dict[str, tf.Variable]
    ) -> None:
        self.adopt_weights(trainable, frozen)
        for loss in self._target.regularization_losses:
            self.add_loss(self._unless_frozen(loss))

    def _own_weights(self) -> list[tf.Variable]:
        known = {id(v) for v in self.adopted_weights.values()}
        weights = self._trainable_weights + self._non_trainable_weights
        return [v for v in weights if id(v) not in known]

    def __reduce__(self) -> Any:
        """For pickle and deepcopy: makes the layer from its config, with the weights of now.

        Raises:
            ConfigError: The layer has no config.
        """
        return _make_again, (type(self), self.get_config(), self.get_weights())

    @staticmethod
    def _loads_file() -> bool:
        return _tensorflow.loads_keras_file()

    def _unless_frozen(self, loss: Callable[[], tf.Tensor]) -> Callable[[], tf.Tensor | None]:
        return lambda: loss() if self.trainable else None


def _make_again(
    layer_class: type[KerasLayer], config: dict[str, Any], weights: list[Any]
) -> KerasLayer:
    """What a pickled layer becomes."""
    layer = layer_class.from_config(config)
    layer.set_weights(weights)
    return layer
