"""ELMo's word vectors, and a tagger that is trained on them."""

import argparse
import json
import os

import tensorflow as tf
import tensorflow_hub as hub

parser = argparse.ArgumentParser()
parser.add_argument("--modules")
parser.add_argument("--data")
parser.add_argument("--out")
args = parser.parse_args()

elmo = hub.Module(os.path.join(args.modules, "elmo", "module"), trainable=True)
tokens_input = [["the", "cat", "sat", ""], ["a", "dog", "", ""]]
tokens_length = [3, 2]
embeddings = elmo(
    inputs={"tokens": tokens_input, "sequence_len": tokens_length}, signature="tokens", as_dict=True
)["elmo"]
cell = tf.nn.rnn_cell.BasicLSTMCell(5, name="tagger")
with tf.variable_scope("", initializer=tf.random_uniform_initializer(-0.2, 0.2, seed=3)):
    outputs, _ = tf.nn.dynamic_rnn(
        cell, embeddings, sequence_length=tokens_length, dtype=tf.float32
    )
logits = tf.layers.dense(outputs, 3, kernel_initializer=tf.constant_initializer(0.1), name="tags")
labels = [[0, 1, 2, 0], [0, 1, 0, 0]]
mask = tf.to_float(tf.sequence_mask(tokens_length, 4))
loss = tf.losses.sparse_softmax_cross_entropy(labels, logits, weights=mask)
step = tf.train.RMSPropOptimizer(0.01).minimize(loss)
values = []
with tf.Session() as sess:
    sess.run([tf.global_variables_initializer(), tf.tables_initializer()])
    vectors = sess.run(embeddings)
    for _ in range(4):
        values.append(float(sess.run([loss, step])[0]))
record = {
    "losses": values,
    "vectors": vectors.tolist(),
    "variables": sorted(v.name for v in tf.trainable_variables()),
}
with open(os.path.join(args.out, "record.json"), "w") as f:
    json.dump(record, f, indent=1, sort_keys=True)
