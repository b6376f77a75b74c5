"""How variables are stored: in parts, in shards of a checkpoint, without a static shape."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal

from .dense import l2


@case
def partitioned() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 7], "x")
        rows = tf.fixed_size_partitioner(3)
        with tf.variable_scope("outer", partitioner=rows, regularizer=l2(0.01)):
            with tf.variable_scope("inner"):
                weights = tf.get_variable("weights", [7, 4])
            with tf.variable_scope("inner", reuse=True):
                again = tf.get_variable("weights", [7, 4])
            bias = tf.get_variable("bias", [5])
            hidden = tf.layers.dense(tf.matmul(x, weights) + tf.matmul(x, again), 5, name="dense")
        whole = tf.get_variable("whole", [5, 2])
        y = tf.matmul(tf.tanh(hidden + bias), whole)
        hub.add_signature(
            inputs=x, outputs={"default": y, "weights": tf.convert_to_tensor(weights)}
        )

    return Case(
        build,
        {"default": {"default": normal("partitioned", 4, 7)}},
        train=Train(outputs=["default"]),
    )


@case
def sharded() -> Case:
    def build() -> None:
        y = x = tf.placeholder(tf.float32, [None, 4], "x")
        for i in range(3):
            y = tf.layers.dense(y, 4 + i, tf.tanh, name="layer_%d" % i)
        table = tf.get_variable("table", [6, 4], partitioner=tf.fixed_size_partitioner(2))
        hub.add_signature(inputs=x, outputs=tf.matmul(y, tf.convert_to_tensor(table)))

    return Case(
        build,
        {"default": {"default": normal("sharded", 4, 4)}},
        train=Train(),
        shards=3,
    )


@case
def embedding_lookup() -> Case:
    def build() -> None:
        ids = tf.placeholder(tf.int64, [None, None], "ids")
        embeddings = tf.get_variable("embeddings", [8, 3], regularizer=l2(0.01))
        plain = tf.get_variable("plain", [8, 2])
        parts = tf.get_variable("parts", [8, 2], partitioner=tf.fixed_size_partitioner(3))
        y = tf.concat(
            [
                tf.nn.embedding_lookup(embeddings, ids),
                tf.gather(plain, ids),
                tf.nn.embedding_lookup(parts, ids, partition_strategy="div"),
            ],
            -1,
        )
        hub.add_signature(inputs={"ids": ids}, outputs=y)

    ids = np.array([[1, 1, 7], [0, 1, 3]], "int64")
    return Case(build, {"default": {"ids": ids}}, train=Train())


@case
def unknown_shape_variable() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        initial = tf.placeholder_with_default(np.ones([3, 2], "float32"), None)
        weights = tf.Variable(initial, validate_shape=False, name="weights")
        hub.add_signature(inputs=x, outputs=tf.matmul(x, weights))

    return Case(
        build,
        {"default": {"default": normal("unknown_shape_variable", 4, 3)}},
        train=Train(),
    )
