from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from compat_hub.tf_private import (
    tracking,
)


def test_untracked_attributes() -> None:
    class Layer(tf_keras.layers.Layer):
        def __init__(self, hidden: Any, seen: Any) -> None:
            super().__init__()
            self.hide(hidden)
            self.seen = seen

        @tracking.untracked
        def hide(self, hidden: Any) -> None:
            self.hidden = hidden

    hidden, seen = tf.Variable(1.0), tf.Variable(2.0)
    layer = Layer(hidden, seen)
    assert [v.ref() for v in layer.weights] == [seen.ref()]
    assert layer.hidden is hidden
