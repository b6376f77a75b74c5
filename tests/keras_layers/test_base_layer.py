"""What the layers of both Keras are alike in; test_keras2.py and test_keras3.py have the rest."""

from __future__ import annotations

import inspect
import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub import keras2, keras3
from tests.records import FIXTURES

X = np.random.default_rng(3).normal(size=[8, 5]).astype("float32")
HPARAMS = FIXTURES / "hparams" / "module"
LAYERS = pytest.mark.parametrize(
    "layer_class", [keras2.KerasLayer, keras3.KerasLayer], ids=["tf_keras", "keras"]
)


def test_they_take_the_same_arguments() -> None:
    parameters = [
        inspect.signature(layer_class.__init__).parameters
        for layer_class in (keras2.KerasLayer, keras3.KerasLayer)
    ]
    assert parameters[0] == parameters[1]
    assert list(parameters[0])[:4] == ["self", "handle", "trainable", "arguments"]


@LAYERS
def test_arguments_and_where_they_go(layer_class: Any) -> None:
    layer = layer_class(
        HPARAMS,
        True,
        {"batch_norm_momentum": 0.5},
        "train",
        "with_momentum",
        output_shape=(5,),
        train_only="gamma",
        load_options=tf.saved_model.LoadOptions(experimental_io_device="/job:localhost"),
        name="hub",
    )
    config = json.loads(json.dumps(layer.get_config()))
    expected = {
        "handle": str(HPARAMS),
        "trainable": True,
        "arguments": {"batch_norm_momentum": 0.5},
        "tags": ["train"],
        "signature": "with_momentum",
        "output_shape": [5],
        "train_only": "gamma",
        "load_options": {"experimental_io_device": "/job:localhost"},
        "name": "hub",
    }
    assert {key: config[key] for key in expected} == expected
    again = layer_class.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    np.testing.assert_array_equal(again(X), layer(X))


@LAYERS
def test_a_training_call(layer_class: Any) -> None:
    layer = layer_class(HPARAMS, trainable=True)
    mean = layer.resolved_object.variable_map["moving_mean"]
    before = mean.numpy()
    layer(X, training=True)
    np.testing.assert_allclose(mean, 0.9 * before + 0.1 * X.mean(0), rtol=1e-4, atol=1e-6)
    layer.trainable = False
    before = mean.numpy()
    layer(X, training=True)
    np.testing.assert_array_equal(mean, before)


@LAYERS
def test_the_output_s_shape(layer_class: Any) -> None:
    layer = layer_class(HPARAMS, output_shape=(4,))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[8,4\]"):
        layer(tf.constant(X))
    assert list(layer.compute_output_shape((None, 5))) == [None, 4]
    assert list(layer_class(HPARAMS).compute_output_shape((None, 5))) == [None, 5]


@LAYERS
def test_weights_go_by_name(layer_class: Any) -> None:
    layer = layer_class(HPARAMS, trainable=True)
    assert list(layer.adopted_weights) == ["gamma", "moving_mean", "moving_variance"]
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    assert set(store) == {"gamma", "moving_mean", "moving_variance"}
    store["gamma"] = np.zeros(5)
    layer.load_own_variables(store)
    assert layer.get_weights()[0].tolist() == [0] * 5
    with pytest.raises(compat_hub.CheckpointError, match="missing"):
        layer.load_own_variables({"gamma": np.zeros(5)})
