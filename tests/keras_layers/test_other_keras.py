"""What a person sees who takes the layer of the one Keras for the other."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2, keras3
from tests.records import FIXTURES

HPARAMS = FIXTURES / "hparams" / "module"


def _layers(**options: Any) -> tuple[keras2.KerasLayer, keras3.KerasLayer]:
    return keras2.KerasLayer(HPARAMS, **options), keras3.KerasLayer(HPARAMS, **options)


def test_in_a_sequential_model() -> None:
    for_tf_keras, for_keras = _layers(name="hub")
    with pytest.raises(ValueError, match=r"Only instances of `keras\.Layer`") as caught:
        keras.Sequential([for_tf_keras])
    assert "Received: <KerasLayer 'hub' on" in str(caught.value)
    assert "a model of Keras 3 takes a compat_hub.keras3.KerasLayer>" in str(caught.value)
    with pytest.raises(TypeError, match="must be an instance of class Layer") as caught:
        tf_keras.Sequential([for_keras])
    assert "Received: layer=<KerasLayer 'hub' on" in str(caught.value)
    assert "a model of tf_keras takes a compat_hub.keras2.KerasLayer>" in str(caught.value)


@pytest.mark.parametrize("in_a_dict", [False, True], ids=["tensor", "dict"])
def test_in_a_functional_model(in_a_dict: bool) -> None:
    for_tf_keras, for_keras = _layers(name="hub")
    x: Any = keras.Input([5])
    with pytest.raises(compat_hub.InputTypeError) as caught:
        for_tf_keras({"x": x} if in_a_dict else x)
    assert (
        "The KerasLayer 'hub' is one for tf_keras, and is called on a symbolic tensor of Keras 3. "
        "Use compat_hub.keras3.KerasLayer, which takes the same arguments, or make the model with "
        "tf_keras. `tf.keras` is Keras 3 unless the environment has TF_USE_LEGACY_KERAS=1."
    ) in str(caught.value)
    x = tf_keras.Input([5])
    with pytest.raises(compat_hub.InputTypeError) as caught:
        for_keras({"x": x} if in_a_dict else x)
    assert (
        "The KerasLayer 'hub' is one for Keras 3, and is called on a symbolic tensor of tf_keras. "
        "Use compat_hub.keras2.KerasLayer, which takes the same arguments, or make the model with "
        "keras."
    ) in str(caught.value)


def _wrap(kit: Any, layer: Any) -> Any:
    class Model(kit.Model):
        def call(self, inputs: Any) -> Any:
            return layer(inputs)

    return Model()


def test_in_a_subclassed_model() -> None:
    for kit, layer in zip((keras, tf_keras), _layers(trainable=True), strict=True):
        with pytest.raises(compat_hub.InputTypeError, match="would not train its weights"):
            _wrap(kit, layer)(tf.ones([2, 5]))
        layer(tf.ones([2, 5]))  # no model is calling any more
    # What is frozen runs anywhere.
    for kit, layer in zip((keras, tf_keras), _layers(), strict=True):
        assert _wrap(kit, layer)(tf.ones([2, 5])).shape == [2, 5]
