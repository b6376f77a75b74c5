"""tensorflow_hub's own KerasLayer, in tf_keras' `fit`, on a converted module."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_hub as hub
import tf_keras

from tests.records import assert_close, value_of
from tests.roads.cases import Case, UnableError


class _SquaredOutputs(tf_keras.Model):
    """The model whose training the records describe: its loss is the sum of squares."""

    def __init__(self, layer: Any, names: list[str]) -> None:
        super().__init__(autocast=False)  # Keras casts floats to float32 else
        self.layer = layer
        self.names = names

    def call(self, inputs: Any, training: Any = None) -> tf.Tensor:
        result = self.layer(inputs, training=training)
        outputs = result if isinstance(result, dict) else {"default": result}
        squares = [tf.reduce_sum(tf.square(outputs[name])) for name in self.names]
        self.add_loss(tf.add_n([tf.cast(square, tf.float32) for square in squares]))
        return squares[0]


def check(case: Case) -> str:
    """Trains as the record says, and compares all variables."""
    facts, train = case.facts.get("train"), case.record.train
    if not facts or not train:
        raise UnableError("no record of training")
    if "unable" in facts:
        raise UnableError(facts["unable"])
    inputs = {
        name: tf.cast(value, dtype) if dtype != "string" else value
        for name, value in case.record.inputs(train["signature"]).items()
        for dtype in [facts["dtypes"][name]]
    }
    hyper = {n: inputs.pop(n) for n in facts["hyperparameters"]}
    hyper.pop("training", None)  # the layer gives it
    layer = hub.KerasLayer(case.trained, trainable=True, arguments=hyper, autocast=False)
    model = _SquaredOutputs(layer, facts["outputs"])
    model.compile(tf_keras.optimizers.SGD(train["learning_rate"]))
    dataset = tf.data.Dataset.from_tensors((inputs,)).repeat(train["steps"])
    model.fit(dataset, epochs=1, verbose=0)
    own = case.trained_variables()
    expected = own or case.record.variables(train["steps"])
    variables = layer.resolved_object.variables
    for key, places in facts["variables"].items():
        found = [variables[k] for k in places]
        value = value_of(found if len(found) > 1 else found[0])
        assert_close(value, expected[key], case.record.step_tolerance, f"{key} after training")
    return "on the output `default` only, as compat_hub trains it" if own else ""
