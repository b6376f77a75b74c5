"""An encoder and a decoder with attention: tf.contrib.seq2seq, its loops and TensorArrays."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case

_WORDS = 8
_SIZE = 5
_END = 1


def _build(mechanism: type, is_taught: bool) -> None:
    seq2seq = tf.contrib.seq2seq
    source = tf.placeholder(tf.int32, [None, None], "source")
    source_lengths = tf.placeholder(tf.int32, [None], "source_lengths")
    target = tf.placeholder(tf.int32, [None, None], "target")
    target_lengths = tf.placeholder(tf.int32, [None], "target_lengths")
    table = tf.get_variable("table", [_WORDS, _SIZE])
    memory, state = tf.nn.dynamic_rnn(
        tf.nn.rnn_cell.GRUCell(_SIZE),
        tf.nn.embedding_lookup(table, source),
        source_lengths,
        dtype=tf.float32,
        scope="encoder",
    )
    batch = tf.shape(source)[0]
    projection = tf.layers.Dense(_WORDS, use_bias=False, name="projection")

    def decode(helper: seq2seq.Helper, limit: int | None) -> dict[str, tf.Tensor]:
        with tf.variable_scope("decoder", reuse=tf.AUTO_REUSE):
            cell = seq2seq.AttentionWrapper(
                tf.nn.rnn_cell.GRUCell(_SIZE),
                mechanism(_SIZE, memory, memory_sequence_length=source_lengths),
                attention_layer_size=_SIZE,
                alignment_history=is_taught,
            )
            start = cell.zero_state(batch, tf.float32).clone(cell_state=state)
            outputs, final, lengths = seq2seq.dynamic_decode(
                seq2seq.BasicDecoder(cell, helper, start, projection),
                impute_finished=True,
                maximum_iterations=limit,
                scope="decode",
            )
        results = {
            "default": outputs.rnn_output,
            "ids": outputs.sample_id,
            "lengths": lengths,
            "attention": final.attention,
        }
        if is_taught:
            results["alignments"] = tf.transpose(final.alignment_history.stack(), [1, 0, 2])
        return results

    teacher = seq2seq.TrainingHelper(tf.nn.embedding_lookup(table, target), target_lengths)
    # Not the variable itself: TF 1.15 has no gradient of a resource that enters a condition.
    read_table = table.read_value()
    greedy = seq2seq.GreedyEmbeddingHelper(
        lambda ids: tf.nn.embedding_lookup(read_table, ids), tf.fill([batch], 0), _END
    )
    encoder = {"source": source, "source_lengths": source_lengths}
    decoder = {"target": target, "target_lengths": target_lengths}
    if is_taught:
        hub.add_signature(inputs=dict(encoder, **decoder), outputs=decode(teacher, None))
    hub.add_signature("greedy", encoder, decode(greedy, 6))


def _case(mechanism: str, is_taught: bool) -> Case:
    encoder = {
        "source": np.array([[3, 4, 5, 2], [6, 7, 1, 1]], "int32"),
        "source_lengths": np.array([4, 3], "int32"),
    }
    decoder = {
        "target": np.array([[2, 6, 3], [4, 4, 1]], "int32"),
        "target_lengths": np.array([3, 2], "int32"),
    }
    inputs = {"default": dict(encoder, **decoder), "greedy": encoder}
    if not is_taught:
        del inputs["default"]
    return Case(
        lambda: _build(getattr(tf.contrib.seq2seq, mechanism), is_taught),
        inputs,
        train=Train("default" if is_taught else "greedy", (), ["default"], 0.05),
    )


@case
def seq2seq() -> Case:
    return _case("BahdanauAttention", is_taught=True)


@case
def seq2seq_greedy() -> Case:
    """A decoder alone that goes on from what it said; training goes through what it chose."""
    return _case("LuongAttention", is_taught=False)
