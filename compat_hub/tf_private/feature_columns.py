"""Feature columns (`tensorflow.python.feature_column`).

All of it was seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def dense_column_classes() -> tuple[Any, Any]:
    """What a feature column derives from, to be taken by the functions of either generation.

    The first is for Keras' DenseFeatures, the second for `tf.compat.v1.feature_column`.
    """
    from tensorflow.python.feature_column import feature_column, feature_column_v2  # noqa: PLC0415

    return feature_column_v2.DenseColumn, feature_column._DenseColumn


def register_feature_column(column_class: Any) -> Any:
    """Lets layers that were saved with such a column find its class without `custom_objects`."""
    from tensorflow.python.feature_column import serialization  # noqa: PLC0415

    return serialization.register_feature_column(column_class)


def serialize_feature_column(column: Any) -> Any:
    """A column, or the name of a feature, as a config: TensorFlow has this for Keras only."""
    from tensorflow.python.feature_column import serialization  # noqa: PLC0415

    return serialization.serialize_feature_column(column)


def deserialize_feature_column(config: Any, custom_objects: Any, columns_by_name: Any) -> Any:
    """A column, or the name of a feature, from its config."""
    from tensorflow.python.feature_column import serialization  # noqa: PLC0415

    return serialization.deserialize_feature_column(config, custom_objects, columns_by_name)


def is_feature_column_v2(column: Any) -> bool:
    """Whether a feature column is of the newer generation."""
    from tensorflow.python.feature_column import feature_column_v2  # noqa: PLC0415

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
