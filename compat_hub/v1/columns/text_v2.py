"""`text_embedding_column_v2`: a feature column of a SavedModel or a module in TF1 Hub format."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from compat_hub.errors import GraphError, SignatureError
from compat_hub.format.spec import ModuleSpec, is_module_directory
from compat_hub.keras_layers.tf_keras_layer import KerasLayer
from compat_hub.sources.resolve import resolve
from compat_hub.tf_private import feature_columns
from compat_hub.v1.columns.base import ModuleColumn, as_text_batch, check_key


def text_embedding_column_v2(
    key: Any,
    module_path: ModuleSpec | str | os.PathLike[str],
    output_key: str | None = None,
    trainable: bool = False,
) -> Any:
    """A feature column that embeds one text of each example, for Keras.

    Examples:
        >>> import tf_keras
        >>> comment = compat_hub.text_embedding_column_v2("comment", "path/to/text_module")
        >>> model = tf_keras.Sequential([
        ...     tf_keras.layers.DenseFeatures([comment]), tf_keras.layers.Dense(1),
        ... ])
        >>> model({"comment": tf.constant(["so easy", "much fun"])}).shape
        TensorShape([2, 1])

    The module is loaded when a layer makes the column's state.

    Args:
        key: The name of a feature of strings, `[batch]` or `[batch, 1]`, or a column that gives
            such.
        module_path: The path of a SavedModel or of a module in TF1 Hub format, which takes string
            `[None]` and gives float32 `[None, size]`.
        output_key: The name of the output, where there are several.
        trainable: Whether the module trains where the layer that the column is in does. Its
            weights are frozen otherwise.

    Returns:
        A column with values float32 `[batch, size]`.

    Raises:
        InputTypeError: `key` is neither a name nor a column.
    """
    return _TextEmbeddingColumnV2(key, module_path, output_key, trainable)


@feature_columns.register_feature_column
@dataclasses.dataclass(frozen=True)
class _TextEmbeddingColumnV2(ModuleColumn):
    key: Any
    module_path: Any
    output_key: str | None = None
    trainable: bool = False
    _shape: Any = dataclasses.field(default=None, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_key(self.key)

    @property
    def feature_spec(self) -> Any:
        return tf.io.FixedLenFeature([1], tf.string)

    @property
    def variable_shape(self) -> tf.TensorShape:
        if self._shape is None:
            self.instantiate(trainable=False)
        shape: Any = self._shape
        return shape

    def instantiate(self, trainable: bool) -> Any:
        with tf.init_scope():
            is_eager = tf.executing_eagerly()
        if not is_eager and _is_module(self.module_path):
            raise GraphError(
                f"The feature column {self.name!r} is for programs of TF2. In a graph of TF1 use "
                f"compat_hub.text_embedding_column() for the module {self.module_path!r}."
            )
        layer = KerasLayer(
            self.module_path, trainable=trainable, output_key=self.output_key, dtype=tf.string
        )
        # TensorFlow knows columns as configuration only, and asks for the shape later.
        object.__setattr__(self, "_shape", self._find_shape(layer))
        return layer

    def apply(self, module: Any, value: Any) -> tf.Tensor:
        return module(as_text_batch(value, self.name))

    def _find_shape(self, layer: KerasLayer) -> tf.TensorShape:
        what = f"The feature column {self.name!r} on {self.module_path!r}"
        try:
            shape = layer.compute_output_shape([None])
        except (TypeError, ValueError) as error:
            raise SignatureError(
                f"{what}: the module cannot be called with one string [None]: {error}"
            ) from error
        if not isinstance(shape, tf.TensorShape):
            names = sorted(shape) if isinstance(shape, Mapping) else f"a {type(shape).__name__}"
            raise SignatureError(
                f"{what}: the module gives several outputs, {names}. Pass the name of one as "
                "`output_key`."
            )
        if shape.rank != 2 or not shape.as_list()[1]:
            raise SignatureError(
                f"{what}: the output has to be [None, size] with a known size, found {shape}."
            )
        return shape[1:]


def _is_module(handle: Any) -> bool:
    return isinstance(handle, ModuleSpec) or is_module_directory(resolve(handle))
