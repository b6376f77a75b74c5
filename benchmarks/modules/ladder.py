"""Graphs of any number of nodes: small dense layers, one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1

UNITS = 8
_VARIABLE_EACH = 20  # layers


def outputs(x: Any, nodes: int) -> Any:
    """A tensor [batch, units] of one [batch, units], with so many nodes in the current graph.

    As in modules that people use, there is a variable for each hundred nodes or so.
    """
    graph = v1.get_default_graph()
    kernel = None
    numbers = np.random.default_rng(nodes)
    for layer in range(nodes):
        if layer % _VARIABLE_EACH == 0:
            value = numbers.standard_normal([UNITS, UNITS]).astype("f") / UNITS**0.5
            kernel = v1.get_variable(f"kernel_{layer // _VARIABLE_EACH}", initializer=value)
        x = tf.tanh(x @ kernel) + x * 0.5
        if len(graph.get_operations()) >= nodes:
            break
    return x
