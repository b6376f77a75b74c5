"""The base class of both KerasLayers: arguments, calls, configs and files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import tensorflow as tf

from compat_hub.errors import (
    ConfigError,
    HubError,
    ModuleFormatError,
    ResolveError,
    SignatureError,
    UnsafeModuleError,
)
from compat_hub.format.spec import Tags, normalize_tags
from compat_hub.hub_module.hub_module import HubModule
from compat_hub.keras_layers import config as _layer_config
from compat_hub.keras_layers import other_keras
from compat_hub.keras_layers.arguments import check_arguments
from compat_hub.keras_layers.targets.make_target import make_target
from compat_hub.keras_layers.targets.target import as_shapes
from compat_hub.keras_layers.weights_file import check_links, load_weights, save_weights
from compat_hub.state.module_state import Missing
from compat_hub.tf_private import tracking


class HubLayer:
    """A module as a layer, whichever Keras the layer is one of.

    A class derives from it, and then from that Keras' own `Layer`.

    Args:
        handle: As of `compat_hub.KerasLayer`, which documents all of them.
    """

    _maker: ClassVar[_layer_config.Maker]

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
        train_only: str | Sequence[str] | None = None,
        allow_host_access: bool = False,
        allow_links: bool = False,
        missing: Missing = "error",
        embed_module: bool = False,
        **kwargs: Any,
    ) -> None:
        layer: Any = super()
        # The module's graph fixes its dtypes: the layer's policy casts nothing.
        layer.__init__(trainable=trainable, autocast=False, **kwargs)
        check_arguments(
            {
                "arguments": arguments or None,
                "load_options": load_options,
                "output_key": output_key,
                "signature_outputs_as_dict": signature_outputs_as_dict,
                "train_only": train_only,
            }
        )
        if train_only is not None and not trainable:
            raise SignatureError(
                f"train_only={train_only!r} needs trainable=True: with trainable=False nothing "
                "trains. To begin with a frozen layer, set layer.trainable to False afterwards."
            )
        options = {
            "arguments": dict(arguments) if arguments else None,
            "tags": None if tags is None else sorted(normalize_tags(tags)),
            "signature": signature,
            "signature_outputs_as_dict": signature_outputs_as_dict,
            "output_key": output_key,
            "output_shape": output_shape,
            "train_only": _plain_patterns(train_only),
            "allow_host_access": True if allow_host_access else None,
            "allow_links": True if allow_links else None,
            "missing": None if missing == "error" else missing,
            "embed_module": True if embed_module else None,
        }
        self._set_up(handle, options, load_options)
        self._take_over_variables()

    @tracking.untracked
    def _set_up(self, handle: Any, options: dict[str, Any], load_options: Any) -> None:
        self._handle = handle
        self._options = options
        self._load_options = load_options
        shape = options["output_shape"]
        self._output_shape = None if shape is None else self._read_output_shape(shape)
        self._target = make_target(
            handle,
            load_options=load_options,
            **{k: v for k, v in options.items() if k not in {"output_shape", "embed_module"}},
        )

    @property
    def handle(self) -> Any:
        """What the layer was made from: the path as text, or the object."""
        is_path = isinstance(self._handle, os.PathLike)
        return os.fspath(self._handle) if is_path else self._handle

    @property
    def train_only(self) -> Any:
        """Regular expressions for the names of the variables that train, None for all.

        Setting it takes effect where `trainable` does: compile the model again.
        """
        return self._options["train_only"]

    @train_only.setter
    def train_only(self, patterns: Any) -> None:
        patterns = None if patterns is None else _plain_patterns(patterns)
        check_arguments({"train_only": patterns})
        self._target.train_only(patterns)
        self._options["train_only"] = patterns
        self._divide_weights(*self._weights_by_role())

    @property
    def resolved_object(self) -> Any:
        """The `HubModule` or other callable that the handle led to."""
        return self._target.resolved_object

    def call(self, inputs: Any, training: Any = None) -> Any:
        """Applies the module.

        Args:
            inputs: A dict of tensors by input name, or the one tensor where `arguments` leave one
                input to give. Shapes are those that the signature declares, with the batch first:
                `[batch_size, height, width, 3]` for images, `[batch_size]` strings for texts.
                Floats of any width are cast to the declared float dtype, and integers to the
                declared integer dtype; floats and integers are not cast to each other, and the
                layer's dtype policy casts nothing.
            training: Whether this is a training call, a bool or a boolean scalar tensor. None is
                the phase of the Keras call around. A layer with `trainable=False` ignores it.

        Returns:
            The output, `[batch_size, ...]`, or a dict of all outputs by name, in the dtypes that
                the signature declares.

        Raises:
            InputTypeError: An input is missing, unknown, or of the wrong dtype or shape. Or the
                call is in a model of the other Keras.
            GraphError: It is a call of Keras 3's `stateless_call`.
        """
        layer: Any = self
        self._check_call(inputs)
        if not layer.trainable or training is None:
            training = False
        output, losses = self._target(inputs, training, layer.trainable)
        if layer.trainable:
            for loss in losses:
                layer.add_loss(loss)
        return self._with_output_shape(inputs, output)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shapes that a call gives for inputs of the given shapes.

        Args:
            input_shape: A shape with the batch dimension, or a dict of them by input name.

        Returns:
            A `tf.TensorShape`, or a dict of them by output name.
        """
        layer: Any = self
        if self._output_shape is None:
            return self._target.output_shapes(as_shapes(input_shape), tf.as_dtype(layer.dtype))
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
        layer: Any = super()
        described = _layer_config.describe(
            self._where, self._handle, self.resolved_object, self._options, self._load_options
        )
        return {**layer.get_config(), **described}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Makes the layer again; `load_model` and `clone_model` call it.

        Where `custom_objects` has the handle, or a folder above it, as a name, its value is the
        place to load from:

        ```python
        load_model("model.keras", custom_objects={"old/place": "new/place"})
        ```

        Layers that were on one `HubModule` are on one again if `load_model` makes them.

        Args:
            config: What `get_config` gave.

        Raises:
            ConfigError: Arguments in the config are none that a layer has, or do not fit.
            ResolveError: The handle leads to no folder.
            ModuleFormatError: The folder holds no module that can be read.
            UnsafeModuleError: The module's graph would touch the host, or the config says that it
                may, and is from a file: pass the module loaded, in `custom_objects`, or
                `safe_mode=False` to `load_model`. Or the file leads to others.
        """
        older_file = cls._older_file()
        if older_file is not None:  # Keras itself reads the weights of such files
            check_links(older_file, f"the KerasLayer {config.get('name')!r}")
        is_trusted = not other_keras.loads_file()
        try:
            arguments = _layer_config.restore(config, cls._maker, is_trusted)
            if arguments.get("train_only") is None or arguments.get("trainable"):
                return cls(**arguments)
            # It was frozen later.
            layer: Any = cls(**{**arguments, "trainable": True})
            layer.trainable = False
            return layer
        except (ResolveError, ModuleFormatError, UnsafeModuleError) as error:
            where = f"The layer {config.get('name')!r}"
            raise _layer_config.explain(where, config.get("handle"), error, cls._maker) from error
        except Warning:
            raise
        except Exception as error:
            # Keras 3 puts an error of its own in the place of a TypeError.
            if isinstance(error, HubError) and not isinstance(error, TypeError):
                raise
            raise ConfigError(
                f"The layer {config.get('name')!r} cannot be made from its config: {error} The "
                "config is damaged, or of another layer, or of another version of the program."
            ) from error

    def save_own_variables(self, store: Any) -> None:
        """Writes the weights to a `.keras` or `.weights.h5` file, by name; Keras calls it."""
        shared_id = _layer_config.shared_id(self.resolved_object)
        save_weights(store, self._weights_by_name(), shared_id)

    def load_own_variables(self, store: Any) -> None:
        """Reads the weights from such a file; Keras calls it.

        Raises:
            CheckpointError: The file has other weights.
        """
        load_weights(store, self._weights_by_name(), self._where, self._weights_file())

    def __repr__(self) -> str:
        layer: Any = self
        target = getattr(self, "_target", None)  # not yet, where the arguments do not fit
        what = "" if target is None else f" on {target.describe()}, {self._describe_training()},"
        return f"<KerasLayer {layer.name!r}{what} {other_keras.hint(self._maker.keras)}>"

    __str__ = __repr__

    @property
    def adopted_weights(self) -> dict[str, tf.Variable]:
        """The module's variables by name."""
        target = self._target
        variables = [*target.trainable_variables, *target.frozen_variables]
        return dict(zip(target.variable_names, variables, strict=True))

    def _check_call(self, inputs: Any) -> None:
        """Raises if the layer cannot be called here."""
        other_keras.check_call(self, inputs, self._maker.keras)

    def _weights_by_name(self) -> dict[str, tf.Variable]:
        """The module's variables, and the weights that a subclass adds."""
        # No variable of a module has such a name.
        others = {f"own:{k}": v for k, v in enumerate(self._own_weights())}
        return {**self.adopted_weights, **others}

    @property
    def _where(self) -> str:
        layer: Any = self
        return f"the KerasLayer {layer.name!r}"

    def _take_over_variables(self) -> None:
        """Makes the module's variables weights, and what it consists of parts of checkpoints."""
        target = self._target
        weights = self.adopted_weights
        self._divide_weights(*self._weights_by_role())
        self._finish()
        tracking.track(self, target.resolved_object, "resolved_object")
        if not isinstance(target.resolved_object, HubModule):
            # An object need not show its variables to checkpoints.
            tracking.track(self, [*weights.values()], "resolved_variables")
        arguments = self._options["arguments"] or {}
        # Not the dict itself: without this class, Keras would make weights of its variables.
        holder: Any = tf.Module()
        holder.by_name = {n: v for n, v in arguments.items() if isinstance(v, tf.Variable)}
        if holder.by_name:
            tracking.track(self, holder, "arguments")
        _layer_config.add_user(self, target.resolved_object)

    def _describe_training(self) -> str:
        layer: Any = self
        trained, frozen = map(len, self._weights_by_role())
        if not trained + frozen:
            return "without variables"
        if not layer.trainable:
            number = trained + frozen
            return f"frozen ({number} variable{'s' * (number != 1)})"
        only = "" if self.train_only is None else f", train_only={self.train_only!r}"
        return f"trains {trained} of {trained + frozen} variables{only}"

    def _weights_by_role(self) -> tuple[dict[str, tf.Variable], dict[str, tf.Variable]]:
        """The module's variables by name: those that train with the layer, and the others."""
        weights = [*self.adopted_weights.items()]
        count = len(self._target.trainable_variables)
        return dict(weights[:count]), dict(weights[count:])

    def _divide_weights(
        self, trainable: dict[str, tf.Variable], frozen: dict[str, tf.Variable]
    ) -> None:
        """Tells Keras of the weights, and which of them train; it may be called again."""
        raise NotImplementedError

    def _finish(self) -> None:
        """Tells Keras what else it has to know, once."""
        raise NotImplementedError

    def _own_weights(self) -> list[tf.Variable]:
        """The weights of the layer that are not the module's."""
        raise NotImplementedError

    @staticmethod
    def _weights_file() -> Any:
        """The HDF5 file that weights are being read from, None where it is not known."""
        raise NotImplementedError

    @staticmethod
    def _older_file() -> Any:
        """The `.h5` file that layers are being made for, None where there is none."""
        raise NotImplementedError

    def _with_output_shape(self, inputs: Any, output: Any) -> Any:
        if self._output_shape is None:
            return output
        shape = getattr(tf.nest.flatten(inputs)[0], "shape", None)
        batch = tf.TensorShape([None] if shape is None else shape[:1])

        def check(tensor: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
            return tf.ensure_shape(tensor, batch.concatenate(shape))

        try:
            return tf.nest.map_structure(check, output, self._output_shape)
        except (TypeError, ValueError) as error:
            raise SignatureError(
                f"The output of {self._where} does not have the shape that `output_shape` says: "
                f"{error}"
            ) from error

    def _read_output_shape(self, shape: Any) -> Any:
        try:
            return as_shapes(shape)
        except (TypeError, ValueError) as error:
            raise SignatureError(
                f"The `output_shape` of {self._where} is {shape!r:.200}, and neither a shape nor a "
                f"nest of shapes: {error}"
            ) from error


def _plain_patterns(patterns: Any) -> Any:
    """The patterns as a list of their own, which Keras has not wrapped."""
    return [*patterns] if isinstance(patterns, list | tuple) else patterns
