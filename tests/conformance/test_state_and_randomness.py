"""What a call changes, it changes once; what it draws, it draws anew; gradients of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2
from tests.authoring import Signatures, control_flow_of_tf1, write_module

v1 = tf.compat.v1


def _language_model() -> Signatures:
    """A recurrent state that stays from call to call, and counts its calls."""
    x = v1.placeholder(tf.float32, [None, 3], "x")
    state = v1.get_variable("state", [1, 3], initializer=v1.zeros_initializer(), trainable=False)
    calls = v1.get_variable("calls", initializer=0, trainable=False)
    weights = v1.get_variable("weights", initializer=np.eye(3, dtype="f") * 0.5)
    after = tf.tanh(tf.matmul(state + tf.reduce_mean(x, 0, keepdims=True), weights))
    with tf.control_dependencies([v1.assign(state, after), v1.assign_add(calls, 1)]):
        y = tf.identity(x + after)
    return {"default": ({"x": x}, {"default": y})}


def _dropout_in_a_loop() -> Signatures:
    x = v1.placeholder(tf.float32, [None, 40], "x")
    weights = v1.get_variable("weights", initializer=np.ones([40], "f"))

    def body(step: tf.Tensor, value: tf.Tensor) -> list[tf.Tensor]:
        return [step + 1, v1.nn.dropout(value * weights, rate=0.3)]

    _, y = v1.while_loop(lambda step, _: step < 2, body, [tf.constant(0), x])
    return {"default": ({"x": x}, {"default": y})}


def _cubes() -> Signatures:
    x = v1.placeholder(tf.float32, [None], "x")
    weights = v1.get_variable("weights", initializer=2.0)

    def body(step: tf.Tensor, value: tf.Tensor) -> list[tf.Tensor]:
        return [step + 1, value * x * weights]

    _, y = v1.while_loop(lambda step, _: step < 3, body, [tf.constant(0), tf.ones_like(x)])
    positive = v1.cond(tf.reduce_sum(x) > 0, lambda: y * 1.0, lambda: -y)
    return {"default": ({"x": x}, {"default": positive})}


def _author(folder: Path, build: Callable[[], Signatures]) -> str:
    with control_flow_of_tf1():
        return write_module(folder, none=build)


def _expected_states(calls: int) -> list[np.ndarray]:
    state, states = np.zeros([1, 3], "f"), []
    for _ in range(calls):
        state = np.tanh((state + 1.0) @ (np.eye(3) * 0.5))
        states.append(state)
    return states


@pytest.mark.parametrize("way", ["eager", "tf.function", "predict", "training"])
def test_a_call_changes_its_state_once(tmp_path: Path, way: str) -> None:
    module = compat_hub.load(_author(tmp_path / "m", _language_model))
    x = tf.ones([2, 3])
    layer = keras2.KerasLayer(module)
    model = tf_keras.Sequential([layer])
    model.compile()
    function = tf.function(module)
    call = {
        "eager": lambda: module(x),
        "tf.function": lambda: function(x),
        "predict": lambda: model.predict(x, verbose=0),
        "training": lambda: module(x, training=True),
    }[way]
    for k, expected in enumerate(_expected_states(3)):
        np.testing.assert_allclose(call(), 1.0 + np.repeat(expected, 2, 0), rtol=1e-5)
        assert module.variable_map["calls"].numpy() == k + 1
        np.testing.assert_allclose(module.variable_map["state"], expected, rtol=1e-5)


def _audited() -> Signatures:
    x = v1.placeholder(tf.float32, [2], "x")
    calls = v1.get_variable("calls", initializer=0, trainable=False)
    with tf.control_dependencies([v1.assign_add(calls, 1)]):
        seen = tf.identity(x)
    return {"default": ({"x": x}, {"default": 2.0 * x, "seen": seen})}


def test_an_output_that_is_dropped_has_had_its_effect(tmp_path: Path) -> None:
    module = compat_hub.load(_author(tmp_path / "m", _audited))
    x = tf.ones([2])

    @tf.function
    def drop_one() -> tf.Tensor:
        return module(x, as_dict=True)["default"]

    for k in range(2):
        drop_one()
        assert module.variable_map["calls"].numpy() == k + 1
    module(x)  # asks for one output only, which does not need the count
    tf.function(module)(x)
    assert module.variable_map["calls"].numpy() == 2


def test_a_call_under_a_tape_changes_its_state_once(tmp_path: Path) -> None:
    module = compat_hub.load(_author(tmp_path / "m", _language_model))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(module(tf.ones([2, 3])))
    assert tape.gradient(loss, module.trainable_variables[0]) is not None
    assert module.variable_map["calls"].numpy() == 1


def test_dropout_draws_anew_and_the_gradient_sees_the_same_mask(tmp_path: Path) -> None:
    module = compat_hub.load(_author(tmp_path / "m", _dropout_in_a_loop))
    x = tf.ones([1, 40])
    masks = []
    for _ in range(3):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = module(x)
        gradient = tape.gradient(y, x)
        # y = mask * x: the gradient is the mask that the forward pass drew.
        np.testing.assert_allclose(gradient, y, rtol=1e-6)
        assert 0 < np.count_nonzero(y == 0) < 40
        masks.append(y.numpy().tobytes())
    assert len(set(masks)) == 3


def test_set_seed_repeats_a_run(tmp_path: Path, fixture_path) -> None:
    paths = [_author(tmp_path / "m", _dropout_in_a_loop), fixture_path("dropout")]
    for path, shape in zip(paths, ([1, 40], None), strict=True):
        runs = []
        for _ in range(2):
            tf.random.set_seed(5)
            module = compat_hub.load(path)
            infos = module.get_input_info_dict()
            (info,) = infos.values()
            x = tf.ones(shape or [3, *info.get_shape().as_list()[1:]])
            runs.append([module(x, training=True).numpy() for _ in range(2)])
        np.testing.assert_array_equal(runs[0], runs[1])
        assert not np.array_equal(runs[0][0], runs[0][1])


def test_second_order_gradients(tmp_path: Path) -> None:
    module = compat_hub.load(_author(tmp_path / "m", _cubes))
    x = tf.constant([1.0, 3.0])
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = module(x)
        first = inner.gradient(y, x)
    np.testing.assert_allclose(first, 3 * 8 * x**2, rtol=1e-5)  # y = (2 x)^3
    np.testing.assert_allclose(outer.gradient(first, x), 6 * 8 * x, rtol=1e-5)


@pytest.mark.parametrize("name", ["embedding_lookup", "text_table", "reference_gather"])
def test_gradients_of_lookups_are_sparse(fixture_path, name: str) -> None:
    module = compat_hub.load(fixture_path(name))
    signature = next(iter(module.signatures))
    inputs = {
        key: tf.constant(["the quick"])
        if info.dtype == tf.string
        else tf.ones([2] * (info.get_shape().rank or 1), info.dtype)
        for key, info in module.get_input_info_dict(signature).items()
    }
    with tf.GradientTape() as tape:
        outputs = module(inputs, signature, as_dict=True)
        loss = tf.add_n([tf.reduce_sum(o) for o in outputs.values()])
    tables = [v for v in module.trainable_variables if "embedding" in v.name]
    assert tables
    for gradient in tape.gradient(loss, tables):
        assert isinstance(gradient, tf.IndexedSlices)


@pytest.mark.parametrize("name", ["while_rnn", "cond", "raw_while", "fruit"])
def test_xla_compiles(fixture_path, name: str) -> None:
    module = compat_hub.load(fixture_path(name))
    signature = next(iter(module.signatures))
    inputs = {
        key: tf.ones([2 if d is None else d for d in info.get_shape()], info.dtype)
        for key, info in module.get_input_info_dict(signature).items()
    }

    def call() -> dict[str, tf.Tensor]:
        return module(inputs, signature, as_dict=True)

    compiled = tf.function(call, jit_compile=True)()
    for key, expected in call().items():
        np.testing.assert_allclose(compiled[key], expected, rtol=1e-4, atol=1e-5)
