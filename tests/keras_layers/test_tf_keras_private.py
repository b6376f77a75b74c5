from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from compat_hub.keras_layers import tf_keras_private


class _WithTraining:
    def __call__(self, x: Any, training: bool = False) -> Any:
        return x


class _Without:
    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return x


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (_WithTraining(), True),
        (_Without(), False),
        (lambda x, training: x, True),
        (lambda x, *, training=None: x, True),
        (lambda x: x, False),
        (lambda x, **kwargs: x, False),
        (tf.function(lambda x, training=False: x), True),
        (tf.function(lambda x: x), False),
    ],
)
def test_the_training_argument(function: Any, expected: bool) -> None:
    assert tf_keras_private.has_training_argument(function) is expected


def test_the_training_argument_of_a_loaded_function(tmp_path) -> None:
    class Loadable(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([]), tf.TensorSpec([], tf.bool)])
        def __call__(self, x: tf.Tensor, training: tf.Tensor) -> tf.Tensor:
            return x

    tf.saved_model.save(Loadable(), str(tmp_path))
    assert tf_keras_private.has_training_argument(tf.saved_model.load(str(tmp_path)))
