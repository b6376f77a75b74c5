"""Keras models on modules, and their `fit` in replicas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2
from tests.distribute.steps import STEPS, Values, inputs_of, values_of
from tests.records import FIXTURES, Record

EPOCHS = 3
BATCH = 8  # of all replicas together
BATCHES = 2
# With a table, and with a regularization loss; neither has statistics of batches.
MODULES = ("text_table", "fruit")


def make_model(name: str) -> tf_keras.Model:
    """A model with a trainable layer, made in the scope around."""
    layer = keras2.KerasLayer(str(FIXTURES / name / "module"), trainable=True)
    model = tf_keras.Sequential([layer, tf_keras.layers.Dense(2, kernel_initializer="ones")])
    model.compile(tf_keras.optimizers.SGD(0.05, momentum=0.5), "mse")
    return model


def make_data(name: str) -> tf.data.Dataset:
    """Batches for it, in an order that does not change."""
    generator = np.random.RandomState(0)
    count = BATCH * BATCHES
    if name == "text_table":
        words = ["a", "cat", "the", "dog", "sat", "unknown"]
        x: Any = np.array([" ".join(generator.choice(words, 3)) for _ in range(count)])
    else:
        x = generator.normal(size=[count, 5]).astype("float32")
    y = generator.normal(size=[count, 2]).astype("float32")
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH).with_options(options)


def fit(model: tf_keras.Model, name: str, callbacks: Sequence[Any] = ()) -> Values:
    """Trains it, and gives the values of all its weights; the losses are among them."""
    history = model.fit(make_data(name), epochs=EPOCHS, verbose=0, callbacks=[*callbacks])
    dense = model.layers[-1]
    return {
        **values_of(model.layers[0].resolved_object),
        "dense/kernel": dense.kernel.numpy(),
        "dense/bias": dense.bias.numpy(),
        "last loss": np.asarray(history.history["loss"][-1]),
    }


class _PartOfSumOfSquares(tf_keras.losses.Loss):
    """A replica's part of the loss that a record is of."""

    def __init__(self, replicas: int) -> None:
        super().__init__(reduction="sum")
        self._replicas = replicas

    def call(self, _: Any, outputs: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.square(outputs)) / tf.cast(self._replicas, outputs.dtype)


def fit_in(strategy: tf.distribute.Strategy, record: Record) -> compat_hub.HubModule:
    """Trains a layer on a module with `fit` in the replicas of a strategy, as `train_in` does."""
    train = record.train
    replicas = strategy.num_replicas_in_sync

    class Model(tf_keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.layer = keras2.KerasLayer(
                record.path,
                trainable=True,
                tags=train["tags"],
                signature=train["signature"],
                signature_outputs_as_dict=True,
            )

        def call(self, inputs: Any) -> Any:
            outputs = self.layer(inputs)
            return {name: outputs[name] for name in train["outputs"]}

    with strategy.scope():
        model = Model()
        loss = {name: _PartOfSumOfSquares(replicas) for name in train["outputs"]}
        model.compile(tf_keras.optimizers.SGD(train["learning_rate"]), loss=loss)

    def make_data(_: Any) -> tf.data.Dataset:
        targets = {name: tf.zeros([1, 1]) for name in train["outputs"]}
        batches = [
            tf.data.Dataset.from_tensors((inputs_of(record, k), targets)) for k in range(replicas)
        ]
        return batches[0].concatenate(batches[1]).repeat()

    # Each replica takes the next element: the first one what is recorded, and so on.
    data = strategy.distribute_datasets_from_function(make_data)
    model.fit(data, epochs=1, steps_per_epoch=STEPS, verbose=0)
    return model.layer.resolved_object
