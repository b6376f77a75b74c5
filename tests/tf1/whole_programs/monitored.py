"""A MonitoredTrainingSession with hooks and summaries, on data that an iterator brings."""

import argparse
import glob
import json
import os

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub

parser = argparse.ArgumentParser()
for name in ("modules", "data", "out"):
    parser.add_argument("--" + name)
args = parser.parse_args()


class InitializeIterator(tf.train.SessionRunHook):
    def __init__(self, iterator):
        self.iterator = iterator

    def after_create_session(self, session, coord):
        session.run(self.iterator.initializer)


class KeepLosses(tf.train.SessionRunHook):
    def __init__(self, loss):
        self.loss = loss
        self.values = []

    def before_run(self, run_context):
        return tf.train.SessionRunArgs([self.loss, tf.train.get_global_step()])

    def after_run(self, run_context, run_values):
        self.values.append([float(x) for x in run_values.results])


def make_iterator(words):
    texts = [" ".join(words[k : k + 3]) for k in range(len(words) - 3)]
    table = tf.contrib.lookup.index_table_from_tensor(
        tf.constant(sorted(set(words))), num_oov_buckets=1
    )
    labels = table.lookup(tf.constant([text.split()[0] for text in texts])) % 2
    d = tf.data.Dataset.from_tensor_slices((texts, labels)).repeat()
    d = d.apply(
        tf.contrib.data.map_and_batch(lambda x, y: (tf.string_join([x, "."], " "), y), batch_size=4)
    )
    return d.make_initializable_iterator()


def main():
    words = "the cat sat a dog bad good the dog sat cat a good".split()
    iterator = make_iterator(words)
    texts, labels = iterator.get_next()
    embed = hub.Module(os.path.join(args.modules, "nnlm", "module"), trainable=True)
    net = embed(texts)
    net = tf.contrib.layers.fully_connected(
        net, 5, weights_initializer=tf.glorot_uniform_initializer(seed=4)
    )
    logits = tf.squeeze(tf.layers.dense(net, 1, kernel_initializer=tf.ones_initializer()), axis=1)
    loss = tf.losses.sigmoid_cross_entropy(labels, logits)
    tf.summary.scalar("loss", loss)
    tf.summary.histogram("logits", logits)
    global_step = tf.train.get_or_create_global_step()
    rate = tf.train.exponential_decay(
        0.5, global_step, decay_steps=2, decay_rate=0.8, staircase=True
    )
    train_op = tf.contrib.layers.optimize_loss(
        loss, global_step, rate, "Adagrad", clip_gradients=1.0
    )
    keep = KeepLosses(loss)
    hooks = [
        InitializeIterator(iterator),
        tf.train.StopAtStepHook(last_step=6),
        tf.train.NanTensorHook(loss),
        keep,
    ]
    scaffold = tf.train.Scaffold(
        local_init_op=tf.group(tf.local_variables_initializer(), tf.initialize_all_tables())
    )
    folder = os.path.join(args.out, "logs")
    with tf.train.MonitoredTrainingSession(
        checkpoint_dir=folder,
        hooks=hooks,
        scaffold=scaffold,
        save_checkpoint_steps=3,
        save_summaries_steps=2,
        log_step_count_steps=None,
    ) as sess:
        while not sess.should_stop():
            sess.run(train_op)
    tags = []
    for path in glob.glob(os.path.join(folder, "events*")):
        for event in tf.train.summary_iterator(path):
            tags += ["%d %s" % (event.step, value.tag) for value in event.summary.value]
    record = {
        "losses": keep.values,
        "tags": sorted(t for t in tags if t.split(" ")[1] in ("loss", "logits")),
    }
    variables = tf.train.list_variables(tf.train.latest_checkpoint(folder))
    record["shapes"] = {name: shape for name, shape in variables if "Adagrad" not in name}
    with open(os.path.join(args.out, "record.json"), "w") as f:
        json.dump(record, f, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
