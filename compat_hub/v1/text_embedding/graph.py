"""The graph that makes a sentence's embedding of the vectors of its tokens."""

from __future__ import annotations

import tensorflow as tf

from compat_hub.v1.authoring.signatures import add_signature
from compat_hub.v1.text_embedding.vector_file import EmbeddingFile

VARIABLE = "embeddings"
COMBINERS = {
    "sqrtn": tf.sparse.segment_sqrt_n,
    "mean": tf.sparse.segment_mean,
    "sum": tf.sparse.segment_sum,
}

_NOT_FOUND = -1


def build_graph(
    file: EmbeddingFile,
    vocabulary_path: str,
    num_oov_buckets: int,
    preprocess_text: bool,
    lowercase: bool,
    combiner: str,
) -> None:
    """Builds the graph in the current one, with its signature, as a `module_fn` does.

    All ops, and how they are used here, are those of TensorFlow 1.15 too.

    Args:
        file: What `embedding_file.scan` gave.
        vocabulary_path: The vocabulary file that it wrote.
        num_oov_buckets: As for `text_embedding.export`.
        preprocess_text: Likewise.
        lowercase: Likewise.
        combiner: A key of `COMBINERS`.
    """
    sentences = tf.compat.v1.placeholder(tf.string, [None], "sentences")
    text: tf.Tensor = sentences
    if preprocess_text:
        text = tf.strings.regex_replace(text, r"\pP", "")
    if lowercase:
        text = tf.strings.lower(text, encoding="utf-8")
    # Without a separator it splits at whitespace, as the file's lines are split.
    tokens = tf.raw_ops.StringSplitV2(input=text, sep="")
    ids, rows = (
        _look_up(file, vocabulary_path, tokens.values, num_oov_buckets),
        tokens.indices[:, 0],
    )
    if not num_oov_buckets:
        known = tf.where(tf.not_equal(ids, _NOT_FOUND))[:, 0]
        ids, rows = tf.gather(ids, known), tf.gather(rows, known)
    embeddings = tf.compat.v1.get_variable(
        VARIABLE,
        [file.num_tokens + num_oov_buckets, file.dimensions],
        initializer=tf.compat.v1.zeros_initializer(),
    )
    unique_ids, positions = tf.unique(ids)
    vectors = tf.nn.embedding_lookup(embeddings, unique_ids)
    # The number of segments gives sentences without tokens the zero vector.
    combined = COMBINERS[combiner](
        vectors, positions, tf.cast(rows, tf.int32), num_segments=tokens.shape[0]
    )
    add_signature(inputs={"sentences": sentences}, outputs={"default": combined})


def _look_up(
    file: EmbeddingFile, vocabulary_path: str, tokens: tf.Tensor, num_oov_buckets: int
) -> tf.Tensor:
    """The rows of tokens, in the variable; without buckets, unknown tokens have `_NOT_FOUND`."""
    graph = tf.compat.v1.get_default_graph()
    path = tf.constant(vocabulary_path, name="vocabulary")
    graph.add_to_collection(tf.compat.v1.GraphKeys.ASSET_FILEPATHS, path)
    # tf.lookup's tables would be shared under a name with the path of this machine in it. Two
    # modules loaded into one program share a table of one name, so it has to tell their tokens.
    table = tf.raw_ops.HashTableV2(
        key_dtype=tf.string, value_dtype=tf.int64, shared_name=f"vocabulary_{file.digest}"
    )
    initializer = tf.raw_ops.InitializeTableFromTextFileV2(
        table_handle=table,
        filename=path,
        key_index=tf.lookup.TextFileIndex.WHOLE_LINE,
        value_index=tf.lookup.TextFileIndex.LINE_NUMBER,
        vocab_size=file.num_tokens,
    )
    graph.add_to_collection(tf.compat.v1.GraphKeys.TABLE_INITIALIZERS, initializer)
    default = tf.constant(_NOT_FOUND, tf.int64)
    ids = tf.raw_ops.LookupTableFindV2(table_handle=table, keys=tokens, default_value=default)
    ids.set_shape([None])
    if not num_oov_buckets:
        return ids
    buckets = tf.strings.to_hash_bucket_fast(tokens, num_oov_buckets)
    return tf.where(tf.not_equal(ids, _NOT_FOUND), ids, buckets + file.num_tokens)
