"""BERT (Devlin et al., arXiv:1810.04805) and ALBERT (Lan et al., arXiv:1909.11942), base size."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from benchmarks.modules.layers import Layers

UNITS = 768
_HEADS = 12
_BLOCKS = 12
_POSITIONS = 512
_DROPOUT = 0.1
BERT_VOCABULARY = 30522
ALBERT_VOCABULARY = 30000
ALBERT_FACTOR = 128


class Encoded(NamedTuple):
    """What an encoder gives."""

    pooled: Any  # [batch, units]
    sequence: Any  # [batch, tokens, units]
    embedded: Any  # [batch, tokens, units of the embedding]


def bert(layers: Layers, ids: Any, mask: Any, segments: Any) -> Encoded:
    """BERT-base, of three [batch, tokens] integer tensors."""
    embedded = _embed(layers, ids, segments, BERT_VOCABULARY, UNITS)
    x = embedded
    for _ in range(_BLOCKS):
        x = _block(layers, x, mask)
    return Encoded(_pool(layers, x), x, embedded)


def albert(layers: Layers, ids: Any, mask: Any, segments: Any) -> Encoded:
    """ALBERT-base: the same block twelve times, a factorized embedding."""
    embedded = _embed(layers, ids, segments, ALBERT_VOCABULARY, ALBERT_FACTOR)
    x = layers.dense(embedded, UNITS)
    for _ in range(_BLOCKS):
        with layers.shared("block"):
            x = _block(layers, x, mask)
    return Encoded(_pool(layers, x), x, embedded)


def _embed(layers: Layers, ids: Any, segments: Any, vocabulary: int, units: int) -> Any:
    positions = tf.zeros_like(ids) + tf.range(tf.shape(ids)[1])
    x = layers.embedding(ids, vocabulary, units)
    x += layers.embedding(segments, 2, units)
    x += layers.embedding(positions, _POSITIONS, units)
    return layers.dropout(layers.layer_norm(x), _DROPOUT)


def _block(layers: Layers, x: Any, mask: Any) -> Any:
    query, key, value = (_heads(layers.dense(x, UNITS)) for _ in range(3))
    scores = tf.matmul(query, key, transpose_b=True) * (UNITS // _HEADS) ** -0.5
    scores += (1.0 - tf.cast(mask, tf.float32)[:, tf.newaxis, tf.newaxis]) * -1e4
    weights = layers.dropout(tf.nn.softmax(scores), _DROPOUT)
    context = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
    shape = tf.shape(context)
    context = tf.reshape(context, [shape[0], shape[1], UNITS])
    x = layers.layer_norm(x + layers.dropout(layers.dense(context, UNITS), _DROPOUT))
    y = layers.dense(_gelu(layers.dense(x, 4 * UNITS)), UNITS)
    return layers.layer_norm(x + layers.dropout(y, _DROPOUT))


def _heads(x: Any) -> Any:
    shape = tf.shape(x)
    x = tf.reshape(x, [shape[0], shape[1], _HEADS, UNITS // _HEADS])
    return tf.transpose(x, [0, 2, 1, 3])


def _gelu(x: Any) -> Any:
    """Hendrycks and Gimpel, arXiv:1606.08415, by the approximation that BERT uses."""
    return 0.5 * x * (1.0 + tf.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def _pool(layers: Layers, x: Any) -> Any:
    return tf.tanh(layers.dense(x[:, 0], UNITS))
