"""What the feature columns of modules share: their names, their state, their configs."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from compat_hub.errors import ConfigError, HubError, InputTypeError
from compat_hub.format.spec import ModuleSpec, is_module_directory, load_module_spec
from compat_hub.keras_layers import other_keras
from compat_hub.keras_layers.tf_keras_layer import KerasLayer
from compat_hub.keras_layers.untrusted_handle import check_untrusted_handle
from compat_hub.tf_private import feature_columns
from compat_hub.v1.module import Module

_RESOURCE = "module"


class ModuleColumn(feature_columns.DenseColumn):
    """A feature column whose values are what a module computes, for Keras' DenseFeatures.

    Subclasses are frozen dataclasses: columns are keys of dicts.
    """

    key: Any
    trainable: bool = False

    # What a subclass says of its module.

    @property
    def feature_spec(self) -> Any:
        """How `tf.io.parse_example` reads the feature, where the key is a feature's name."""
        raise NotImplementedError

    def instantiate(self, trainable: bool) -> Any:
        """An instance of the module: a KerasLayer, or a Module where a graph of TF1 is built."""
        raise NotImplementedError

    def apply(self, module: Any, value: Any) -> tf.Tensor:
        """The column's values, from an instance and the feature's value."""
        raise NotImplementedError

    # What TensorFlow asks of a column.

    @property
    def name(self) -> str:
        key = self.key if isinstance(self.key, str) else self.key.name
        return f"{key}_hub_module_embedding"

    @property
    def dtype(self) -> tf.DType:
        return tf.float32

    @property
    def parents(self) -> list[Any]:
        return [self.key]

    @property
    def is_v2_column(self) -> bool:
        return isinstance(self.key, str) or feature_columns.is_feature_column_v2(self.key)

    @property
    def parse_example_spec(self) -> dict[str, Any]:
        if isinstance(self.key, str):
            return {self.key: self.feature_spec}
        return self.key.parse_example_spec

    def transform_feature(self, transformation_cache: Any, state_manager: Any) -> Any:
        return transformation_cache.get(self.key, state_manager)

    def create_state(self, state_manager: Any) -> None:
        trainable = self.trainable and feature_columns.makes_trainable_columns(state_manager)
        module = self.instantiate(trainable)
        state_manager.add_resource(self, _RESOURCE, module)
        feature_columns.add_column_weights(
            state_manager, self, module.variables, _trainable_variables(module)
        )

    def get_dense_tensor(self, transformation_cache: Any, state_manager: Any) -> tf.Tensor:
        value = transformation_cache.get(self, state_manager)
        return self.apply(state_manager.get_resource(self, _RESOURCE), value)

    def get_config(self) -> dict[str, Any]:
        config = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}
        config = {name: _describe(value) for name, value in config.items()}
        return {**config, "key": feature_columns.serialize_feature_column(self.key)}

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any],
        custom_objects: Mapping[str, Any] | None = None,
        columns_by_name: dict[str, Any] | None = None,
    ) -> Any:
        if other_keras.loads_file():
            for name in ("module_path", "module_spec_path"):
                check_untrusted_handle(config.get(name))
        try:
            key = feature_columns.deserialize_feature_column(
                config["key"], custom_objects, columns_by_name
            )
            return cls(**{**config, "key": key})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, HubError) and not isinstance(error, TypeError):
                raise
            raise ConfigError(
                f"The {cls.__name__} cannot be made from its config: {error!r}. The config is "
                "damaged, or of another column."
            ) from error

    def __deepcopy__(self, memo: Any) -> Any:
        # An Estimator copies its `params`, with columns among them; a column never changes.
        return self

    def __reduce__(self) -> Any:
        # Without what is remembered of the module.
        values = [getattr(self, f.name) for f in dataclasses.fields(self) if f.init]
        return type(self), tuple(values)


class SpecColumn(ModuleColumn, feature_columns.DenseColumnOfV1):
    """A column on a module in TF1 Hub format, also for `tf.compat.v1.feature_column`."""

    module_spec_path: Any

    @functools.cached_property
    def module_spec(self) -> ModuleSpec:
        """What `module_spec_path` leads to."""
        return load_module_spec(self.module_spec_path)

    def instantiate(self, trainable: bool) -> Any:
        with tf.init_scope():
            is_eager = tf.executing_eagerly()
        return (KerasLayer if is_eager else Module)(self.module_spec, trainable=trainable)

    @property
    def variable_shape(self) -> tf.TensorShape:
        return self.module_spec.get_output_info_dict()["default"].get_shape()[1:]

    def v1_feature(self, inputs: Any) -> Any:
        return inputs.get(self.key)

    def v1_values(self, inputs: Any, trainable: bool) -> tf.Tensor:
        module = Module(self.module_spec, bool(self.trainable and trainable))
        return self.apply(module, inputs.get(self))


def _trainable_variables(module: Any) -> list[Any]:
    if isinstance(module, Module):
        return tf.compat.v1.trainable_variables()
    return module.trainable_variables


def check_key(key: Any) -> None:
    """Raises unless a column may be made of that key.

    Raises:
        InputTypeError: It is neither a name nor a column.
    """
    if not isinstance(key, str) and not hasattr(key, "parse_example_spec"):
        raise InputTypeError(
            f"The `key` of a feature column is the name of a feature, or a column; found {key!r}."
        )


def as_text_batch(value: Any, column: str) -> tf.Tensor:
    """The texts of a batch, from a tensor with one text for each example.

    Raises:
        InputTypeError: It has several for each example, or is sparse.
    """
    if not isinstance(value, tf.Tensor) or value.shape[1:].num_elements() not in (None, 1):
        raise InputTypeError(
            f"The feature column {column!r} takes one string for each example, found a "
            f"{type(value).__name__} of the shape {value.shape}. For several there is "
            "compat_hub.sparse_text_embedding_column()."
        )
    return tf.reshape(value, [-1])


def _describe(value: Any) -> Any:
    """A path in the place of what it leads to."""
    if isinstance(value, ModuleSpec):
        if value.path is None or not is_module_directory(value.path):
            raise ConfigError(
                f"A feature column of a module that is in no folder ({value.handle!r}) has no "
                "config. Export the module, and make the column from the folder."
            )
        return value.handle
    return os.fspath(value) if isinstance(value, os.PathLike) else value
