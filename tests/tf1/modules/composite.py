"""Sparse and ragged tensors as inputs and outputs."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, normal


@case
def sparse_io() -> Case:
    def build() -> None:
        sparse = tf.sparse.placeholder(tf.float32, [None, 6], "sparse")
        scale = tf.placeholder(tf.float32, [], "scale")
        weights = tf.get_variable("weights", [6, 2])
        gain = tf.get_variable("gain", [], initializer=tf.ones_initializer())
        scaled = tf.SparseTensor(sparse.indices, sparse.values * scale * gain, sparse.dense_shape)
        hub.add_signature(
            inputs={"sparse": sparse, "scale": scale},
            outputs={
                "default": tf.sparse.sparse_dense_matmul(scaled, weights),
                "dense": tf.sparse.to_dense(sparse),
                "scaled": scaled,
                "transposed": tf.sparse.transpose(sparse),
            },
        )
        words = tf.placeholder(tf.string, [None], "words")
        hub.add_signature("split", {"words": words}, {"split": tf.string_split(words, " ")})

    value = tf.SparseTensorValue(
        np.array([[0, 1], [0, 4], [2, 0], [3, 5]], "int64"),
        normal("sparse", 4),
        np.array([4, 6], "int64"),
    )
    return Case(
        build,
        {
            "default": {"sparse": value, "scale": np.float32(1.5)},
            "split": {"words": np.array(["a b c", "", "d"], object)},
        },
        train=Train(outputs=["default"]),
    )


@case
def ragged_io() -> Case:
    def build() -> None:
        ragged = tf.ragged.placeholder(tf.float32, 1, [], "ragged")
        deep = tf.ragged.placeholder(tf.int32, 2, [], "deep")
        weights = tf.get_variable("weights", [], initializer=tf.ones_initializer())
        scaled = tf.ragged.map_flat_values(tf.multiply, ragged, weights)
        hub.add_signature(
            inputs={"ragged": ragged, "deep": deep},
            outputs={
                "default": tf.reduce_sum(scaled, axis=1),
                "scaled": scaled,
                "dense": ragged.to_tensor(),
                "deep": tf.ragged.map_flat_values(tf.multiply, deep, 2),
            },
        )

    ragged = tf.ragged.constant_value([[1.0, 2.0], [], [3.0, -1.0, 0.5]], dtype=np.float32)
    deep = tf.ragged.constant_value([[[1, 2], []], [[3]], []], dtype=np.int32)
    return Case(
        build,
        {"default": {"ragged": ragged, "deep": deep}},
        train=Train(outputs=["default"]),
    )
