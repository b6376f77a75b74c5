from __future__ import annotations

import tensorflow as tf

from compat_hub.tf_private import (
    graph_internals,
    variable_internals,
)


def test_a_placeholder_with_handle_data_has_gradients_and_shapes() -> None:
    variable = tf.Variable([[1.0, 2.0]])

    def body(handle: tf.Tensor) -> tf.Tensor:
        graph_internals.copy_handle_data(variable.handle, handle)
        value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)
        assert value.shape == [1, 2]
        return value * value

    function = tf.compat.v1.wrap_function(body, [tf.TensorSpec([], tf.resource)])
    with tf.GradientTape(watch_accessed_variables=True) as tape:
        variable_internals.variable_accessed(variable)
        loss = tf.reduce_sum(function(variable.handle))
    assert [v.ref() for v in tape.watched_variables()] == [variable.ref()]
    assert tape.gradient(loss, variable).numpy().tolist() == [[2.0, 4.0]]
