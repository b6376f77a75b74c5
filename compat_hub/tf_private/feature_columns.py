"""Feature columns (`tensorflow.python.feature_column`).

All of it was seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tensorflow as tf
from tensorflow.python.feature_column import (
    feature_column,
    feature_column_v2,
    serialization,
)

_Column: Any = feature_column_v2.DenseColumn
_ColumnOfV1: Any = feature_column._DenseColumn


class DenseColumn(_Column):
    """The base class of feature columns for Keras' DenseFeatures."""

    @property
    def is_v2_column(self) -> bool:
        """Whether it is of the newer generation only, with all columns that it is made of."""
        raise NotImplementedError

    @property
    def _is_v2_column(self) -> bool:
        return self.is_v2_column


class DenseColumnOfV1(_ColumnOfV1):
    """The base class of feature columns for `tf.compat.v1.feature_column`."""

    @property
    def variable_shape(self) -> tf.TensorShape:
        """The shape of the column's values for one example."""
        raise NotImplementedError

    @property
    def parse_example_spec(self) -> dict[str, Any]:
        """How `tf.io.parse_example` reads the features."""
        raise NotImplementedError

    def v1_feature(self, inputs: Any) -> Any:
        """The feature's value, from what TensorFlow has of all columns."""
        raise NotImplementedError

    def v1_values(self, inputs: Any, trainable: bool) -> tf.Tensor:
        """The column's values."""
        raise NotImplementedError

    @property
    def _variable_shape(self) -> tf.TensorShape:
        return self.variable_shape

    @property
    def _parse_example_spec(self) -> dict[str, Any]:
        return self.parse_example_spec

    def _transform_feature(self, inputs: Any) -> Any:
        return self.v1_feature(inputs)

    def _get_dense_tensor(
        self, inputs: Any, weight_collections: Any = None, trainable: Any = None
    ) -> tf.Tensor:
        del weight_collections  # a module says itself which collections its variables are in
        return self.v1_values(inputs, bool(trainable))


def register_feature_column(column_class: Any) -> Any:
    """Lets layers that were saved with such a column find its class without `custom_objects`."""
    return serialization.register_feature_column(column_class)


def serialize_feature_column(column: Any) -> Any:
    """A column, or the name of a feature, as a config: TensorFlow has this for Keras only."""
    return serialization.serialize_feature_column(column)


def deserialize_feature_column(config: Any, custom_objects: Any, columns_by_name: Any) -> Any:
    """A column, or the name of a feature, from its config."""
    return serialization.deserialize_feature_column(config, custom_objects, columns_by_name)


def is_feature_column_v2(column: Any) -> bool:
    """Whether a feature column is of the newer generation."""
    return feature_column_v2.is_feature_column_v2([column])


def makes_trainable_columns(state_manager: Any) -> bool:
    """Whether the layer that a feature column makes its state for is trainable."""
    return state_manager._trainable


def add_column_weights(
    state_manager: Any, column: Any, variables: Iterable[Any], trainable: Iterable[Any]
) -> None:
    """Makes variables of a column weights of the layer that the column is in.

    A column can make variables, but not bring them. Keras does not save the weights of what it is
    given as a column's resource in its own format, nor initialize them in a session.
    """
    trained = {id(v) for v in trainable}
    for k, variable in enumerate(variables):
        state_manager._layer.add_weight(
            # Checkpoints know it by this name; the variable's own depends on what else there is.
            name=f"{column.name}/{k}",
            shape=variable.shape,
            dtype=variable.dtype.base_dtype,
            trainable=id(variable) in trained,
            experimental_autocast=False,
            getter=lambda *_, variable=variable, **__: variable,
        )
