from __future__ import annotations

import pytest
import tensorflow as tf

from compat_hub.tf_private import (
    gradient_registry,
)


def test_errors_of_gradients() -> None:
    with tf.Graph().as_default():
        x = tf.eye(2)
        with pytest.raises(LookupError) as caught:
            tf.gradients(tf.math.real(tf.linalg.logm(tf.complex(x, x))), [x])
        assert gradient_registry.is_of_gradients(caught.value)
        with pytest.raises(ValueError, match="shape") as caught:
            tf.reshape(x, [3])
        assert not gradient_registry.is_of_gradients(caught.value)
