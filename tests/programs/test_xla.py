"""Whether XLA compiles a module's calls and training steps is told before it is tried."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from compat_hub.keras_layers.targets.make_target import make_target
from compat_hub.programs.xla import find_uncompilable_op
from tests.records import FIXTURES, Record


def _graph(function: Any, *specs: tf.TensorSpec) -> Any:
    return tf.function(function).get_concrete_function(*specs).graph.as_graph_def()


def _first(row: tf.Tensor) -> tf.Tensor:
    return tf.unique(row).y[0]


def _in_a_loop(x: tf.Tensor) -> tf.Tensor:
    return tf.map_fn(_first, x)


def _of_bytes(x: tf.Tensor) -> tf.Tensor:
    return tf.matmul(tf.cast(x, tf.uint8), tf.cast(x, tf.uint8), transpose_b=True)


def _of_two_ranks(x: tf.Tensor) -> tf.Tensor:
    return tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: x[0])


@pytest.mark.parametrize(
    ("function", "dtype", "expected"),
    [
        (tf.nn.softmax, "float32", None),
        (tf.strings.length, "string", "StringLength"),
        (tf.where, "float32", "Where"),
        (tf.as_string, "float32", "AsString"),
        (_in_a_loop, "int32", "Unique"),
        (_of_bytes, "int32", "MatMul of uint8"),
        (_of_two_ranks, "float32", "StatelessIf with branches of different shapes"),
    ],
    ids=["softmax", "strings", "where", "as_string", "in a loop", "dtype", "ranks"],
)
def test_ops(function: Any, dtype: str, expected: str | None) -> None:
    assert find_uncompilable_op(_graph(function, tf.TensorSpec([3, 4], dtype))) == expected


# With the op that keeps XLA from compiling a call, and a training step.
_MODULES = {
    "image_bn": (None, None),
    "cond": (None, None),
    "conv_zoo": (None, "ResizeNearestNeighborGrad"),
    "while_rnn": (None, "EmptyTensorList"),
    "text_table": ("strings, as the input 'default'",) * 2,
}


@pytest.mark.parametrize("name", _MODULES)
def test_modules(name: str) -> None:
    record = Record(FIXTURES / name)
    signature = (record.train or {})["signature"]
    target: Any = make_target(record.path, signature=signature, signature_outputs_as_dict=True)
    inputs = record.inputs(signature)

    @tf.function(jit_compile=True)
    def call() -> Any:
        return target(inputs, False, False)[0]

    @tf.function(jit_compile=True)
    def step() -> Any:
        with tf.GradientTape() as tape:
            outputs, _ = target(inputs, True, True)
            loss = tf.add_n([tf.reduce_sum(v) for v in outputs.values()])
        return tape.gradient(loss, target.trainable_variables)

    for function, trainable in ((step, True), (call, False)):
        expected = _MODULES[name][trainable]
        assert target.uncompilable_op(trainable) == expected
        if expected is None:
            function()
        else:
            with pytest.raises(tf.errors.OpError):
                function()


def test_sparse_and_ragged_outputs() -> None:
    for name in ("sparse_io", "ragged_io"):
        target = make_target(FIXTURES / name / "module", signature_outputs_as_dict=True)
        assert target.uncompilable_op(True) is not None
