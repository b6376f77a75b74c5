"""KerasLayer for tf_keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tf_keras

from compat_hub import _layer_config, _tensorflow
from compat_hub._layer import as_shapes, make_target
from compat_hub._weights_file import load_weights, save_weights
from compat_hub.errors import ModuleFormatError, ResolveError, UnsafeModuleError
from compat_hub.module import HubModule
from compat_hub.spec import Tags

_PACKAGE = "compat_hub"

tf_keras.saving.register_keras_serializable(_PACKAGE)(_layer_config.SharedModule)


@tf_keras.saving.register_keras_serializable(_PACKAGE)
class KerasLayer(_tensorflow.AdoptedWeights, tf_keras.layers.Layer):
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
        **kwargs: Arguments of `tf_keras.layers.Layer`: `name`, `dtype`, `input_shape`, ...

    Attributes:
        resolved_object: The `HubModule`, or what else the handle led to.

    Raises:
        ResolveError: The handle leads to no folder.
        ModuleFormatError: The folder holds no module that can be read.
        SignatureError: The arguments do not fit the module.
        UnsafeModuleError: The module's graph would touch the host.
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
        allow_host_access: bool = False,
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
            "allow_host_access": True if allow_host_access else None,
        }
        self._set_up(handle, options, load_options)
        self._adopt_variables()
        for loss in self._target.regularization_losses:
            self.add_loss(self._unless_frozen(loss))

    @_tensorflow.untracked
    def _set_up(self, handle: Any, options: dict[str, Any], load_options: Any) -> None:
        self._handle = handle
        self._options = options
        self._load_options = load_options
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
            ConfigError: The layer was made from an object that is not known by a path, or
                `arguments` holds what JSON cannot.
        """
        described = _layer_config.describe(
            self._where, self._handle, self.resolved_object, self._options, self._load_options
        )
        return {**super().get_config(), **described}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> KerasLayer:
        """Makes the layer again; `load_model` and `clone_model` call it.

        Where `custom_objects` has the handle, or a folder above it, as a name, its value is the
        place to load from:

        ```python
        tf_keras.models.load_model("model.keras", custom_objects={"old/place": "new/place"})
        ```

        Layers that were on one `HubModule` are on one again if `load_model` makes them.

        Args:
            config: What `get_config` gave.

        Raises:
            ResolveError: The handle leads to no folder.
            ModuleFormatError: The folder holds no module that can be read.
            UnsafeModuleError: The module's graph would touch the host, or the config says that it
                may, and is from a file: pass the module loaded, in `custom_objects`, or
                `safe_mode=False` to `load_model`.
        """
        is_trusted = not _tensorflow.loads_keras_file()
        try:
            arguments = _layer_config.restore(
                config, tf_keras.saving, f"{_PACKAGE}>SharedModule", is_trusted
            )
            return cls(**arguments)
        except (ResolveError, ModuleFormatError, UnsafeModuleError) as error:
            where = f"The layer {config.get('name')!r}"
            raise _layer_config.explain(where, config.get("handle"), error) from error

    def save_own_variables(self, store: Any) -> None:
        """Writes the weights to a `.keras` or `.weights.h5` file, by name; Keras calls it."""
        shared_id = _layer_config.shared_id(self.resolved_object)
        save_weights(store, self._weights_by_name(), shared_id)

    def load_own_variables(self, store: Any) -> None:
        """Reads the weights from such a file; Keras calls it.

        Raises:
            CheckpointError: The file has other weights.
        """
        load_weights(store, self._weights_by_name(), self._where)

    def _weights_by_name(self) -> dict[str, tf.Variable]:
        """The module's variables, and the weights that a subclass adds."""
        weights = self.adopted_weights
        known = {id(v) for v in weights.values()}
        weights_of_layer = self._trainable_weights + self._non_trainable_weights
        others = [v for v in weights_of_layer if id(v) not in known]
        # No variable of a module has such a name.
        return {**weights, **{f"own:{k}": v for k, v in enumerate(others)}}

    @property
    def _where(self) -> str:
        return f"the KerasLayer {self.name!r}"

    def _adopt_variables(self) -> None:
        target = self._target
        names = iter(target.variable_names)
        # In this order: the names of those that train come first.
        trainable = {next(names): v for v in target.trainable_variables}
        frozen = {next(names): v for v in target.frozen_variables}
        self.adopt_weights(trainable, frozen)
        _tensorflow.track(self, target.resolved_object, "resolved_object")
        if not isinstance(target.resolved_object, HubModule):
            # An object need not show its variables to checkpoints.
            _tensorflow.track(self, [*trainable.values(), *frozen.values()], "resolved_variables")
        arguments = self._options["arguments"] or {}
        # Not the dict itself: without this class, Keras would make weights of its variables.
        holder: Any = tf.Module()
        holder.by_name = {n: v for n, v in arguments.items() if isinstance(v, tf.Variable)}
        if holder.by_name:
            _tensorflow.track(self, holder, "arguments")
        _layer_config.add_user(self, target.resolved_object)

    def _unless_frozen(self, loss: Callable[[], tf.Tensor]) -> Callable[[], tf.Tensor | None]:
        return lambda: loss() if self.trainable else None

    def _with_output_shape(self, inputs: Any, output: Any) -> Any:
        if self._output_shape is None:
            return output
        batch = tf.nest.flatten(inputs)[0].shape[:1]

        def check(tensor: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
            return tf.ensure_shape(tensor, batch.concatenate(shape))

        return tf.nest.map_structure(check, output, self._output_shape)
