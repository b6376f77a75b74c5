"""Iterators over datasets, which are state of the module as its tables are."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from case import Case, Train, case, text_file


@case
def dataset_iterators() -> Case:
    """One that starts by itself; one whose initializer is among those of the tables."""

    def build() -> None:
        x = tf.placeholder(tf.float32, [None], "x")
        scale = tf.get_variable("scale", [], initializer=tf.ones_initializer())
        data = tf.data.Dataset.range(1, 40).map(lambda n: 2 * n - 1).batch(3).repeat()
        one_shot = tf.cast(tf.data.make_one_shot_iterator(data).get_next(), tf.float32)
        hub.add_signature(inputs={"x": x}, outputs=(x + one_shot) * scale)

        words = text_file("words.txt", ["pear", "fig", "plum", "lime"])
        table = tf.contrib.lookup.index_table_from_file(words)
        data = tf.data.Dataset.from_tensor_slices((["a", "b", "c", "d"], tf.range(4)))
        data = data.map(lambda word, n: (word + tf.as_string(n), n * 2)).shuffle(1).batch(2)
        iterator = tf.data.make_initializable_iterator(data)
        tf.add_to_collection(tf.GraphKeys.TABLE_INITIALIZERS, iterator.initializer)
        word, n = iterator.get_next()
        hub.add_signature("words", {}, {"words": word, "numbers": n})
        fruit = tf.placeholder(tf.string, [None], "fruit")
        hub.add_signature("plain", {"fruit": fruit}, table.lookup(fruit))

    return Case(
        build,
        {
            "default": {"x": np.array([0, 1, 2], "float32")},
            "words": {},
            "plain": {"fruit": np.array(["fig", "lime"], object)},
        },
        calls=2,
        drop_collections=["iterators"],
        train=Train(loss_with_step=True),
    )
