"""Every module trains as hub.Module under TF 1.15 did, step by step."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2, keras3
from tests.records import FIXTURES, Record, assert_close, value_of


def _check_variables(record: Record, step: int, module: compat_hub.HubModule) -> None:
    expected = record.variables(step)
    assert expected
    for key, value in expected.items():
        found = value_of(module.variable_map[key])
        assert_close(found, value, record.step_tolerance, f"{key} after step {step}")


def _apply(variable: tf.Variable, gradient, learning_rate: float) -> None:
    if gradient is not None:
        rate = tf.cast(learning_rate, variable.dtype)
        variable.assign_sub(rate * tf.convert_to_tensor(gradient))


def _loss(record: Record, module: compat_hub.HubModule, training: bool) -> tf.Tensor:
    train = record.train
    result = module.call_signature(
        record.inputs(train["signature"]),
        train["signature"],
        training=training,
        losses=True,
    )
    terms = [tf.reduce_sum(tf.square(result.outputs[name])) for name in train["outputs"]]
    terms += [loss() for loss in module.regularization_losses] + result.losses
    return tf.add_n([tf.cast(term, terms[0].dtype) for term in terms])


def _inputs(record: Record, module: compat_hub.HubModule) -> dict[str, Any]:
    """The recorded inputs of the training, of the declared dtypes."""
    train = record.train
    infos = module.get_input_info_dict(train["signature"], train["tags"])
    return {
        name: value
        if isinstance(value, tf.SparseTensor | tf.RaggedTensor)
        else tf.convert_to_tensor(value, infos[name].dtype)
        for name, value in record.inputs(train["signature"]).items()
    }


@pytest.mark.parametrize("in_function", [False, True], ids=["eager", "tf.function"])
def test_a_gradient_tape(trained: Record, in_function: bool) -> None:
    train = trained.train
    module = compat_hub.load(trained.path, tags=train["tags"])
    names = {f"module/{name}" for name in module.state.trainable}
    assert names == set(train["trainable"])

    def step() -> None:
        with tf.GradientTape() as tape:
            loss = _loss(trained, module, training=True)
        variables = module.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            _apply(variable, gradient, train["learning_rate"])

    run = tf.function(step) if in_function else step
    for k in range(train["steps"]):
        if not train.get("loss_with_step"):
            loss = _loss(trained, module, training=False)
            assert_close(loss, trained.arrays[f"loss{k}"], 1e-4, f"loss before step {k + 1}")
        run()
        _check_variables(trained, k + 1, module)


def test_keras_fit(trained: Record) -> None:
    train = trained.train
    layer = keras2.KerasLayer(
        trained.path,
        trainable=True,
        tags=train["tags"],
        signature=train["signature"],
        signature_outputs_as_dict=True,
    )

    class Model(tf_keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def call(self, inputs):
            outputs = self.layer(inputs)
            return {name: outputs[name] for name in train["outputs"]}

    class SumOfSquares(tf_keras.losses.Loss):
        def call(self, _, outputs):
            return tf.reduce_sum(tf.square(outputs))

    class Check(tf_keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.step = 0

        def on_train_batch_end(self, batch, logs=None) -> None:
            self.step += 1
            _check_variables(trained, self.step, layer.resolved_object)

    inputs = _inputs(trained, layer.resolved_object)
    if not inputs:
        pytest.skip("Keras calls no layer without inputs")
    targets = {name: np.zeros([1, 1], np.float32) for name in train["outputs"]}
    data = tf.data.Dataset.from_tensors((inputs, targets))
    model = Model()
    model.compile(
        tf_keras.optimizers.SGD(train["learning_rate"]),
        loss={name: SumOfSquares(reduction="sum") for name in train["outputs"]},
    )
    check = Check()
    model.fit(data, epochs=train["steps"], callbacks=[check], verbose=0)
    assert check.step == train["steps"]


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables")
def test_keras3_fit(trained: Record) -> None:
    train = trained.train
    module = compat_hub.load(trained.path, tags=train["tags"])
    inputs = _inputs(trained, module)
    # Keras 3 takes the size of a batch from the first input, and has no batches of scalars.
    scalars = {n: v for n, v in inputs.items() if v.shape.rank == 0}
    inputs = {n: v for n, v in inputs.items() if n not in scalars}
    if not inputs:
        pytest.skip("Keras calls no layer without inputs")
    layer = keras3.KerasLayer(
        module,
        trainable=True,
        arguments=scalars,
        signature=train["signature"],
        signature_outputs_as_dict=True,
    )

    class Model(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer
            self.built = True  # or Keras traces a call for inference first

        def call(self, inputs, training=None):  # Keras 3 asks for the argument
            outputs = self.layer(inputs)
            return [outputs[name] for name in train["outputs"]]

        def compute_loss(self, x, y, y_pred, *_, **__):
            terms = [tf.reduce_sum(tf.square(output)) for output in y_pred] + self.losses
            return tf.add_n([tf.cast(term, terms[0].dtype) for term in terms])

    model = Model()
    model.compile(keras.optimizers.SGD(train["learning_rate"]), jit_compile=False)
    data = tf.data.Dataset.from_tensors(inputs)
    for k in range(train["steps"]):
        model.fit(data, shuffle=False, verbose=0)
        _check_variables(trained, k + 1, module)


@pytest.mark.parametrize("eager_first", [True, False], ids=["eager first", "function first"])
@pytest.mark.parametrize("name", ["while_in_while", "map_fn_many", "cond_in_while_in_cond"])
def test_one_module_eagerly_and_in_a_function(name: str, eager_first: bool) -> None:
    """TensorFlow changes loops while it takes gradients, in a way of its own in each."""
    record = Record(FIXTURES / name)
    assert record.train
    module = compat_hub.load(record.path, tags=record.train["tags"])
    variables = module.trainable_variables

    def gradients() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = _loss(record, module, training=False)
        found = tape.gradient(loss, variables, unconnected_gradients="zero")
        return [tf.convert_to_tensor(gradient) for gradient in found]

    calls = [gradients, tf.function(gradients)]
    first, second, third = (
        call() for call in (calls if eager_first else calls[::-1]) + [calls[not eager_first]]
    )
    for a, b, c in zip(first, second, third, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(c, a, rtol=1e-4, atol=1e-6)
    assert any(np.any(gradient) for gradient in first)
