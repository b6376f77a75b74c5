"""`compat_hub.keras2.KerasLayer`: the layer for tf_keras."""

from compat_hub.keras_layers.tf_keras_layer import (
    KerasLayer,
)

__all__ = ["KerasLayer"]
