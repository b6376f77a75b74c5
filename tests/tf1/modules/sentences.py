"""Embeddings of whole sentences: strings in, one vector each out."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, strings, text_file

from .dense import l2

_WORDS = "the a cat dog sat ran on mat and or not very".split()
_BUCKETS = 3


def _normalize(sentences: tf.Tensor) -> tf.Tensor:
    lower = tf.strings.lower(sentences)
    spaced = tf.strings.regex_replace(lower, r"[[:punct:]]+", " ")
    return tf.strings.strip(tf.strings.regex_replace(spaced, r"\s+", " "))


def _nnlm(combiner: str, strategy: str) -> Case:
    def build() -> None:
        sentences = tf.placeholder(tf.string, [None], "sentences")
        table = tf.contrib.lookup.index_table_from_file(
            text_file("tokens.txt", _WORDS), num_oov_buckets=_BUCKETS
        )
        words = tf.string_split(_normalize(sentences), " ")
        # An empty sentence has no words: it gets one that is no word.
        words, _ = tf.sparse.fill_empty_rows(words, "")
        ids = tf.SparseTensor(words.indices, table.lookup(words.values), words.dense_shape)
        embeddings = tf.get_variable(
            "embeddings",
            [len(_WORDS) + _BUCKETS, 6],
            partitioner=tf.fixed_size_partitioner(4) if strategy == "div" else None,
            regularizer=l2(0.001) if strategy == "div" else None,
        )
        if strategy == "mod":
            # Parts of one table with their rows dealt out in turn: variables of their own.
            embeddings = [
                tf.get_variable("part_%d" % k, [5, 6], initializer=tf.random_normal_initializer())
                for k in range(3)
            ]
        y = tf.nn.embedding_lookup_sparse(
            list(embeddings), ids, None, partition_strategy=strategy, combiner=combiner
        )
        hub.add_signature(inputs=sentences, outputs=y)

    sentences = strings("The cat sat.", "", "a dog, very VERY loud -- ran!", "or not?", "cat cat")
    return Case(build, {"default": {"default": sentences}}, train=Train(learning_rate=0.1))


@case
def nnlm() -> Case:
    return _nnlm("sqrtn", "div")


@case
def nnlm_mod() -> Case:
    return _nnlm("mean", "mod")


@case
def embedding_sparse_weights() -> Case:
    """Weights for each id, an empty row, a maximal norm, and both kinds of variables."""

    def build() -> None:
        ids = tf.sparse_placeholder(tf.int64, [None, None], "ids")
        weights = tf.sparse_placeholder(tf.float32, [None, None], "weights")
        with tf.variable_scope("", use_resource=False):
            old = tf.get_variable("old", [9, 3], partitioner=tf.fixed_size_partitioner(2))
        new = tf.get_variable("new", [9, 3], partitioner=tf.fixed_size_partitioner(3))
        safe = tf.contrib.layers.safe_embedding_lookup_sparse(
            list(old), ids, weights, combiner="mean", default_id=2, partition_strategy="div"
        )
        clipped = tf.nn.embedding_lookup_sparse(
            list(new), ids, weights, "div", combiner="sum", max_norm=0.6
        )
        plain = tf.nn.embedding_lookup(list(new), ids.values, "div")
        hub.add_signature(
            inputs={"ids": ids, "weights": weights},
            outputs={"default": safe, "clipped": clipped, "plain": plain},
        )

    indices = np.array([[0, 0], [0, 1], [2, 0], [3, 0], [3, 2]], "int64")
    shape = np.array([4, 3], "int64")
    ids = tf.SparseTensorValue(indices, np.array([8, 1, 1, 0, 5], "int64"), shape)
    weights = np.array([0.5, 1.5, 1.0, 2.0, 0.25], "float32")
    inputs = {"ids": ids, "weights": tf.SparseTensorValue(indices, weights, shape)}
    return Case(build, {"default": inputs}, train=Train(learning_rate=0.05))


@case
def sentence_encoder() -> Case:
    """Words and pairs of words, hashed; attention over the words; a vector of length one."""

    def build() -> None:
        text = tf.placeholder(tf.string, [None], "text")
        words = tf.string_split(_normalize(text), " ")
        ids = tf.strings.to_hash_bucket_fast(words.values, 40)
        rows, columns = words.indices[:, 0], words.indices[:, 1]
        together = tf.equal(rows[1:], rows[:-1])
        joined = tf.strings.join([words.values[:-1], words.values[1:]], "_")
        pairs = tf.boolean_mask(tf.strings.to_hash_bucket_fast(joined, 40), together)
        pair_rows = tf.boolean_mask(rows[1:], together)
        sentences = tf.size(text, out_type=tf.int64)

        table = tf.get_variable("words", [40, 8])
        pair_table = tf.get_variable("pairs", [40, 8])
        found = tf.nn.embedding_lookup(table, ids)
        of_pairs = tf.math.unsorted_segment_sqrt_n(
            tf.nn.embedding_lookup(pair_table, pairs), pair_rows, sentences
        )
        dense_shape = tf.concat([words.dense_shape, [8]], 0)
        dense = tf.scatter_nd(words.indices, found, dense_shape)
        mask = tf.scatter_nd(words.indices, tf.ones_like(columns, tf.float32), words.dense_shape)
        places = tf.cast(tf.range(words.dense_shape[1]), tf.float32)[:, None]
        waves = places / tf.pow(100.0, tf.range(0.0, 1.0, 0.25))
        dense += tf.concat([tf.sin(waves), tf.cos(waves)], 1)[None]
        query, key, value = tf.split(tf.layers.dense(dense, 24, use_bias=False), 3, -1)
        scores = tf.einsum("bid,bjd->bij", query, key) / np.sqrt(8.0).astype("float32")
        scores = tf.where(
            tf.tile(mask[:, None, :] > 0, [1, tf.shape(mask)[1], 1]),
            scores,
            tf.fill(tf.shape(scores), -1e9),
        )
        attended = dense + tf.matmul(tf.nn.softmax(scores), value)
        count = tf.reduce_sum(mask, 1, keepdims=True)
        summed = tf.reduce_sum(attended * mask[:, :, None], 1) / tf.sqrt(count)
        hidden = tf.layers.dense(tf.concat([summed, of_pairs], 1), 8, tf.nn.relu)
        hidden = tf.layers.dense(hidden, 6, tf.tanh, kernel_regularizer=l2(0.01))
        vector = tf.nn.l2_normalize(hidden, 1)
        hub.add_signature(inputs={"text": text}, outputs=vector)
        similar = tf.sparse.sparse_dense_matmul(
            tf.SparseTensor(words.indices, tf.ones_like(columns, tf.float32), words.dense_shape),
            tf.ones(tf.concat([words.dense_shape[1:], [1]], 0)),
        )
        hub.add_signature("scores", {"text": text}, {"default": hidden, "words": similar})

    text = strings("The cat sat on the mat.", "Dogs!", "not very, very good", "a cat sat")
    return Case(
        build,
        {"default": {"text": text}, "scores": {"text": text}},
        train=Train("scores", (), ["default"]),
    )
