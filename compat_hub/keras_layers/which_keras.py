"""Which Keras `tf.keras` is in the running environment, and so which layer is `KerasLayer`."""

from __future__ import annotations


def home_of_keras_layer() -> str:
    """The module with the layer for the Keras that `tf.keras` is.

    It is Keras 3, unless the environment had TF_USE_LEGACY_KERAS=1 when TensorFlow was imported:
    then it is tf_keras.
    """
    import tensorflow as tf  # noqa: PLC0415

    package = tf.keras.layers.Layer.__module__.partition(".")[0]
    return "compat_hub.keras2" if package == "tf_keras" else "compat_hub.keras3"
