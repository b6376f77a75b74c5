"""A text embedding: a vocabulary, a table, and the mean of a sentence's vectors."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

v1 = tf.compat.v1

UNITS = 128


def word(number: int) -> str:
    """The word of a row of the table."""
    return f"word{number}"


def write_vocabulary(rows: int, path: str) -> str:
    """Writes all words but the last, which stands for all others, a line each."""
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{word(k)}\n" for k in range(rows - 1))
    return path


def sentence_embeddings(sentences: Any, rows: int, vocabulary: str) -> Any:
    """Vectors [batch, units] of sentences [batch], in the current graph."""
    values = v1.truncated_normal_initializer(stddev=0.1)
    table = v1.get_variable("embeddings", [rows, UNITS], initializer=values)
    words = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            vocabulary,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
            vocab_size=rows - 1,
        ),
        num_oov_buckets=1,
    )
    tokens = tf.raw_ops.StringSplitV2(input=sentences, sep="")
    sparse = tf.SparseTensor(tokens.indices, words.lookup(tokens.values), tokens.shape)
    return v1.nn.embedding_lookup_sparse(table, sparse, None, combiner="mean")
