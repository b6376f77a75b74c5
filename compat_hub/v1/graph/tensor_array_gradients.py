"""Gradients of TF1's TensorArrays in a graph whose program has TensorFlow 2's control flow enabled.

TensorFlow's own gradients make a `tf.TensorArray`, which is TensorFlow 2's then, and refuses the
handle of an array of TF1: `assert handle is None`.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from compat_hub.graphdef.passes.inline_functions import CUSTOM_GRADIENT_ATTR
from compat_hub.tf_private import gradient_registry

_OPS = tuple(
    f"TensorArray{kind}V3" for kind in ("Read", "Write", "Gather", "Scatter", "Concat", "Split")
)


def add_tensor_array_gradients(graph_def: Any) -> None:
    """Names the gradients below at the nodes of TensorArrays, in place."""
    for node in graph_def.node:
        if node.op in _OPS and CUSTOM_GRADIENT_ATTR not in node.attr:
            node.attr[CUSTOM_GRADIENT_ATTR].s = f"CompatHub_{node.op}".encode()


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


def _gradient(op_type: str, op: tf.Operation, *gradients: Any) -> Any:
    with control_flow_of_tf1():
        return gradient_registry.gradient_function(op_type)(op, *gradients)


for _op in _OPS:
    tf.RegisterGradient(f"CompatHub_{_op}")(functools.partial(_gradient, _op))
