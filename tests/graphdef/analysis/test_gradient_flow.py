"""Gradients followed through graphs, beside what TensorFlow finds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from compat_hub.graphdef.analysis.gradient_flow import (
    Flow,
    Gradient,
    GradientFlow,
    is_differentiable,
)
from compat_hub.tf_private import gradient_registry, op_registry

v1 = tf.compat.v1


def _registered(op: str) -> Gradient:
    try:
        found = gradient_registry.gradient_function(op)
    except LookupError:
        return Gradient.MISSING
    return Gradient.NONE if found is None else Gradient.FUNCTION


def _flow(graph: tf.Graph, outputs: list[tf.Tensor], sources: list[tf.Tensor]) -> Flow:
    names = [t.name for t in sources]
    flow = GradientFlow(graph.as_graph_def(), names, op_registry.op_def, _registered)
    return flow.of([t.name for t in outputs])


def _branches(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.cond(tf.reduce_sum(y) > 0, lambda: x * 2, lambda: tf.ones_like(x))


def _crossed(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    # What is in y comes to the first variable at the second turn.
    return tf.while_loop(lambda a, b: True, lambda a, b: (b, b * 2), (x, y), maximum_iterations=3)[
        0
    ]


def _list(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.map_fn(lambda row: row * y[0], x)


@pytest.mark.parametrize(
    "compute",
    [
        lambda x, y: x @ tf.transpose(y),
        lambda x, y: x + tf.stop_gradient(y),
        lambda x, y: x * tf.cast(tf.cast(y, tf.int32), tf.float32),
        lambda x, y: tf.floor(x) + y,
        lambda x, y: tf.gather(x, tf.argmax(y, 1)),
        lambda x, y: tf.where(x > y, x, tf.zeros_like(y)),
        lambda x, y: tf.ones(tf.shape(x)) + y,
        lambda x, y: tf.unstack(tf.stack([x, y]))[0],
        lambda x, y: tf.split(x, 2)[1] * 2,
        _branches,
        _crossed,
        _list,
    ],
    ids=[
        *("product", "stopped", "cast", "floor", "argmax", "where", "shape", "stack", "split"),
        *("branches", "crossed", "list"),
    ],
)
def test_it_reaches_what_gradients_reach(compute: Callable[..., tf.Tensor]) -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [4, 3], "x")
        y = v1.placeholder(tf.float32, [4, 3], "y")
        result = compute(x, y)
        flow = _flow(graph, [result], [x, y])
        gradients = tf.gradients(result, [x, y])
    expected = {t.name for t, g in zip([x, y], gradients, strict=True) if g is not None}
    assert (set(flow.reached), flow.missing) == (expected, ())


def test_a_gradient_that_is_always_zero_is_none() -> None:
    """A loop passes on what its body stops, and TensorFlow gives zeros for it."""
    with tf.Graph().as_default() as graph:
        x, y = v1.placeholder(tf.float32, [3], "x"), v1.placeholder(tf.float32, [3], "y")

        def body(a: tf.Tensor) -> list[tf.Tensor]:
            return [a + tf.stop_gradient(y)]

        result = tf.while_loop(lambda a: True, body, [x], maximum_iterations=3)[0]
        assert _flow(graph, [result], [x, y]).reached == {"x:0"}


def test_an_op_without_a_gradient_is_named() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.complex64, [3, 3], "x")
        result = tf.raw_ops.MatrixLogarithm(input=x * 2, name="log")
        assert _flow(graph, [result], [x]) == Flow(frozenset(), (("log", "MatrixLogarithm"),))
        with pytest.raises(LookupError):
            tf.gradients(tf.math.real(result), [x])


def test_an_op_without_a_gradient_that_no_source_needs_is_no_matter() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.complex64, [3, 3], "x")
        result = x + tf.raw_ops.MatrixLogarithm(input=tf.eye(3, dtype=tf.complex64))
        assert _flow(graph, [result], [x]) == Flow(frozenset({"x:0"}), ())
        assert tf.gradients(tf.math.real(result), [x])[0] is not None


def test_an_output_that_is_a_source() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [3], "x")
        assert _flow(graph, [x], [x]).reached == {"x:0"}


def test_dtypes() -> None:
    assert is_differentiable(types_pb2.DT_BFLOAT16)
    assert not is_differentiable(types_pb2.DT_INT32)
