"""Ops of tf.contrib.seq2seq and tf.contrib.text."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compat_hub.programs.missing_ops.functions import Computation, dtype_of, spec


def gather_tree(node: Any) -> Computation:
    """The tokens of each beam, followed from its last step to the first by the beams' parents."""
    dtype = dtype_of(node)

    def compute(ids: Any, parents: Any, lengths: Any, end: Any) -> Any:
        steps, beams = tf.shape(ids)[0], tf.shape(ids)[2]
        lengths = tf.minimum(lengths, steps)
        own = tf.broadcast_to(tf.range(beams), tf.shape(ids)[1:])

        def step(t: Any, beam: Any, tokens: Any) -> Any:
            inside = tf.broadcast_to((t < lengths)[:, tf.newaxis], tf.shape(own))
            token = tf.gather(ids[t], beam, axis=1, batch_dims=1)
            parent = tf.cast(tf.gather(parents[t], beam, axis=1, batch_dims=1), tf.int32)
            tokens = tokens.write(t, tf.where(inside, token, end))
            return t - 1, tf.where(inside, parent, own), tokens

        tokens = tf.TensorArray(dtype, steps, element_shape=[None, None])
        tokens = tf.while_loop(lambda t, *_: t >= 0, step, [steps - 1, own, tokens])[2].stack()
        ended = tf.cumsum(tf.cast(tf.equal(tokens, end), tf.int32), exclusive=True) > 0
        return [tf.stop_gradient(tf.reshape(tf.where(ended, end, tokens), tf.shape(ids)))]

    inputs = [spec(3, dtype), spec(3, dtype), spec(1, tf.int32), spec(0, dtype)]
    return Computation(inputs, ["beams"], compute)


def skip_gram_generate_candidates(node: Any) -> Computation:
    """Pairs of a token and one beside it, at most so far away as a random number says.

    The numbers are uniform, and not those that TensorFlow 1 drew of the same seeds.
    """
    dtype = dtype_of(node)
    seeds = node.attr["seed"].i, node.attr["seed2"].i

    def compute(
        tokens: Any,
        least: Any,
        most: Any,
        start: Any,
        limit: Any,
        emit_self: Any,
    ) -> Any:
        checks = [
            tf.debugging.assert_non_negative(least, "min_skips must be >= 0"),
            tf.debugging.assert_less_equal(least, most, "min_skips must be <= max_skips"),
        ]
        with tf.control_dependencies(checks):
            size = tf.shape(tokens)[0]
        end = tf.where(limit < 0, size, tf.minimum(start + limit, size))
        places = tf.range(start, tf.maximum(start, end))
        skips = tf.raw_ops.RandomUniformInt(
            shape=tf.shape(places), minval=least, maxval=most + 1, seed=seeds[0], seed2=seeds[1]
        )
        distances = tf.range(-most, most + 1)
        others = places[:, tf.newaxis] + distances
        wanted = (tf.abs(distances) <= skips[:, tf.newaxis]) & (others >= start) & (others < end)
        wanted &= emit_self | tf.not_equal(distances, 0)
        first = tf.boolean_mask(tf.broadcast_to(places[:, tf.newaxis], tf.shape(others)), wanted)
        second = tf.boolean_mask(others, wanted)
        return [tf.stop_gradient(tf.gather(tokens, k)) for k in (first, second)]

    inputs = [spec(1, dtype), *[spec(0, tf.int32)] * 4, spec(0, tf.bool)]
    return Computation(inputs, ["tokens", "labels"], compute)
