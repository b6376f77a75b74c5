"""Transformers: layers of their own, or shared by all as in ALBERT."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, text_file

_VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + ["word%d" % i for i in range(15)]
_HIDDEN, _HEADS, _POSITIONS = 16, 2, 12


def _gelu(x: tf.Tensor) -> tf.Tensor:
    return 0.5 * x * (1.0 + tf.erf(x / np.sqrt(2.0).astype("float32")))


def _dense(x: tf.Tensor, size: int, name: str, activation=None) -> tf.Tensor:
    start = tf.truncated_normal_initializer(stddev=0.2)
    return tf.layers.dense(x, size, activation, kernel_initializer=start, name=name)


def _normalize(x: tf.Tensor, scope: str = "LayerNorm") -> tf.Tensor:
    return tf.contrib.layers.layer_norm(x, begin_norm_axis=-1, begin_params_axis=-1, scope=scope)


def _drop(x: tf.Tensor, rate: tf.Tensor | None) -> tf.Tensor:
    return x if rate is None else tf.nn.dropout(x, rate=rate)


def _attend(x: tf.Tensor, mask: tf.Tensor, rate: tf.Tensor | None) -> tf.Tensor:
    shape = tf.shape(x)

    def heads(name: str) -> tf.Tensor:
        split = tf.reshape(
            _dense(x, _HIDDEN, name), [shape[0], shape[1], _HEADS, _HIDDEN // _HEADS]
        )
        return tf.transpose(split, [0, 2, 1, 3])

    scores = tf.matmul(heads("query"), heads("key"), transpose_b=True)
    scores = scores / np.sqrt(_HIDDEN // _HEADS).astype("float32")
    bias = (1.0 - tf.cast(mask, tf.float32))[:, None, None, :] * -10000.0
    shares = _drop(tf.nn.softmax(scores + bias), rate)
    context = tf.transpose(tf.matmul(shares, heads("value")), [0, 2, 1, 3])
    return tf.reshape(context, [shape[0], shape[1], _HIDDEN])


def _layer(x: tf.Tensor, mask: tf.Tensor, rate: tf.Tensor | None) -> tf.Tensor:
    with tf.variable_scope("attention"):
        attended = _dense(_attend(x, mask, rate), _HIDDEN, "output")
        x = _normalize(x + _drop(attended, rate))
    hidden = _dense(x, 2 * _HIDDEN, "intermediate", _gelu)
    return _normalize(x + _drop(_dense(hidden, _HIDDEN, "output"), rate))


def _embed(ids: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    table = tf.get_variable("word_embeddings", [len(_VOCABULARY), size])
    flat = tf.gather(table, tf.reshape(ids, [-1]))
    return tf.reshape(flat, tf.concat([tf.shape(ids), [size]], 0)), table


def _add_places(x: tf.Tensor, segments: tf.Tensor, rate: tf.Tensor | None) -> tf.Tensor:
    size = x.shape[-1]
    kinds = tf.get_variable("token_type_embeddings", [2, size])
    x += tf.tensordot(tf.one_hot(segments, 2), kinds, 1)  # faster than a gather for two rows
    places = tf.get_variable("position_embeddings", [_POSITIONS, size])
    length = tf.shape(x)[1]
    with tf.control_dependencies([tf.assert_less_equal(length, _POSITIONS)]):
        x += tf.slice(places, [0, 0], [length, -1])[None]
    return _drop(_normalize(x), rate)


def _pool(sequence: tf.Tensor) -> tf.Tensor:
    return _dense(tf.squeeze(sequence[:, :1], 1), _HIDDEN, "pooler", tf.tanh)


def _predict(sequence: tf.Tensor, positions: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
    """Logits of the words at positions [batch, number]; the table is that of the inputs."""
    shape = tf.shape(sequence)
    offsets = tf.range(shape[0])[:, None] * shape[1]
    chosen = tf.gather(tf.reshape(sequence, [-1, _HIDDEN]), tf.reshape(positions + offsets, [-1]))
    with tf.variable_scope("cls"):
        chosen = _normalize(_dense(chosen, int(table.shape[1]), "transform", _gelu))
        bias = tf.get_variable("bias", [len(_VOCABULARY)], initializer=tf.zeros_initializer())
    return tf.matmul(chosen, table, transpose_b=True) + bias


def _placeholders() -> dict[str, tf.Tensor]:
    names = ("input_ids", "input_mask", "segment_ids")
    return {name: tf.placeholder(tf.int32, [None, None], name) for name in names}


def _add_signatures(inputs: dict[str, tf.Tensor], sequence: tf.Tensor, table: tf.Tensor) -> None:
    pooled = _pool(sequence)
    outputs = {"pooled_output": pooled, "sequence_output": sequence}
    hub.add_signature("tokens", inputs, dict(outputs, default=pooled))
    positions = tf.placeholder(tf.int32, [None, None], "mlm_positions")
    logits = _predict(sequence, positions, table)
    hub.add_signature(
        "mlm", dict(inputs, mlm_positions=positions), dict(outputs, mlm_logits=logits)
    )
    vocabulary = tf.constant(text_file("vocab.txt", _VOCABULARY), tf.string, name="vocab_file")
    tf.add_to_collection(tf.GraphKeys.ASSET_FILEPATHS, vocabulary)
    lower = tf.constant(True, name="do_lower_case")
    hub.add_signature("tokenization_info", outputs={"do_lower_case": lower})
    return outputs


def _build_bert(training: bool) -> None:
    inputs = _placeholders()
    # A rate that nobody feeds: the ops of dropout are there, and drop nothing.
    rate = tf.placeholder_with_default(0.0, [], "dropout_rate") if training else None
    with tf.variable_scope("bert"):
        with tf.variable_scope("embeddings"):
            x, table = _embed(inputs["input_ids"], _HIDDEN)
            x = _add_places(x, inputs["segment_ids"], rate)
        for k in range(2):
            with tf.variable_scope("encoder/layer_%d" % k):
                x = _layer(x, inputs["input_mask"], rate)
        _add_signatures(inputs, x, table)


def _build_albert(training: bool) -> None:
    inputs = _placeholders()
    rate = tf.placeholder_with_default(0.0, [], "dropout_rate") if training else None
    with tf.variable_scope("albert"):
        with tf.variable_scope("embeddings"):
            x, table = _embed(inputs["input_ids"], 4)
            x = _add_places(x, inputs["segment_ids"], rate)
        with tf.variable_scope("encoder", reuse=tf.AUTO_REUSE):
            x = _dense(x, _HIDDEN, "embedding_hidden_mapping_in")
            for _ in range(2):
                with tf.variable_scope("group_0"):
                    x = _layer(x, inputs["input_mask"], rate)
        _add_signatures(inputs, x, table)


_VARIANTS = (((), {"training": False}), (("train",), {"training": True}))


def _inputs() -> dict[str, dict[str, np.ndarray]]:
    tokens = {
        "input_ids": np.array([[2, 7, 4, 9, 3, 11, 3], [2, 5, 14, 3, 0, 0, 0]], "int32"),
        "input_mask": np.array([[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0]], "int32"),
        "segment_ids": np.array([[0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0, 0]], "int32"),
    }
    positions = np.array([[2, 3], [1, 0]], "int32")
    return {
        "tokens": tokens,
        "mlm": dict(tokens, mlm_positions=positions),
        "tokenization_info": {},
    }


@case
def bert() -> Case:
    train = Train("tokens", ["train"], ["pooled_output", "sequence_output"], 0.001)
    return Case(_build_bert, _inputs(), _VARIANTS, train)


@case
def albert() -> Case:
    train = Train("mlm", ["train"], ["mlm_logits", "pooled_output"], 0.001)
    return Case(_build_albert, _inputs(), _VARIANTS, train)
