"""Small modules that the tests of the graph-mode API make, and what runs their graphs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

import compat_hub

v1 = tf.compat.v1

X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
WEIGHTS = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)


def linear(use_resource: bool = True) -> None:
    """A matrix product, with an update op that sums the inputs and a regularization loss."""
    x = v1.placeholder(tf.float32, [None, 2], name="x")
    with v1.variable_scope("", use_resource=use_resource):
        w = v1.get_variable("w", initializer=WEIGHTS)
        seen = v1.get_variable("seen", initializer=0.0, trainable=False)
    update = v1.assign_add(seen, tf.reduce_sum(x), name="update")
    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, update)
    v1.add_to_collection(v1.GraphKeys.REGULARIZATION_LOSSES, tf.reduce_sum(w * w, name="loss"))
    compat_hub.add_signature(inputs=x, outputs=tf.matmul(x, w, name="y"))


def linear_spec(use_resource: bool = True) -> compat_hub.ModuleSpec:
    return compat_hub.create_module_spec(lambda: linear(use_resource))


def words() -> None:
    """A table, and a signature of strings."""
    x = v1.placeholder(tf.string, [None], name="x")
    initializer = tf.lookup.KeyValueTensorInitializer(["red", "green"], [1, 2], tf.string, tf.int64)
    table = tf.lookup.StaticHashTable(initializer, -1)
    compat_hub.add_signature(inputs=x, outputs=table.lookup(x))


def run(tensors: Any, feed: Any = None) -> Any:
    """Evaluates tensors of the current graph, with state initialized."""
    with v1.Session() as session:
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        return session.run(tensors, feed)


@contextlib.contextmanager
def control_flow(version: int) -> Iterator[None]:
    """Which control flow is built: 1 is Switch and Merge, 2 is functions."""
    enabled = v1.control_flow_v2_enabled()
    (v1.disable_control_flow_v2 if version == 1 else v1.enable_control_flow_v2)()
    try:
        yield
    finally:
        (v1.enable_control_flow_v2 if enabled else v1.disable_control_flow_v2)()
