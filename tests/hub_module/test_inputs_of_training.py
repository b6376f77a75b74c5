"""A {"train"} variant with inputs that inference does not have: labels, for teacher forcing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2, keras3
from tests.authoring import Signatures, write_module
from tests.records import FIXTURES, OUTPUT_TOLERANCE, STEP_TOLERANCE, Record, assert_close

RECORD = Record(FIXTURES / "inputs_of_training" / "teacher_forcing")
LAYERS = pytest.mark.parametrize("layer_class", [keras2.KerasLayer, keras3.KerasLayer])


def _inputs() -> dict[str, Any]:
    given = RECORD.inputs("default")
    return {"x": given["x"], "labels": given["labels"]}


def _expected(training: bool) -> np.ndarray:
    return RECORD.outputs(["train"] if training else [], "default")["default"]


def _check(found: Any, training: bool) -> None:
    assert_close(found, _expected(training), OUTPUT_TOLERANCE, f"training={training}")


def test_calls_take_what_their_variant_takes() -> None:
    module = compat_hub.load(RECORD.path)
    inputs = _inputs()
    _check(module(inputs["x"]), False)
    _check(module(inputs, training=True), True)
    with pytest.raises(compat_hub.InputTypeError, match="not an input: 'labels'"):
        module(inputs)
    with pytest.raises(compat_hub.InputTypeError, match="missing 'labels'"):
        module({"x": inputs["x"]}, training=True)


@LAYERS
def test_a_layer_takes_what_the_variant_that_runs_takes(layer_class: Any) -> None:
    layer = layer_class(RECORD.path, trainable=True)
    inputs = _inputs()
    _check(layer(inputs["x"]), False)
    _check(layer(inputs, training=True), True)
    _check(layer(inputs, training=False), False)  # as a model gives both the same
    with pytest.raises(compat_hub.InputTypeError, match=r"missing 'labels'"):
        layer({"x": inputs["x"]}, training=True)
    with pytest.raises(compat_hub.InputTypeError, match="not an input: 'y'"):
        layer({**inputs, "y": inputs["x"]})


def test_a_flag_that_only_the_running_program_knows() -> None:
    layer = keras2.KerasLayer(RECORD.path, trainable=True)
    inputs = _inputs()

    @tf.function
    def call(training: tf.Tensor) -> tf.Tensor:
        return layer(inputs, training=training)

    _check(call(tf.constant(False)), False)
    _check(call(tf.constant(True)), True)


@LAYERS
def test_arguments_of_training(layer_class: Any) -> None:
    inputs = _inputs()
    layer = layer_class(RECORD.path, trainable=True, arguments={"scale": 2.0})
    _check(layer(inputs["x"]), False)
    assert_close(layer(inputs, training=True), 2 * _expected(True), OUTPUT_TOLERANCE, "scaled")
    labels = layer_class(RECORD.path, trainable=True, arguments={"labels": inputs["labels"]})
    _check(labels(inputs["x"], training=True), True)
    with pytest.raises(compat_hub.InputTypeError, match=r"\['factor'\], which are not inputs"):
        layer_class(RECORD.path, arguments={"factor": 2.0})


@pytest.mark.parametrize("package", [tf_keras, keras])
def test_fit_and_predict_of_a_functional_model(package: Any) -> None:
    layer_class = keras2.KerasLayer if package is tf_keras else keras3.KerasLayer
    inputs = _inputs()
    x = package.Input([4], name="x")
    labels = package.Input([3], name="labels", dtype="int32")
    outputs = layer_class(RECORD.path, trainable=True)({"x": x, "labels": labels})
    assert tuple(outputs.shape) == (None, 3, 5)
    model = package.Model({"x": x, "labels": labels}, outputs)
    _check(model.predict(inputs, verbose=0), False)
    train = RECORD.train
    assert train is not None
    model.compile(package.optimizers.SGD(train["learning_rate"]), lambda _, y: tf.reduce_sum(y * y))
    layer = next(found for found in model.layers if isinstance(found, layer_class))
    for step in range(train["steps"]):
        model.fit(inputs, inputs["labels"], batch_size=5, verbose=0)
        for name, value in RECORD.variables(step + 1).items():
            variable = layer.resolved_object.variable_map[name]
            assert_close(variable, value, STEP_TOLERANCE, name)


def test_what_convert_writes(tmp_path: Path) -> None:
    path = compat_hub.convert(RECORD.path, tmp_path / "converted")
    again = tf.saved_model.load(path)
    inputs = {name: tf.constant(value) for name, value in _inputs().items()}
    _check(again(inputs["x"]), False)
    _check(again({"x": inputs["x"]}), False)
    _check(again(inputs, training=True), True)
    scaled = again(inputs, training=True, scale=tf.constant(2.0))
    assert_close(scaled, 2 * _expected(True), OUTPUT_TOLERANCE, "scaled")
    assert [*again.signatures["default"].structured_input_signature[1]] == ["x"]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(again(inputs, training=True)))
    found = tape.gradient(loss, again.trainable_variables)
    assert all(gradient is not None for gradient in found)


def _write_training_only(folder: Path) -> str:
    def build(training: bool) -> Signatures:
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        w = tf.compat.v1.get_variable("w", initializer=2.0, use_resource=True)
        outputs = {"default": w * x, **({"logits": 3.0 * w * x} if training else {})}
        pairs = {"pairs": ({"x": x}, {"default": w + x})} if training else {}
        return {"default": ({"x": x}, outputs), **pairs}

    return write_module(folder, none=lambda: build(False), train=lambda: build(True))


@LAYERS
def test_what_only_the_variant_for_training_has(layer_class: Any, tmp_path: Path) -> None:
    path = _write_training_only(tmp_path / "module")
    x = tf.constant([1.0, 2.0])
    pairs = layer_class(path, trainable=True, signature="pairs")
    np.testing.assert_allclose(pairs(x, training=True), [3.0, 4.0])
    with pytest.raises(compat_hub.UnknownNameError, match=r"'pairs' in .*variant set\(\)"):
        pairs(x, training=False)
    logits = layer_class(path, trainable=True, output_key="logits")
    np.testing.assert_allclose(logits(x, training=True), [6.0, 12.0])
    with pytest.raises(compat_hub.UnknownNameError, match=r"'logits' in .*variant set\(\)"):
        logits(x, training=False)
    for wrong in {"signature": "nothing"}, {"output_key": "nothing"}:
        with pytest.raises(compat_hub.UnknownNameError, match="nothing"):
            layer_class(path, trainable=True, **wrong)
