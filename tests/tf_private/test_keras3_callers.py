"""A HubModule in a layer of Keras 3 that somebody wrote, which finds no variables in it."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.tf_private.keras3_callers import UntrackedVariablesWarning
from tests.records import FIXTURES, Record

RECORD = Record(FIXTURES / "outputs_of_their_own_variables")
X = RECORD.inputs("default")["default"]


class Custom(keras.layers.Layer):
    """What a person writes who has a module and Keras 3."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def call(self, x: Any) -> Any:
        return self.inner(x)


def _fit(layer: keras.layers.Layer) -> keras.Model:
    model = keras.Sequential([keras.Input([3]), layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, tf.ones([4, 1]), epochs=2, verbose=0)
    return model


def test_fit_says_once_that_nothing_of_it_trains() -> None:
    module = compat_hub.load(RECORD.path)
    before = module.variable_map["trunk"].numpy()
    with pytest.warns(UntrackedVariablesWarning, match=r"keras3\.KerasLayer\(module") as caught:
        model = _fit(Custom(module))
    assert RECORD.path in str(caught[0].message)
    assert len(model.trainable_variables) == 2
    assert (module.variable_map["trunk"].numpy() == before).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, tf.ones([4, 1]), verbose=0)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # of the outputs that nobody uses
def test_the_layer_that_it_names_trains() -> None:
    module = compat_hub.load(RECORD.path)
    before = module.variable_map["trunk"].numpy()
    model = _fit(Custom(compat_hub.keras3.KerasLayer(module, trainable=True)))
    assert len(model.trainable_variables) == 2 + len(module.trainable_variables)
    assert (module.variable_map["trunk"].numpy() != before).any()


def test_other_calls_say_nothing() -> None:
    module = compat_hub.load(RECORD.path)
    model = keras.Sequential([keras.Input([3]), Custom(module)])
    model.predict(X, verbose=0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(module(X, training=True))
    assert any(g is not None for g in tape.gradient(loss, module.trainable_variables))
