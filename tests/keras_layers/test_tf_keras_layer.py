"""What the layer of tf_keras does that Keras 3 has no place for; test_layer.py has the rest."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tf_keras

from compat_hub import keras2
from tests.keras_layers.kits import path_of


def test_an_input_shape() -> None:
    layer = keras2.KerasLayer(path_of("text_table"), input_shape=[], dtype=tf.string)
    model = tf_keras.Sequential([layer, tf_keras.layers.Dense(1)])
    assert model.output_shape == (None, 1)
    found = model.predict(tf.constant(["judge my vow", "vow"]), verbose=0)
    assert found.shape == (2, 1)


def test_weights_of_every_dtype() -> None:
    layer = keras2.KerasLayer(path_of("dtypes"), signature_outputs_as_dict=True)
    variables = layer.resolved_object.variables
    assert {w.dtype for w in layer.weights} == {v.dtype for v in variables}
    assert len(layer.weights) == 8
    for weight in layer.weights:
        weight.assign(weight.read_value())


def test_output_shapes_are_tensor_shapes() -> None:
    layer = keras2.KerasLayer(path_of("hparams"))
    assert isinstance(layer.compute_output_shape((None, 5)), tf.TensorShape)
    np.testing.assert_equal(layer.compute_output_shape((None, 5)).as_list(), [None, 5])
