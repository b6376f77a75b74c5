from __future__ import annotations

import warnings

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.custom_gradients import LostGradientWarning
from tests.records import FIXTURES

X = np.random.default_rng(1).normal(size=[4, 4]).astype("float32")


def _load(fixture: str) -> compat_hub.HubModule:
    return compat_hub.load(FIXTURES / fixture / "module")


def _dense(module: compat_hub.HubModule, layer: str, x: tf.Tensor) -> tf.Tensor:
    return x @ module.variable_map[f"{layer}/kernel"] + module.variable_map[f"{layer}/bias"]


def _gradients(module: compat_hub.HubModule, call) -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(call()))
    return tape.gradient(loss, list(module.trainable_variables))


def test_a_gradient_that_the_format_does_not_store_is_the_derivative() -> None:
    module = _load("custom_gradient")
    with pytest.warns(LostGradientWarning, match="tf.custom_gradient") as caught:
        found = _gradients(module, lambda: module(X))
    assert repr(module.spec.handle) in str(caught[0].message)

    def again() -> tf.Tensor:
        hidden = tf.nn.softplus(tf.nn.silu(_dense(module, "dense", X)))
        return _dense(module, "dense_1", hidden)

    for a, b in zip(found, _gradients(module, again), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_inference_does_not_warn_of_it() -> None:
    module = _load("custom_gradient")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module(X)
        tf.function(module)(X)
        layer = compat_hub.KerasLayer(module)
        layer(X)


def test_a_gradient_of_that_name_in_this_program_is_not_taken(copy_of) -> None:
    # The names that TensorFlow makes up start anew in each program.
    @tf.RegisterGradient("CustomGradient-of-this-program")
    def _(*_: object) -> None:
        raise AssertionError("the gradient of something else")

    copy = copy_of("custom_gradient")
    with copy.meta_graph() as meta_graph:
        for node in meta_graph.graph_def.node:
            if "_gradient_op_type" in node.attr:
                node.attr["_gradient_op_type"].s = b"CustomGradient-of-this-program"
    module = compat_hub.load(copy.path)
    with pytest.warns(LostGradientWarning):
        assert all(g is not None for g in _gradients(module, lambda: module(X)))


def test_functions_with_gradient_functions_of_their_own() -> None:
    # "halved" is the sine with half the upstream gradient, in the other module the cosine with
    # twice the gradient; "bent" has none of its own.
    halved = _load("functions")
    doubled = _load("functions_clash")

    @tf.custom_gradient
    def half_sine(x: tf.Tensor):
        return tf.sin(x), lambda upstream: 0.5 * upstream

    @tf.custom_gradient
    def double_cosine(x: tf.Tensor):
        return tf.cos(x), lambda upstream: 2.0 * upstream

    def first() -> tf.Tensor:
        a, b = _dense(halved, "dense", X), _dense(halved, "dense_1", X)
        return _dense(halved, "dense_2", half_sine(tf.square(tf.nn.silu(a)) + 3.0 * b))

    def second() -> tf.Tensor:
        a, b = _dense(doubled, "dense", X), _dense(doubled, "dense_1", X)
        return _dense(doubled, "dense_2", double_cosine(tf.exp(-a * a) - b))

    for module, call in ((halved, first), (doubled, second)):
        expected = _gradients(module, call)
        for found in (
            _gradients(module, lambda: module(X)),  # noqa: B023
            _gradients(module, lambda: tf.function(module)(X)),  # noqa: B023
        ):
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
