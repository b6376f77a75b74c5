"""KerasLayer for Keras 3."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compat_hub.errors import GraphError, SignatureError
from compat_hub.keras_layers import config, keras3_private, other_keras
from compat_hub.keras_layers.base_layer import HubLayer
from compat_hub.keras_layers.keras3_private import keras

_PACKAGE = "compat_hub.keras3"

keras.saving.register_keras_serializable(_PACKAGE)(config.SharedModule)


@keras.saving.register_keras_serializable(_PACKAGE)
class KerasLayer(HubLayer, keras3_private.HeldWeights, keras.layers.Layer):
    """A module as a layer of a Keras 3 model, on Keras' TensorFlow backend.

    It is `compat_hub.KerasLayer` on today's TensorFlow, where `tf.keras` is Keras 3.

    Examples:
        >>> import keras
        >>> layer = compat_hub.KerasLayer("path/to/image_module", trainable=True)
        >>> model = keras.Sequential([layer, keras.layers.Dense(5)])
        >>> model.compile("adam", "mse")
        >>> history = model.fit(tf.ones([8, 8, 8, 3]), tf.ones([8, 5]), verbose=0)
        >>> len(layer.trainable_weights), len(layer.losses)
        (8, 2)

    It takes the place of tensorflow_hub's KerasLayer, and trains modules in TF1 Hub format. The
    layer's weights are Variables of Keras that hold the module's own `tf.Variable`s: training
    the model moves `layer.resolved_object.variables`, and assigning to these moves the weights.

    With `trainable=True`, calls in training (`fit`, or `training=True`) run the `{"train"}` variant
    and its update ops, and the regularization losses are in `layer.losses`; `predict` and
    `evaluate` run inference. With `trainable=False` every call is inference, as Keras'
    BatchNormalization does it, and there are no regularization losses.

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
        train_only: A regular expression, or a list of them, searched in the names that
            `compat_hub.inspect` and `variable_map` show: of the trainable variables those train in
            which one is found, the others stay frozen.
        allow_host_access: Whether the module's graph may touch the host: read and write files
            other than its own assets, call Python, reach the network. Where a file is loaded that
            a model was saved to, the permission that is in it does not count.
        allow_links: Whether files of the module may be behind links that lead out of its folder;
            a permission in a file does not count either.
        missing: What becomes of variables that the module's checkpoint does not have, as of
            `compat_hub.load`: `"error"` or `"initial"`.
        embed_module: Whether `.keras` files of a model have the module inside, all but the values
            of its variables, which are among the model's weights: such a file needs no folder of
            the module where it is loaded.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ...

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

    __module__ = "compat_hub.keras3"  # where users find it, and what saved files name

    _maker = config.Maker("keras", keras.saving, _PACKAGE)

    def compute_output_spec(self, inputs: Any, training: Any = None) -> Any:
        """What a call on symbolic tensors gives; Keras calls it.

        Args:
            inputs: The symbolic tensors, as `call` takes them.
            training: As for `call`.

        Returns:
            A symbolic tensor, or a dict of them by output name.
        """
        other_keras.check_call(self, inputs, self._maker.keras)
        in_training = bool(training) and self.trainable
        specs = self._target.output_specs(
            tf.nest.map_structure(keras3_private.to_type_spec, inputs), in_training
        )
        if self._output_shape is not None:
            batch = tf.TensorShape(tf.nest.flatten(inputs)[0].shape[:1])
            specs = tf.nest.map_structure(
                lambda spec, shape: tf.TensorSpec(batch.concatenate(shape), spec.dtype),
                specs,
                self._output_shape,
            )
        return tf.nest.map_structure(self._to_symbolic, specs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes that a call gives for inputs of the given shapes.

        Args:
            input_shape: A shape with the batch dimension, or a dict of them by input name.

        Returns:
            A tuple, or a dict of tuples by output name.
        """
        shapes = super().compute_output_shape(input_shape)
        return tf.nest.map_structure(lambda shape: tuple(shape.as_list()), shapes)

    @property
    def compute_dtype(self) -> Any:
        """The dtype of what a call takes: that of the module's input, where it takes no floats."""
        return self._input_dtype() or super().compute_dtype

    @property
    def variable_dtype(self) -> Any:
        """The same: where it differs from `compute_dtype`, Keras casts variables to the latter."""
        return self._input_dtype() or super().variable_dtype

    def add_weight(self, *args: Any, **kwargs: Any) -> Any:
        """Adds a weight of a subclass, whose dtype follows from the policy if it is not given.

        Args:
            *args: As of `keras.layers.Layer.add_weight`.
            **kwargs: As of `keras.layers.Layer.add_weight`.

        Returns:
            The weight.
        """
        if len(args) < 3:  # shape, initializer, dtype
            kwargs["dtype"] = kwargs.get("dtype") or super().variable_dtype
        return super().add_weight(*args, **kwargs)

    @property
    def supports_jit(self) -> bool:
        """Whether XLA can compile the layer, which `compile(jit_compile="auto")` asks.

        It cannot where the graph has strings, tables, or sizes that depend on values, nor for the
        gradients of most loops. Answering takes a part of the time of building the graph.
        """
        return self._allows_jit and self._target.uncompilable_op(bool(self.trainable)) is None

    @supports_jit.setter
    def supports_jit(self, value: bool) -> None:
        self._allows_jit = bool(value)

    def free_losses(self) -> list[tf.Tensor]:
        """The regularization losses of the module."""
        return [loss() for loss in self._target.regularization_losses]

    def _to_symbolic(self, spec: Any) -> Any:
        if spec.shape.rank is None:
            raise SignatureError(
                f"The graph of {self._where} does not tell the shape of an output ({spec}), and "
                "Keras has no symbolic tensors of unknown rank: pass output_shape, the shape "
                "without the batch dimension."
            )
        try:
            return keras3_private.to_symbolic(spec)
        except TypeError as error:
            raise SignatureError(
                f"An output of {self._where} is {spec}, and Keras {keras.__version__} has no "
                "symbolic tensors of this kind. Call the layer on values, as in a subclassed model."
            ) from error

    def _check_call(self, inputs: Any) -> None:
        if keras3_private.is_stateless_call(self):
            raise GraphError(
                f"In {self._where}: stateless_call passes the values of variables, and a module's "
                "graph reads the variables themselves. Call the model, or assign the values first."
            )
        super()._check_call(inputs)

    def _divide_weights(self, trainable: Any, frozen: Any) -> None:
        self.hold_weights(trainable, frozen)

    def _finish(self) -> None:
        keras3_private.allow_any_input(self)
        if self._input_dtype() is not None:
            keras3_private.use_compute_dtype_for_input(self)
        self.built = True

    def _input_dtype(self) -> str | None:
        """The name of the dtype of the module's one input, None where it takes floats."""
        target = getattr(self, "_target", None)  # Keras asks for it before there is one
        dtype = None if target is None else target.input_dtype()
        return None if dtype is None or dtype.is_floating else dtype.name

    def _own_weights(self) -> list[tf.Variable]:
        return [v.value for v in self.weights if not isinstance(v, keras3_private.HeldVariable)]

    @staticmethod
    def _weights_file() -> Any:
        return keras3_private.weights_file()

    @staticmethod
    def _older_file() -> Any:
        return keras3_private.older_file()
