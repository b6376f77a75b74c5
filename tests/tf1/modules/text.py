"""Strings: vocabulary files as assets, lookup tables, and embeddings of words."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, strings, text_file

from .dense import l2

WORDS = "sphinx of black quartz judge my vow".split()


@case
def text_table() -> Case:
    def build() -> None:
        vocabulary = text_file("vocab.txt", WORDS)
        sentences = tf.placeholder(tf.string, [None], "sentences")
        table = tf.contrib.lookup.index_table_from_file(vocabulary, num_oov_buckets=4)
        ids = table.lookup(tf.string_split(tf.strings.lower(sentences), " "))
        embeddings = tf.get_variable(
            "embeddings",
            [len(WORDS) + 4, 4],
            partitioner=tf.fixed_size_partitioner(3),
            regularizer=l2(0.001),
        )
        y = tf.nn.embedding_lookup_sparse(
            list(embeddings), ids, None, partition_strategy="div", combiner="sqrtn"
        )
        hub.add_signature(inputs=sentences, outputs=y)

    sentences = strings("Sphinx of quartz", "judge the zebra my", "vow")
    return Case(build, {"default": {"default": sentences}}, train=Train())


@case
def text_two_assets() -> Case:
    def build() -> None:
        first = text_file("first/vocab.txt", WORDS)
        second = text_file("second/vocab.txt", ["five", "boxing", "wizards", "jump"])
        words = tf.placeholder(tf.string, [None], "words")
        ids = tf.placeholder(tf.int64, [None], "ids")
        lookup = tf.contrib.lookup
        from_first = lookup.index_table_from_file(first, default_value=-7)
        again_from_first = lookup.index_table_from_file(first, default_value=-7)
        from_second = lookup.index_table_from_file(second, num_oov_buckets=2)
        to_first = lookup.index_to_string_table_from_file(first, default_value="?")
        to_second = lookup.index_to_string_table_from_file(second, default_value="none")
        hub.add_signature(
            inputs={"words": words},
            outputs={
                "first": from_first.lookup(words),
                "again": again_from_first.lookup(words) + 1,
                "second": from_second.lookup(words),
            },
        )
        hub.add_signature(
            "words", {"ids": ids}, {"first": to_first.lookup(ids), "second": to_second.lookup(ids)}
        )

    return Case(
        build,
        {
            "default": {"words": strings("quartz", "wizards", "five", "zebra", "vow")},
            "words": {"ids": np.array([0, 3, 4, 6, 7, -1], "int64")},
        },
    )


@case
def text_kv() -> Case:
    def build() -> None:
        prices_file = text_file("prices.tsv", ["pear\t1.5\t10", "fig\t0.25\t20", "plum\t4\t30"])
        words = tf.placeholder(tf.string, [None, None], "words")
        ids = tf.placeholder(tf.int64, [None], "ids")
        keys = tf.constant(["pear", "fig", "lime"])
        values = tf.constant([30, 10, 20], tf.int64)
        to_id = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)
        to_word = tf.contrib.lookup.HashTable(
            tf.contrib.lookup.KeyValueTensorInitializer(values, keys), "unknown"
        )
        prices = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(prices_file, tf.string, 0, tf.float32, 1), -0.5
        )
        codes = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(prices_file, tf.int64, 2, tf.string, 0), "unlisted"
        )
        scale = tf.get_variable("scale", [], initializer=tf.ones_initializer())
        hub.add_signature(
            inputs={"words": words},
            outputs={"ids": to_id.lookup(words), "prices": prices.lookup(words) * scale},
        )
        hub.add_signature(
            "words", {"ids": ids}, {"words": to_word.lookup(ids), "listed": codes.lookup(ids)}
        )

    return Case(
        build,
        {
            "default": {"words": strings(["pear", "lime"], ["plum", "fig"], ["", "?"])},
            "words": {"ids": np.array([10, 20, 30, 40], "int64")},
        },
        train=Train(outputs=["prices"]),
    )
