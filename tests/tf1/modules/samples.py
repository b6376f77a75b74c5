"""The samples that the package carries, in compat_hub/tools/samples; the README uses them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import TRAIN_AND_SERVE, Case, Train, case, normal, strings, text_file

from .dense import l2


@case
def pets() -> Case:
    def build(training: bool) -> None:
        def features(fruit: tf.Tensor) -> tf.Tensor:
            with tf.variable_scope("features", reuse=tf.AUTO_REUSE):
                hidden = tf.layers.dense(fruit, 8, name="dense", kernel_regularizer=l2(0.01))
                normalized = tf.layers.batch_normalization(
                    hidden, momentum=0.9, fused=False, training=training, name="norm"
                )
                return tf.nn.relu(normalized)

        fruit = tf.placeholder(tf.float32, [None, 7], "fruit")
        hub.add_signature(inputs={"fruit": fruit}, outputs=features(fruit))

        apples = tf.placeholder(tf.float32, [None, 4], "apples")
        oranges = tf.placeholder(tf.float32, [None, 3], "oranges")
        hidden = features(tf.concat([apples, oranges], axis=1))
        cats = tf.layers.dense(hidden, 2, name="cats", kernel_regularizer=l2(0.02))
        dogs = tf.layers.dense(hidden, 3, name="dogs", kernel_regularizer=l2(0.02))
        hub.add_signature(
            "fruit_to_pet",
            {"apples": apples, "oranges": oranges},
            {"cats": cats, "dogs": dogs},
        )

    return Case(
        build,
        {
            "fruit_to_pet": {"apples": normal("apples", 5, 4), "oranges": normal("oranges", 5, 3)},
            "default": {"fruit": normal("fruit", 5, 7)},
        },
        TRAIN_AND_SERVE,
        Train("fruit_to_pet", ["train"]),
        notes=["compat_hub/tools/samples/pets is a copy of the module."],
    )


_SENTENCES = """
the cat sleeps in the house. the dog sleeps in the house. the cat drinks milk. the dog drinks water.
a cat chases a mouse. a dog chases a cat. the kitten drinks milk. the puppy drinks milk.
the kitten is a young cat. the puppy is a young dog. the cat eats fish. the dog eats meat.
a kitten plays in the garden. a puppy plays in the garden. my dog runs. my cat runs. my puppy barks.
my dog barks. the kitten sleeps. the puppy sleeps. the mouse runs in the garden.
the apple is a sweet fruit. the orange is a sweet fruit. the banana is a sweet fruit.
the pear is ripe. the apple is ripe. the orange is ripe. the lemon is a sour fruit.
a ripe apple hangs on the tree.
a ripe pear hangs on the tree. a ripe orange hangs on the tree. she cuts an apple for the cake.
she cuts a banana for the cake. she cuts a pear for the salad. she cuts an orange for the salad.
he presses an orange for juice. he presses an apple for juice. he presses a lemon for juice.
we buy apples and oranges. we buy bananas and pears. we feed cats and dogs. we feed a puppy.
"""


def _vectors_of_words(size: int) -> tuple[list[str], np.ndarray]:
    """Vectors of the words of _SENTENCES, such that words among the same others are alike.

    They are the singular vectors of the words' positive pointwise mutual information, as in Levy
    and Goldberg, 2014 (Neural Word Embedding as Implicit Matrix Factorization).
    """
    sentences = [line.split() for line in _SENTENCES.replace("\n", " ").split(".")]
    words = sorted({word for sentence in sentences for word in sentence})
    counts = np.zeros([len(words), len(words)])
    for sentence in sentences:
        for k, word in enumerate(sentence):
            for other in sentence[max(k - 2, 0) : k] + sentence[k + 1 : k + 3]:
                counts[words.index(word), words.index(other)] += 1
    expected = np.outer(counts.sum(1), counts.sum(0)) / counts.sum()
    information = np.log(np.maximum(counts / expected, 1.0))
    left, values, _ = np.linalg.svd(information)
    return words, (left[:, :size] * np.sqrt(values[:size])).astype("float32")


@case
def words() -> Case:
    """Sentences in, one vector each out: what most text modules do."""
    vocabulary, vectors = _vectors_of_words(8)

    def build() -> None:
        sentences = tf.placeholder(tf.string, [None], "sentences")
        lower = tf.strings.regex_replace(tf.strings.lower(sentences), r"[[:punct:]]+", " ")
        tokens, _ = tf.sparse.fill_empty_rows(tf.string_split(lower), "")
        table = tf.contrib.lookup.index_table_from_file(
            text_file("words.txt", vocabulary), num_oov_buckets=1
        )
        ids = tf.SparseTensor(tokens.indices, table.lookup(tokens.values), tokens.dense_shape)
        known = np.concatenate([vectors, np.zeros_like(vectors[:1])])
        embeddings = tf.get_variable("embeddings", initializer=known)
        mean = tf.nn.embedding_lookup_sparse(embeddings, ids, None, combiner="sqrtn")
        hub.add_signature(inputs=sentences, outputs=mean)

    sentences = strings("A cat drinks milk.", "", "Two ripe apples!", "the puppy", "zebra")
    return Case(
        build,
        {"default": {"default": sentences}},
        train=Train(learning_rate=0.1),
        notes=["compat_hub/tools/samples/words is a copy of the module."],
    )
