"""Variables: made with handle data, reported to tapes and functions (`resource_variable_ops`).

All of it was seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.framework import (
    ops,
)
from tensorflow.python.ops import (
    resource_variable_ops,
)


def make_variable(value: tf.Tensor, name: str, **options: Any) -> tf.Variable:
    """A `tf.Variable`; with the options of its constructor.

    TensorFlow builds a small program to make a variable's handle, and keeps it for the next one of
    the same name, shape and dtype: half a millisecond for each variable whose name is its own. The
    name that matters is on the Python object.
    """
    creators = ops.get_default_graph()._variable_creator_stack
    if creators or not tf.executing_eagerly() or tf.distribute.has_strategy():
        return tf.Variable(value, name=name, **options)
    variable: Any = tf.Variable(value, name="variable", **options)
    scope = variable.name.removesuffix("variable:0")
    variable._handle_name = f"{scope}{name}:0"
    return variable


def variable_accessed(variable: tf.Variable, watched: bool = True) -> None:
    """Reports a variable to the functions around, and to the tapes if it is to be watched.

    Reading a variable does both. A saved function lacks the variables that nobody reported to it.
    """
    if watched:
        resource_variable_ops.variable_accessed(variable)
        return
    graph: Any = ops.get_default_graph()
    if hasattr(graph, "watch_variable"):
        graph.watch_variable(variable)


def set_initializer(variable: tf.Variable, operation: Any) -> None:
    """Gives an eager variable, which has none, an initializer for TF1's lists of them."""
    if variable.initializer is None:
        variable._initializer_op = operation


def complete_variable(variable: Any) -> None:
    """Gives a variable that was read from a proto what making a new one leaves in it.

    Optimizers of Keras read `_distribute_strategy`. Seen missing in 2.16 and 2.21.
    """
    for name in ("_distribute_strategy", "_xla_sharding"):
        if not hasattr(variable, name):
            setattr(variable, name, None)
    if not hasattr(variable, "_graph_key"):
        variable._graph_key = variable.graph._graph_key
