"""A language model over characters, both ways, whose layers a task weighs and mixes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, strings

from .dense import l2

_LONGEST_WORD = 7
_BEGIN, _END, _PAD = 256, 257, 258
_FILTERS = ((1, 3), (2, 4), (3, 5))  # width and number
_SIZE = 6


def _characters(word: tf.Tensor) -> tf.Tensor:
    """One word's bytes between two marks, padded; shape [_LONGEST_WORD]."""
    letters = tf.cast(tf.decode_raw(word, tf.uint8)[: _LONGEST_WORD - 2], tf.int32)
    marked = tf.concat([[_BEGIN], letters, [_END]], 0)
    return tf.pad(marked, [[0, _LONGEST_WORD - tf.size(marked)]], constant_values=_PAD)


def _embed_words(words: tf.Tensor) -> tf.Tensor:
    """From strings [batch, time] to vectors [batch, time, _SIZE]."""
    flat = tf.reshape(words, [-1])
    characters = tf.map_fn(_characters, flat, tf.int32, back_prop=False)
    characters.set_shape([None, _LONGEST_WORD])
    table = tf.get_variable("characters", [_PAD + 1, 4])
    embedded = tf.nn.embedding_lookup(table, characters)[:, None]
    features = []
    for width, number in _FILTERS:
        kernel = tf.get_variable("filter_%d" % width, [1, width, 4, number])
        conv = tf.nn.conv2d(embedded, kernel, [1, 1, 1, 1], "VALID")
        features.append(tf.tanh(tf.reduce_max(conv, [1, 2])))
    hidden = tf.concat(features, -1)
    width = sum(number for _, number in _FILTERS)
    for k in range(2):
        with tf.variable_scope("highway_%d" % k):
            carry = tf.layers.dense(hidden, width, tf.sigmoid, name="carry")
            hidden = (
                carry * tf.layers.dense(hidden, width, tf.nn.relu, name="transform")
                + (1.0 - carry) * hidden
            )
    hidden = tf.layers.dense(hidden, _SIZE, name="projection")
    return tf.reshape(hidden, tf.concat([tf.shape(words), [_SIZE]], 0))


def _lstm() -> tf.nn.rnn_cell.RNNCell:
    return tf.nn.rnn_cell.LSTMCell(8, num_proj=_SIZE, cell_clip=3.0, proj_clip=3.0)


def _model(words: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
    with tf.variable_scope("model", reuse=tf.AUTO_REUSE):
        embedded = _embed_words(words)
        layers = []
        directions = [embedded, embedded]
        for k in range(2):
            with tf.variable_scope("layer_%d" % k):
                forward, _ = tf.nn.dynamic_rnn(
                    _lstm(), directions[0], lengths, dtype=tf.float32, scope="forward"
                )
                turned = tf.reverse_sequence(directions[1], lengths, 1, 0)
                backward, _ = tf.nn.dynamic_rnn(
                    _lstm(), turned, lengths, dtype=tf.float32, scope="backward"
                )
                backward = tf.reverse_sequence(backward, lengths, 1, 0)
            if k:
                forward, backward = forward + directions[0], backward + directions[1]
            directions = [forward, backward]
            layers.append(tf.concat(directions, -1))
        weights = tf.get_variable(
            "aggregation/weights", [3], initializer=tf.zeros_initializer(), regularizer=l2(0.001)
        )
        gamma = tf.get_variable("aggregation/scaling", [], initializer=tf.ones_initializer())
    layers.insert(0, tf.concat([embedded, embedded], -1))
    shares = tf.unstack(tf.nn.softmax(weights))
    mixed = gamma * tf.add_n([share * layer for share, layer in zip(shares, layers)])
    mask = tf.sequence_mask(lengths, tf.shape(words)[1], tf.float32)[:, :, None]
    mean = tf.reduce_sum(mixed * mask, 1) / tf.cast(lengths, tf.float32)[:, None]
    return {
        "word_emb": embedded,
        "lstm_outputs1": layers[1],
        "lstm_outputs2": layers[2],
        "elmo": mixed,
        "default": mean,
    }


@case
def elmo() -> Case:
    def build() -> None:
        sentences = tf.placeholder(tf.string, [None], "strings")
        split = tf.string_split(sentences, " ")
        words = tf.sparse.to_dense(split, default_value="")
        ones = tf.SparseTensor(
            split.indices, tf.ones_like(split.values, tf.int32), split.dense_shape
        )
        lengths = tf.reshape(tf.sparse.reduce_sum(ones, 1), [-1])
        hub.add_signature(inputs={"strings": sentences}, outputs=_model(words, lengths))

        tokens = tf.placeholder(tf.string, [None, None], "tokens")
        sequence_len = tf.placeholder(tf.int32, [None], "sequence_len")
        hub.add_signature(
            "tokens",
            {"tokens": tokens, "sequence_len": sequence_len},
            _model(tokens, sequence_len),
        )

    return Case(
        build,
        {
            "default": {"strings": strings("the extraordinary cat", "sat", "on a green mat")},
            "tokens": {
                "tokens": strings(["two", "words", ""], ["and", "three", "more"]),
                "sequence_len": np.array([2, 3], "int32"),
            },
        },
        train=Train(outputs=["elmo", "default"]),
    )
