from __future__ import annotations

import tensorflow as tf

from compat_hub.tf_private import (
    eager_runtime,
)


def test_who_may_record() -> None:
    assert not eager_runtime.may_record()
    with tf.GradientTape():
        assert eager_runtime.may_record()
    seen = []
    tf.function(lambda: seen.append(eager_runtime.may_record()))()
    with tf.autodiff.ForwardAccumulator(tf.ones([]), tf.ones([])):
        seen.append(eager_runtime.may_record())
    assert seen == [True, True]
