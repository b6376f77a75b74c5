from __future__ import annotations

import tensorflow as tf

from compat_hub.tf_private import (
    autograph_marks,
)


def test_a_method_that_autograph_leaves_alone() -> None:
    class Owner:
        @autograph_marks.unconverted
        def method(self, x: tf.Tensor) -> bool:
            """What it does."""
            return x is not None and not _is_converting()

    def _is_converting() -> bool:
        from tensorflow.python.autograph.core import ag_ctx

        return ag_ctx.control_status_ctx().status == ag_ctx.Status.ENABLED

    found = [Owner().method(tf.ones([]))]

    @tf.function
    def traced(x: tf.Tensor) -> tf.Tensor:
        found.append(Owner().method(x))
        return x

    traced(tf.ones([]))
    assert found == [True, True]
    assert Owner.method.__doc__ == "What it does."
