"""Gradients of TF1's TensorArrays in a graph whose program has TensorFlow 2's control flow enabled.

TensorFlow's own gradients make a `tf.TensorArray`, which is TensorFlow 2's then, and refuses the
handle of an array of TF1: `assert handle is None`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from compat_hub.tf_private import gradient_registry

OPS = tuple(
    f"TensorArray{kind}V3" for kind in ("Read", "Write", "Gather", "Scatter", "Concat", "Split")
)


def tensor_array_gradient(op: tf.Operation, *gradients: Any) -> Any:
    """The gradient that TensorFlow registered for an op of `OPS`."""
    with control_flow_of_tf1():
        return gradient_registry.gradient_function(op.type)(op, *gradients)


@contextlib.contextmanager
def control_flow_of_tf1() -> Iterator[None]:
    """What is built meanwhile has the loops, conditionals and TensorArrays of TF1."""
    was_enabled = tf.compat.v1.control_flow_v2_enabled()
    tf.compat.v1.disable_control_flow_v2()
    try:
        yield
    finally:
        if was_enabled:
            tf.compat.v1.enable_control_flow_v2()
