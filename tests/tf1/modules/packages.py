"""Ops of packages beside TensorFlow: tensorflow_text, and tf_sentencepiece, which is gone."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, strings, text_file

TEXT = [
    "sphinx of black quartz judge my vow",
    "pack my box with five dozen liquor jugs",
    "the five boxing wizards jump quickly",
    "how vexingly quick daft zebras jump",
]
SENTENCES = ["black zebras jump", "", "judge the jugs of liquor", "five jumping \u00e9lans"]


def sentencepiece_model() -> bytes:
    """A small model; the rule "identity" has no table of characters to normalize."""
    text_file("pieces.txt", TEXT * 8)
    # In a process of its own: beside TensorFlow it crashes.
    code = "import sentencepiece; sentencepiece.SentencePieceTrainer.Train(%r)" % (
        "--input=pieces.txt --model_prefix=pieces --vocab_size=48 --hard_vocab_limit=false "
        "--normalization_rule_name=identity --num_threads=1 --minloglevel=2"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with open("pieces.model", "rb") as file:
        model = file.read()
    for name in "pieces.txt", "pieces.model", "pieces.vocab":
        os.remove(name)
    return model


@case
def text_sentencepiece() -> Case:
    """A tokenizer with a resource of its own before trained embeddings; and one with a table."""

    def build() -> None:
        import tensorflow_text

        tokenizer = tensorflow_text.SentencepieceTokenizer(sentencepiece_model())
        file = text_file("words.txt", ["ju", "##mp", "##ing", "five", "quick", "##ly", "[UNK]"])
        table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                file,
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            -1,
        )
        wordpieces = tensorflow_text.WordpieceTokenizer(table, token_out_type=tf.int64)
        sentences = tf.placeholder(tf.string, [None], "sentences")
        embeddings = tf.get_variable("embeddings", [80, 3])
        ids = tokenizer.tokenize(sentences)
        vectors = tf.math.segment_sum(
            tf.nn.embedding_lookup(embeddings, ids.flat_values), ids.value_rowids()
        )
        hub.add_signature(inputs=sentences, outputs=tf.layers.dense(vectors, 2))
        hub.add_signature(
            "tokens",
            {"sentences": sentences},
            {
                "ids": ids.to_tensor(-1),
                "size": tokenizer.vocab_size(),
                "texts": tokenizer.detokenize(ids),
            },
        )
        words = tf.strings.split(sentences).values
        hub.add_signature(
            "words", {"sentences": sentences}, wordpieces.tokenize(words).to_tensor(-1)
        )
        x = tf.placeholder(tf.float32, [None, 3], "x")
        hub.add_signature("plain", {"x": x}, tf.matmul(x, embeddings, transpose_b=True))

    sentences = strings(*SENTENCES[:1], *SENTENCES[2:])
    return Case(
        build,
        {
            "default": {"default": sentences},
            "tokens": {"sentences": strings(*SENTENCES)},
            "words": {"sentences": strings("five jumping jumps", "quickly five")},
            "plain": {"x": np.ones([2, 3], "float32")},
        },
        train=Train(),
        package="tensorflow_text",
        imports=["tensorflow_text"],
    )


@case
def text_tf_sentencepiece() -> Case:
    """The ops of the first multilingual sentence encoders, with the model in each node."""

    def build() -> None:
        import tf_sentencepiece as ops

        model = {"model_proto": sentencepiece_model()}
        sentences = tf.placeholder(tf.string, [None], "sentences")
        embeddings = tf.get_variable("embeddings", [80, 3])
        ids = ops.encode_sparse(sentences, add_bos=True, reverse=True, **model)
        hub.add_signature(
            inputs=sentences,
            outputs=tf.nn.embedding_lookup_sparse(embeddings, ids, None, combiner="sqrtn"),
        )
        dense, lengths = ops.encode_dense(sentences, add_eos=True, **model)
        pieces, counts = ops.encode_dense(
            sentences, out_type=tf.string, add_bos=True, add_eos=True, reverse=True, **model
        )
        sparse = ops.encode_sparse(sentences, out_type=tf.string, **model)
        plain, plain_lengths = ops.encode_dense(sentences, reverse=True, **model)
        texts, text_lengths = ops.encode_dense(sentences, out_type=tf.string, **model)
        hub.add_signature(
            "tokens",
            {"sentences": sentences},
            {
                "dense": dense,
                "lengths": lengths,
                "pieces": pieces,
                "counts": counts,
                "sparse": sparse,
                "default": tf.sparse.to_dense(ids, -1),
                "texts": ops.decode(plain, plain_lengths, reverse=True, **model),
                "texts_of_pieces": ops.decode(texts, text_lengths, **model),
            },
        )
        numbers = tf.placeholder(tf.int32, [None, None], "numbers")
        names = ops.id_to_piece(numbers, **model)
        hub.add_signature(
            "pieces",
            {"numbers": numbers},
            {
                "size": ops.piece_size(**model),
                "names": names,
                "again": ops.piece_to_id(names, **model),
                "unknown": ops.is_unknown(numbers, **model),
                "control": ops.is_control(numbers, **model),
                "unused": ops.is_unused(numbers, **model),
            },
        )

    sentences = strings(*SENTENCES)
    return Case(
        build,
        {
            "default": {"default": sentences},
            "tokens": {"sentences": sentences},
            "pieces": {"numbers": np.array([[0, 1, 2], [3, 20, 5]], "int32")},
        },
        train=Train(),
        package="tensorflow_text",
        imports=["tf_sentencepiece"],
    )
