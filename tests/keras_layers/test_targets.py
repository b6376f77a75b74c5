"""What the Keras layers share, without Keras; test_layer.py has the layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.keras_layers.targets.make_target import make_target
from compat_hub.keras_layers.targets.target import as_shapes
from tests.records import FIXTURES

X = np.random.default_rng(0).normal(size=[4, 5]).astype("float32")


def _target(fixture: str, **options: Any) -> Any:
    return make_target(FIXTURES / fixture / "module", **options)


@pytest.mark.parametrize(
    ("nest", "expected"),
    [
        ((None, 3), tf.TensorShape([None, 3])),
        ([2], tf.TensorShape([2])),
        ((), tf.TensorShape([])),
        (None, tf.TensorShape(None)),
        (tf.TensorShape([1, 2]), tf.TensorShape([1, 2])),
        ([(1,), [None, 2]], [tf.TensorShape([1]), tf.TensorShape([None, 2])]),
        ((tf.TensorShape([1]), (2,)), (tf.TensorShape([1]), tf.TensorShape([2]))),
        (
            {"a": (1,), "b": [(2,), (3,)]},
            {"a": tf.TensorShape([1]), "b": [tf.TensorShape([2]), tf.TensorShape([3])]},
        ),
    ],
)
def test_shapes(nest: Any, expected: Any) -> None:
    found = as_shapes(nest)
    assert repr(found) == repr(expected)


def test_variables_are_trained_or_frozen() -> None:
    target = _target("hparams")
    assert [v.name for v in target.trainable_variables] == ["gamma:0"]
    assert [v.name for v in target.frozen_variables] == ["moving_mean:0", "moving_variance:0"]
    target = _target("fruit", train_only="^dogs/")
    assert [v.name for v in target.trainable_variables] == ["dogs/kernel:0", "dogs/bias:0"]
    assert len(target.frozen_variables) == 4


def test_a_call_tells_a_tape_of_what_is_trained() -> None:
    target = _target("fruit", train_only="apples")
    for trainable, names in ((True, ["from_apples:0"]), (False, [])):
        with tf.GradientTape() as tape:
            output, losses = target(X, False, trainable)
        assert output.shape == [4, 4]
        assert losses == []
        assert [v.name for v in tape.watched_variables()] == names
    target = _target("fruit", train_only="dogs")
    with tf.GradientTape() as tape:
        target(X, True, True)
    assert tape.watched_variables() == ()


@pytest.mark.parametrize("trainable", [False, True])
def test_a_function_around_is_told_of_all_variables(trainable: bool) -> None:
    target = _target("image_bn")
    x = tf.ones([2, 8, 8, 3])
    function = tf.function(lambda: target(x, False, trainable)[0], autograph=False)
    told = {v.ref() for v in function.get_concrete_function().graph.variables}
    assert told == {v.ref() for v in target.resolved_object.variables}


def test_losses_of_the_inputs_come_with_a_trainable_call() -> None:
    target = _target("activity")
    x = np.ones([3, 4], "float32")
    assert len(target.regularization_losses) == 1
    assert len(target(x, True, True)[1]) == 1
    assert target(x, True, False)[1] == []


def test_training_calls_run_the_update_ops() -> None:
    target = _target("unfed_update")
    steps = target.resolved_object.variable_map["steps"]
    for training, expected in ((True, 1), (False, 1), (tf.constant(True), 2)):
        target(np.ones([2, 4], "float32"), training, True)
        assert steps.numpy() == expected


def test_tensors_are_cast_within_their_kind() -> None:
    target = _target("dtypes", signature_outputs_as_dict=True)
    infos = target.resolved_object.get_input_info_dict()
    wider = {"float16": "float64", "float64": "float16", "int32": "int64", "int64": "int32"}
    inputs = {
        name: tf.fill([1], "a") if name == "string" else tf.zeros([1, 2], wider.get(name, name))
        for name in infos
    }
    outputs, _ = target(inputs, False, False)
    assert all(outputs[name].dtype.name == name for name in infos)
    inputs["int32"] = tf.zeros([1, 2])
    with pytest.raises(compat_hub.InputTypeError, match=r"'int32'.*found float32"):
        target(inputs, False, False)


def test_output_shapes() -> None:
    target = _target("fruit", signature="fruit_to_pet", signature_outputs_as_dict=True)
    shapes = {"apples": tf.TensorShape([3, 4]), "oranges": tf.TensorShape([3, 3])}
    found = target.output_shapes(shapes, tf.float32)
    assert {name: shape.as_list() for name, shape in found.items()} == {
        "cats": [3, 2],
        "dogs": [3, 3],
        "hidden": [3, 5],
    }


def test_a_callable() -> None:
    target = make_target(lambda x, scale: scale * x, arguments={"scale": 3.0})
    output, losses = target(tf.constant(X), True, True)
    np.testing.assert_allclose(output, 3.0 * X)
    assert losses == target.trainable_variables == target.frozen_variables == []


@pytest.mark.parametrize("in_function", [False, True])
def test_a_callable_that_takes_training(in_function: bool) -> None:
    def scale(x: tf.Tensor, training: bool) -> tf.Tensor:
        return x * (2.0 if training else 1.0)

    target = make_target(tf.function(scale) if in_function else scale)
    for training, factor in ((True, 2.0), (False, 1.0), (tf.constant(True), 2.0)):
        np.testing.assert_allclose(target(tf.constant(X), training, True)[0], factor * X)

    @tf.function(input_signature=[tf.TensorSpec([], tf.bool)])
    def call(training: tf.Tensor) -> tf.Tensor:
        return target(tf.constant(X), training, True)[0]

    np.testing.assert_allclose(call(True), 2.0 * X)
    np.testing.assert_allclose(call(False), X)


def test_handles_that_are_nothing_to_call() -> None:
    with pytest.raises(compat_hub.SignatureError, match="not callable"):
        make_target(3)
    with pytest.raises(compat_hub.ResolveError):
        make_target("")
