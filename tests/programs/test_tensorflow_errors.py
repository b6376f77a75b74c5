from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

import compat_hub
from compat_hub.programs.tensorflow_errors import building, differentiating


@pytest.mark.parametrize(
    "error",
    [KeyError("k"), RecursionError("deep"), tf.errors.InternalError(None, None, "k")],
    ids=lambda error: type(error).__name__,
)
def test_errors_become_those_of_the_module(error: Exception) -> None:
    expected = rf"In module 'm'.*{type(error).__name__}.*fresh copy"
    with (
        pytest.raises(compat_hub.ModuleFormatError, match=expected) as caught,
        building("module 'm'"),
    ):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [compat_hub.GraphError("g"), KeyboardInterrupt(), MemoryError()])
def test_others_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, building("module 'm'"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("kind", [KeyError, ValueError, tf.errors.InternalError], ids=str)
def test_what_is_raised_while_a_gradient_is_built(kind: type[Exception]) -> None:
    error = kind(None, None, "k") if kind is tf.errors.InternalError else kind("k")

    @tf.custom_gradient
    def broken(x: tf.Tensor) -> Any:
        def gradient(_: tf.Tensor) -> None:
            raise error

        return x + 1.0, gradient

    def differentiate() -> None:
        with tf.Graph().as_default():
            x = tf.ones([2])
            tf.gradients(broken(x), [x])

    expected = rf"In module 'm'.*cannot build the gradient.*{kind.__name__}.*trainable=False"
    with (
        pytest.raises(compat_hub.ModuleFormatError, match=expected) as caught,
        differentiating("module 'm'"),
    ):
        differentiate()
    assert caught.value.__cause__ is error


def test_an_op_without_a_gradient_is_tensorflow_s_error() -> None:
    def differentiate() -> None:
        with tf.Graph().as_default():
            x = tf.eye(2)
            tf.gradients(tf.math.real(tf.linalg.logm(tf.complex(x, x))), [x])

    with pytest.raises(LookupError) as caught, differentiating("module 'm'"):
        differentiate()
    assert not isinstance(caught.value, compat_hub.HubError)


def test_other_errors_pass_while_a_gradient_may_be_built() -> None:
    error = ValueError("of the call")
    with pytest.raises(ValueError, match="of the call") as caught, differentiating("module 'm'"):
        raise error
    assert caught.value is error
