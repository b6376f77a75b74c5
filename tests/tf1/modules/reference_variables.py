"""Variables from before resource variables: VariableV2 and the ops on references."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal

from .dense import l2


@case
def reference() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 4], "x")
        with tf.variable_scope("", use_resource=False):
            with tf.variable_scope("legacy", regularizer=l2(0.01)):
                hidden = tf.layers.dense(x, 5, tf.tanh)
                y = tf.layers.batch_normalization(hidden, momentum=0.8, training=True, fused=False)
        steps = tf.Variable(0, trainable=False, name="steps", use_resource=False)
        gain = tf.Variable([1.0] * 5, name="gain", use_resource=False)
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, tf.assign_add(steps, 1))
        hub.add_signature(inputs=x, outputs={"default": y * gain, "gain": gain.value()})

    return Case(
        build,
        {"default": {"default": normal("reference", 6, 4)}},
        train=Train(outputs=["default"]),
    )


@case
def reference_gather() -> Case:
    def build() -> None:
        ids = tf.placeholder(tf.int32, [None], "ids")
        with tf.variable_scope("", use_resource=False):
            embeddings = tf.get_variable("embeddings", [6, 3])
            seen = tf.get_variable("seen", [6], initializer=tf.zeros_initializer(), trainable=False)
            latest = tf.get_variable(
                "latest", [6], tf.int32, tf.zeros_initializer(), trainable=False
            )
        for update in (
            tf.scatter_add(seen, ids, tf.ones_like(ids, tf.float32)),
            tf.scatter_update(latest, ids[:1], ids[:1] + 10),
        ):
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        hub.add_signature(inputs={"ids": ids}, outputs=tf.nn.embedding_lookup(embeddings, ids))

    ids = np.array([2, 5, 2, 0], "int32")
    return Case(build, {"default": {"ids": ids}}, train=Train())


@case
def reference_partitioned() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 5], "x")
        with tf.variable_scope("", use_resource=False):
            weights = tf.get_variable(
                "weights", [5, 3], partitioner=tf.fixed_size_partitioner(2), regularizer=l2(0.1)
            )
        hub.add_signature(inputs=x, outputs=tf.matmul(x, weights))

    return Case(
        build, {"default": {"default": normal("reference_partitioned", 4, 5)}}, train=Train()
    )


@case
def reference_cond() -> Case:
    def build() -> None:
        x = tf.placeholder(tf.float32, [None, 3], "x")
        flag = tf.placeholder_with_default(True, [], "flag")
        with tf.variable_scope("", use_resource=False):
            weights = tf.get_variable("weights", [3, 3])
            other = tf.get_variable("other", [3, 3])
        y = tf.cond(flag, lambda: tf.matmul(x, weights), lambda: tf.sin(tf.matmul(x, other)))
        _, y = tf.while_loop(
            lambda i, _: i < 3,
            lambda i, state: (i + 1, tf.tanh(tf.matmul(state, weights))),
            [0, y],
        )
        hub.add_signature(inputs={"x": x}, outputs=y)
        hub.add_signature("with_flag", {"x": x, "flag": flag}, y)

    x = normal("reference_cond", 4, 3)
    return Case(
        build, {"default": {"x": x}, "with_flag": {"x": x, "flag": False}}, train=Train("with_flag")
    )
