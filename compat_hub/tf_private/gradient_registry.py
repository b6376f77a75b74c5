"""The registry of gradients, and which of TensorFlow's errors come from building one.

All of it was seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

import traceback
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import (
    ops,
)
from tensorflow.python.ops import (
    gradients_util,
)


def gradient_function(op_type: str) -> Any:
    """The gradient that TensorFlow has for a type of op."""
    return ops.gradient_registry.lookup(op_type)


def is_of_gradients(error: BaseException) -> bool:
    """Whether it was raised while a gradient was built: a call under a tape does that, too."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(f.f_globals.get("__name__") == gradients_util.__name__ for f, _ in frames)


def gradient_name(operation: Any) -> str | None:
    """The name of the gradient that an op has instead of that of its type."""
    try:
        return operation.get_attr("_gradient_op_type").decode()
    except ValueError:
        return None


def set_gradient_name(operation: Any, name: str) -> None:
    """Gives an op another gradient; `tf.Graph.gradient_override_map` only gives new ones one."""
    operation._set_attr("_gradient_op_type", tf.compat.v1.AttrValue(s=name.encode()))
