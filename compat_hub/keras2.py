"""KerasLayer for tf_keras."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tf_keras

from compat_hub import _tensorflow
from compat_hub._layer import as_shapes, make_target
from compat_hub.errors import HubError
from compat_hub.module import HubModule
from compat_hub.spec import ModuleSpec, Tags


@tf_keras.saving.register_keras_serializable(package="compat_hub")
class KerasLayer(tf_keras.layers.Layer):
    """A module as a layer of a tf_keras model.

    Example:
        ```python
        layer = compat_hub.KerasLayer(
            "path/to/module", signature="fruit_to_pet", signature_outputs_as_dict=True,
            trainable=True,
        )
        pets = layer(dict(apples=x1, oranges=x2))    # pets["cats"], pets["dogs"]

        model = tf_keras.Sequential([
            compat_hub.KerasLayer("path/to/image_module", trainable=True),
            tf_keras.layers.Dense(5),
        ])
        model.compile("adam", "mse")
        model.fit(images, targets)
        ```

    It takes the place of tensorflow_hub's KerasLayer, and trains modules in TF1 Hub format. With
    `trainable=True`, calls in training (`fit`, or `training=True`) run the `{"train"}` variant and
    its update ops, and the regularization losses are in `layer.losses`; `predict` and `evaluate`
    run inference. With `trainable=False` every call is inference, as Keras' BatchNormalization
    does it, and there are no regularization losses.

    Args:
        handle: A path, a `ModuleSpec`, a `HubModule` (layers on one HubModule share its weights),
            or a callable with the attributes `variables`, `trainable_variables` and
            `regularization_losses`, as far as it has any.
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
        **kwargs: Arguments of `tf_keras.layers.Layer`: `name`, `dtype`, `input_shape`, ...

    Attributes:
        resolved_object: The `HubModule`, or what else the handle led to.

    Raises:
        ResolveError: The handle leads to no folder.
        ModuleFormatError: The folder holds no module that can be read.
        SignatureError: The arguments do not fit the module.
    """

    def __init__(
        self,
        handle: Any,
        trainable: bool = False,
        arguments: Mapping[str, Any] | None = None,
        tags: Tags = None,
        signature: str | None = None,
        signature_outputs_as_dict: bool | None = None,
        output_key: str | None = None,
        output_shape: Any = None,
        load_options: Any = None,
        train_only: str | None = None,
        **kwargs: Any,
    ) -> None:
        # The module's graph fixes its dtypes: the layer's policy casts nothing.
        super().__init__(trainable=trainable, autocast=False, **kwargs)
        options = {
            "arguments": dict(arguments) if arguments else None,
            "tags": [tags] if isinstance(tags, str) else None if tags is None else sorted(tags),
            "signature": signature,
            "signature_outputs_as_dict": signature_outputs_as_dict,
            "output_key": output_key,
            "output_shape": output_shape,
            "train_only": train_only,
        }
        self._set_up(handle, options, load_options)
        for variable in self._target.trainable_variables:
            self._add_existing_weight(variable, trainable=True)
        for variable in self._target.frozen_variables:
            self._add_existing_weight(variable, trainable=False)
        for loss in self._target.regularization_losses:
            self.add_loss(self._unless_frozen(loss))

    @_tensorflow.untracked
    def _set_up(self, handle: Any, options: dict[str, Any], load_options: Any) -> None:
        self._handle = handle
        self._options = options
        shape = options["output_shape"]
        self._output_shape = None if shape is None else as_shapes(shape)
        self._target = make_target(
            handle,
            load_options=load_options,
            **{k: v for k, v in options.items() if k != "output_shape"},
        )

    @property
    def resolved_object(self) -> Any:
        """The `HubModule` or other callable that the handle led to."""
        return self._target.resolved_object

    def call(self, inputs: Any, training: Any = None) -> Any:
        """Applies the module.

        Args:
            inputs: A dict of tensors by input name, or the one tensor of a signature with one input
                left to give.
            training: Whether this is a training call. None is what Keras says of the call around.

        Returns:
            The output, or a dict of all outputs.
        """
        if not self.trainable or training is None:
            training = False
        output, losses = self._target(inputs, training, self.trainable)
        if self.trainable:
            for loss in losses:
                self.add_loss(loss)
        return self._with_output_shape(inputs, output)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes that a call gives for inputs of the given shapes.

        Args:
            input_shape: A shape with the batch dimension, or a dict of them by input name.

        Returns:
            A `tf.TensorShape`, or a dict of them by output name.
        """
        if self._output_shape is None:
            dtype: Any = self.dtype
            return self._target.output_shapes(as_shapes(input_shape), tf.as_dtype(dtype))
        batch = tf.nest.flatten(input_shape)[0]
        batch = batch[0] if isinstance(batch, tf.TensorShape) else batch
        return tf.nest.map_structure(
            lambda shape: tf.TensorShape([batch]).concatenate(shape), self._output_shape
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer, as a dict that JSON can hold.

        Raises:
            HubError: The layer was made from an object that is not known by a path, or `arguments`
                holds what JSON cannot.
        """
        config = super().get_config()
        given = {k: v for k, v in self._options.items() if v is not None}
        try:
            json.dumps(given)
        except TypeError as error:
            raise HubError(
                f"The layer {self.name!r} cannot be described in JSON: {error}. Pass numbers, "
                "strings and lists as `arguments`."
            ) from error
        config["handle"] = _describe_handle(self._handle)
        config.update(given)
        return config

    def _add_existing_weight(self, variable: tf.Variable, trainable: bool) -> None:
        self.add_weight(
            name=variable.name,
            shape=variable.shape,
            dtype=variable.dtype,
            trainable=trainable,
            experimental_autocast=False,
            getter=lambda *_, **__: variable,
        )

    def _unless_frozen(self, loss: Callable[[], tf.Tensor]) -> Callable[[], tf.Tensor | None]:
        return lambda: loss() if self.trainable else None

    def _with_output_shape(self, inputs: Any, output: Any) -> Any:
        if self._output_shape is None:
            return output
        batch = tf.nest.flatten(inputs)[0].shape[:1]

        def check(tensor: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
            return tf.ensure_shape(tensor, batch.concatenate(shape))

        return tf.nest.map_structure(check, output, self._output_shape)


def _describe_handle(handle: Any) -> str:
    if isinstance(handle, HubModule):
        handle = handle.spec
    if isinstance(handle, ModuleSpec):
        return handle.handle
    if isinstance(handle, str | os.PathLike):
        return os.fspath(handle)
    # The error by which Keras learns that a layer has no config; it then saves without.
    raise NotImplementedError(
        f"A KerasLayer made from an object of type {type(handle).__name__} has no config: only a "
        "layer made from a path can be made again."
    )
