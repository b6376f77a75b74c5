"""`compat_hub.keras3.KerasLayer`: the layer for Keras 3."""

from compat_hub.keras_layers.keras3_layer import (
    KerasLayer,
)

__all__ = ["KerasLayer"]
