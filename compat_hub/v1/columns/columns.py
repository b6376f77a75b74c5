"""Feature columns of modules in TF1 Hub format: text, several texts, images."""

from __future__ import annotations

import dataclasses
import operator
import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from compat_hub.errors import InputTypeError, SignatureError
from compat_hub.format.spec import ModuleSpec
from compat_hub.format.tensor_info import TensorInfo
from compat_hub.tf_private import feature_columns
from compat_hub.v1.columns.base import SpecColumn, as_text_batch, check_key
from compat_hub.v1.image_modules import get_expected_image_size, get_num_image_channels

_COMBINERS = {
    "mean": tf.math.unsorted_segment_mean,
    "sqrtn": tf.math.unsorted_segment_sqrt_n,
    "sum": tf.math.unsorted_segment_sum,
}
_RGB = 3


def text_embedding_column(
    key: Any, module_spec: ModuleSpec | str | os.PathLike[str], trainable: bool = False
) -> Any:
    """A feature column that embeds one text of each example.

    Examples:
        >>> import tf_keras
        >>> comment = compat_hub.text_embedding_column("comment", "path/to/text_module")
        >>> features = {"comment": tf.constant(["so easy", "much fun"])}
        >>> tf_keras.layers.DenseFeatures([comment])(features).shape
        TensorShape([2, 4])
        >>> with tf.Graph().as_default():
        ...     features = {"comment": tf.constant(["so easy", "much fun"])}
        ...     layer = tf.compat.v1.feature_column.input_layer(features, [comment])
        >>> layer.shape
        TensorShape([None, 4])

    A Keras model that was saved with such a column finds it once `text_embedding_column` has been
    imported.

    Args:
        key: The name of a feature of strings, `[batch]` or `[batch, 1]`, or a column that gives
            such.
        module_spec: A `ModuleSpec`, or a handle as `load_module_spec` takes it. Its default
            signature takes string `[None]` and gives float32 `[None, size]`.
        trainable: Whether the module trains where the layer that the column is in does. Its
            weights are frozen otherwise.

    Returns:
        A column with values float32 `[batch, size]`.

    Raises:
        SignatureError: The module does something else.
        ModuleFormatError: What the handle leads to is not a module.
        ResolveError: The handle leads nowhere.
    """
    return _TextEmbeddingColumn(key, module_spec, trainable)


def sparse_text_embedding_column(
    key: Any,
    module_spec: ModuleSpec | str | os.PathLike[str],
    combiner: str,
    default_value: str | None,
    trainable: bool = False,
) -> Any:
    """A feature column that embeds all texts of each example, and combines them.

    Examples:
        >>> words = compat_hub.sparse_text_embedding_column(
        ...     "words", "path/to/text_module", combiner="mean", default_value=""
        ... )
        >>> with tf.Graph().as_default():
        ...     features = {"words": tf.sparse.from_dense([["so", "easy"], ["fun", ""]])}
        ...     layer = tf.compat.v1.feature_column.input_layer(features, [words])
        >>> layer.shape
        TensorShape([2, 4])

    Args:
        key: The name of a feature of strings, sparse `[batch, texts]`, or a column that gives such.
        module_spec: As for `text_embedding_column`.
        combiner: How the vectors of an example are combined: `"mean"`, `"sum"`, or `"sqrtn"`, their
            sum divided by the square root of their number.
        default_value: The text of an example that has none. With None its vector is zero.
        trainable: As for `text_embedding_column`.

    Returns:
        A column with values float32 `[batch, size]`.

    Raises:
        SignatureError: The module does something else, or there is no such combiner.
        ModuleFormatError: What the handle leads to is not a module.
        ResolveError: The handle leads nowhere.
    """
    return _SparseTextEmbeddingColumn(key, combiner, module_spec, default_value, trainable)


def image_embedding_column(
    key: Any,
    module_spec: ModuleSpec | str | os.PathLike[str],
    image_size: Sequence[int] | None = None,
) -> Any:
    """A feature column that embeds one image of each example. The module does not train.

    Examples:
        >>> photo = compat_hub.image_embedding_column("photo", "path/to/image_module")
        >>> height, width = compat_hub.get_expected_image_size(photo.module_spec)
        >>> with tf.Graph().as_default():
        ...     features = {"photo": tf.zeros([8, height, width, 3])}
        ...     layer = tf.compat.v1.feature_column.input_layer(features, [photo])
        >>> layer.shape
        TensorShape([8, 4])

    Args:
        key: The name of a feature of images, float32 `[batch, height, width, channels]` with values
            from 0 to 1, or a column that gives such.
        module_spec: A `ModuleSpec`, or a handle as `load_module_spec` takes it. Its default
            signature has the one input `images`, and gives float32 `[None, size]`.
        image_size: The height and width of the images, in pixels, where the module takes several;
            those that `get_expected_image_size` gives when None.

    Returns:
        A column with values float32 `[batch, size]`.

    Raises:
        SignatureError: The module does something else, or does not tell its image size, or takes
            none of that size.
        ModuleFormatError: What the handle leads to is not a module.
        ResolveError: The handle leads nowhere.
    """
    return _ImageEmbeddingColumn(key, module_spec, image_size)


# The classes and their fields have the names by which tensorflow_hub's configs know them.


@feature_columns.register_feature_column
@dataclasses.dataclass(frozen=True)
class _TextEmbeddingColumn(SpecColumn):
    key: Any
    module_spec_path: Any
    trainable: bool = False

    def __post_init__(self) -> None:
        check_key(self.key)
        _check_text_embedding(self.module_spec)

    @property
    def feature_spec(self) -> Any:
        return tf.io.FixedLenFeature([1], tf.string)

    def apply(self, module: Any, value: Any) -> tf.Tensor:
        return module(as_text_batch(value, self.name))


@feature_columns.register_feature_column
@dataclasses.dataclass(frozen=True)
class _SparseTextEmbeddingColumn(SpecColumn):
    key: Any
    combiner: str
    module_spec_path: Any
    default_value: str | None
    trainable: bool = False

    def __post_init__(self) -> None:
        check_key(self.key)
        _check_text_embedding(self.module_spec)
        if self.combiner not in _COMBINERS:
            raise SignatureError(
                f"`combiner` has to be one of {', '.join(map(repr, _COMBINERS))}, found "
                f"{self.combiner!r}."
            )

    @property
    def feature_spec(self) -> Any:
        return tf.io.VarLenFeature(tf.string)

    def apply(self, module: Any, value: Any) -> tf.Tensor:
        if not isinstance(value, tf.SparseTensor):
            raise InputTypeError(
                f"The feature column {self.name!r} takes a SparseTensor, found a "
                f"{type(value).__name__}. For one string for each example there is "
                "compat_hub.text_embedding_column()."
            )
        if self.default_value is not None:
            value, _ = tf.sparse.fill_empty_rows(value, self.default_value)
        rows, count = value.indices[:, 0], value.dense_shape[0]
        return _COMBINERS[self.combiner](module(value.values), rows, count)


@feature_columns.register_feature_column
@dataclasses.dataclass(frozen=True)
class _ImageEmbeddingColumn(SpecColumn):
    key: Any
    module_spec_path: Any
    image_size: Any = None

    def __post_init__(self) -> None:
        check_key(self.key)
        if self.image_size is not None:
            # A list, as JSON has it, could not be hashed.
            object.__setattr__(self, "image_size", _as_size(self.image_size))
        _check_image_embedding(self.module_spec, self.image_size)

    @property
    def feature_spec(self) -> Any:
        size = self.image_size or get_expected_image_size(self.module_spec)
        try:
            channels = get_num_image_channels(self.module_spec)
        except SignatureError:
            channels = _RGB
        return tf.io.FixedLenFeature([*size, channels], tf.float32)

    def apply(self, module: Any, value: Any) -> tf.Tensor:
        return module({"images": value})


def _as_size(value: Any) -> tuple[int, int]:
    try:
        height, width = (operator.index(v) for v in value)
    except (TypeError, ValueError):
        height = width = 0
    if height <= 0 or width <= 0:
        raise SignatureError(
            f"`image_size` has to be a height and a width in pixels, found {value!r}."
        )
    return height, width


def _check_text_embedding(spec: ModuleSpec) -> None:
    problems = []
    inputs = spec.get_input_info_dict()
    if len(inputs) != 1 or not _is_texts(next(iter(inputs.values()))):
        problems.append(f"its one input has to be string [None], found {_format(inputs)}")
    _raise_unless_embedding(spec, problems, "a text embedding")


def _check_image_embedding(spec: ModuleSpec, size: Any) -> None:
    problems = []
    inputs = spec.get_input_info_dict()
    if list(inputs) != ["images"] or inputs["images"].dtype != tf.float32:
        problems.append(f"its one input has to be 'images': float32, found {_format(inputs)}")
    elif size is None:
        try:
            get_expected_image_size(spec)
        except SignatureError as error:
            problems.append(f"{error} Pass it as `image_size`")
    elif not inputs["images"].get_shape().is_compatible_with([None, *size, None]):
        problems.append(f"its input is {_format(inputs)}, which image_size={size} does not fit")
    _raise_unless_embedding(spec, problems, "an image embedding")


def _raise_unless_embedding(spec: ModuleSpec, problems: list[str], kind: str) -> None:
    outputs = spec.get_output_info_dict()
    if "default" not in outputs or not _is_embedding(outputs["default"]):
        problems.append(
            "it needs an output 'default': float32 [None, size] with a known size, found "
            f"{_format(outputs)}"
        )
    if problems:
        raise SignatureError(
            f"The default signature of the module {spec.handle!r} cannot be used as {kind}: "
            f"{'; '.join(problems)}. Use a module that fits, or apply this one yourself."
        )


def _is_texts(info: TensorInfo) -> bool:
    return not info.is_composite and info.dtype == tf.string and _sizes(info) == [None]


def _is_embedding(info: TensorInfo) -> bool:
    sizes = _sizes(info)
    is_dense = not info.is_composite and info.dtype == tf.float32
    return is_dense and len(sizes) == 2 and bool(sizes[1])


def _sizes(info: TensorInfo) -> list[int | None]:
    """None for each that is not known; an empty list where the rank is not."""
    return info.get_shape().as_list() if info.get_shape().rank is not None else []


def _format(infos: dict[str, TensorInfo]) -> str:
    return ", ".join(f"{name!r}: {info}" for name, info in infos.items()) or "none"
