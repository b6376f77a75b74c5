"""Ops of tf.contrib that TensorFlow 2 does not have at all: a message has to name them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, generator


@case
def resampler() -> Case:
    """A kernel with a gradient, between trainable layers."""

    def build() -> None:
        import tensorflow.contrib.resampler as contrib  # registers the op

        images = tf.placeholder(tf.float32, [None, 4, 4, 2], "images")
        places = tf.placeholder(tf.float32, [None, 3, 2], "places")
        points = contrib.resampler(tf.layers.conv2d(images, 2, 3, padding="same"), places)
        hub.add_signature(
            inputs={"images": images, "places": places}, outputs=tf.layers.dense(points, 2)
        )
        hub.add_signature("plain", {"images": images}, tf.layers.flatten(images))

    random = generator("resampler")
    images = random.rand(2, 4, 4, 2).astype("float32")
    places = (3 * random.rand(2, 3, 2)).astype("float32")
    return Case(
        build,
        {"default": {"images": images, "places": places}, "plain": {"images": images}},
        train=Train(),
        unknown_op="Resampler",
        notes=["The signature 'plain' does not need the op."],
    )


@case
def beam_search() -> Case:
    """The op sits beside those of a loop, at the end of a graph that decodes."""

    def build() -> None:
        scores = tf.placeholder(tf.float32, [None, 5], "scores")
        table = tf.get_variable("table", [5, 5])

        def step(ids: tf.Tensor, _) -> tf.Tensor:
            return tf.nn.top_k(tf.nn.embedding_lookup(table, ids[:, 0]), 2).indices

        first = tf.nn.top_k(scores, 2).indices
        ids = tf.scan(step, tf.range(3), first)
        parents = tf.bitwise.bitwise_and(ids, 1)
        lengths = tf.fill([tf.shape(scores)[0]], 3)
        end = tf.constant(4)
        hub.add_signature(
            inputs={"scores": scores},
            outputs=tf.contrib.seq2seq.gather_tree(ids, parents, lengths, end),
        )

    scores = generator("beam_search").rand(2, 5).astype("float32")
    return Case(build, {"default": {"scores": np.asarray(scores)}}, unknown_op="GatherTree")
