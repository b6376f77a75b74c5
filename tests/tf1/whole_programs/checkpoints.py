"""Partitioned variables, and a checkpoint that another run of TensorFlow 1 wrote, restored."""

import argparse
import json
import os

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub

parser = argparse.ArgumentParser()
for name in ("modules", "data", "out"):
    parser.add_argument("--" + name)
parser.add_argument("--write_start", action="store_true")
args = parser.parse_args()


def build():
    texts = tf.placeholder(tf.string, [None], name="texts")
    labels = tf.placeholder(tf.float32, [None, 2], name="labels")
    with tf.variable_scope("model", partitioner=tf.fixed_size_partitioner(2)):
        m = hub.Module(os.path.join(args.modules, "nnlm", "module"), trainable=True, name="text")
        weights = tf.get_variable(
            "weights", [6, 4], initializer=tf.truncated_normal_initializer(seed=3)
        )
        hidden = tf.nn.tanh(tf.matmul(m(texts), tf.convert_to_tensor(weights)))
        logits = tf.layers.dense(
            hidden, 2, kernel_initializer=tf.glorot_normal_initializer(seed=5), name="logits"
        )
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits))
    step = tf.train.AdamOptimizer(0.02).minimize(loss, global_step=tf.train.create_global_step())
    return texts, labels, loss, step


def main():
    texts, labels, loss, step = build()
    feed = {texts: ["a good cat", "the bad dog", "good"], labels: np.eye(2)[[0, 1, 1]]}
    start = os.path.join(args.data, "checkpoints_start", "model.ckpt")
    saver = tf.train.Saver(max_to_keep=2)
    with tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=1)) as sess:
        sess.run(tf.initialize_all_variables())
        sess.run(tf.tables_initializer())
        fresh = float(sess.run(loss, feed))
        if args.write_start:
            for _ in range(3):
                sess.run(step, feed)
            saver.save(sess, start, write_meta_graph=False)
        saver.restore(sess, start)
        losses = [float(sess.run([loss, step], feed)[0]) for _ in range(4)]
        path = saver.save(
            sess, os.path.join(args.out, "model.ckpt"), global_step=tf.train.get_global_step()
        )
        sess.run(tf.global_variables_initializer())
        saver.restore(sess, tf.train.latest_checkpoint(args.out))
        again = float(sess.run(loss, feed))
    reader = tf.train.NewCheckpointReader(path)
    record = {
        "fresh": fresh,
        "losses": losses,
        "again": again,
        "step": int(reader.get_tensor("global_step")),
        "shapes": reader.get_variable_to_shape_map(),
        "partitions": [v.name for v in tf.global_variables() if "weights" in v.name],
    }
    with open(os.path.join(args.out, "record.json"), "w") as f:
        json.dump(record, f, indent=1, sort_keys=True)


main()
