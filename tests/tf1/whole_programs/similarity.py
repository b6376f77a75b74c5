"""How alike sentences are, by a placeholder and one session."""

from __future__ import print_function

import json
import sys

import numpy
import tensorflow as tf, tensorflow_hub as hub

modules, out = [a.split("=")[1] for a in sys.argv[1:] if a.startswith(("--modules", "--out"))]
embed = hub.Module(modules + "/sentence_encoder/module")
similarity_input_placeholder = tf.placeholder(tf.string, shape=(None))
encodings = tf.nn.l2_normalize(embed(similarity_input_placeholder), dim=1)
scores = tf.matmul(encodings, encodings, transpose_b=True)
sentences = ["a good cat", "the bad dog", "good dog", "cat"]
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    session.run(tf.tables_initializer())
    result = session.run(scores, feed_dict={similarity_input_placeholder: sentences})
    nearest = session.run(
        tf.nn.top_k(scores, k=2)[1], feed_dict={similarity_input_placeholder: sentences}
    )
with open(out + "/record.json", "w") as f:
    json.dump(
        {"scores": numpy.array(result).tolist(), "nearest": nearest.tolist()},
        f,
        indent=1,
        sort_keys=True,
    )
