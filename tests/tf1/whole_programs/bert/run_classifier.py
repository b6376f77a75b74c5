"""Fine-tunes BERT for pairs of sentences by a TPUEstimator, on whatever there is."""

from __future__ import absolute_import
from __future__ import print_function

import json
import os

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub

import optimization

flags = tf.flags
FLAGS = flags.FLAGS
flags.DEFINE_string("modules", None, "The folder of the modules.")
flags.DEFINE_string("data", None, "The folder of the data.")
flags.DEFINE_string("out", None, "Where to write.")
flags.DEFINE_bool("use_tpu", False, "Whether to use a TPU.")
flags.DEFINE_string("tpu_name", None, "The TPU.")
tf.flags.DEFINE_integer("num_tpu_cores", 8, "Only used if `use_tpu` is True.")
SEQUENCE = 6
BATCH = 4


def make_features():
    rng = np.random.RandomState(4)
    ids = rng.randint(1, 20, size=[12, SEQUENCE])
    mask = np.array([[1] * (3 + k % 4) + [0] * (SEQUENCE - 3 - k % 4) for k in range(12)])
    return {
        "input_ids": ids * mask,
        "input_mask": mask,
        "segment_ids": (ids % 2) * mask,
        "label_ids": ids[:, 0] % 2,
    }


def input_fn_builder(features, is_training):
    def input_fn(params):
        d = tf.data.Dataset.from_tensor_slices(
            {name: tf.constant(value, dtype=tf.int32) for name, value in features.items()}
        )
        if is_training:
            d = d.repeat()
        return d.batch(batch_size=params["batch_size"], drop_remainder=is_training)

    return input_fn


def create_model(is_training, features, num_labels):
    tags = {"train"} if is_training else set()
    bert_module = hub.Module(
        os.path.join(FLAGS.modules, "bert", "module"), tags=tags, trainable=True
    )
    bert_inputs = dict(
        input_ids=features["input_ids"],
        input_mask=features["input_mask"],
        segment_ids=features["segment_ids"],
    )
    bert_outputs = bert_module(inputs=bert_inputs, signature="tokens", as_dict=True)
    output_layer = bert_outputs["pooled_output"]
    hidden_size = output_layer.shape[-1].value
    output_weights = tf.get_variable(
        "output_weights",
        [num_labels, hidden_size],
        initializer=tf.truncated_normal_initializer(stddev=0.02, seed=9),
    )
    output_bias = tf.get_variable("output_bias", [num_labels], initializer=tf.zeros_initializer())
    with tf.variable_scope("loss"):
        if is_training:
            output_layer = tf.nn.dropout(output_layer, keep_prob=0.9, seed=17)
        logits = tf.nn.bias_add(
            tf.matmul(output_layer, output_weights, transpose_b=True), output_bias
        )
        probabilities = tf.nn.softmax(logits, axis=-1)
        log_probs = tf.nn.log_softmax(logits, axis=-1)
        one_hot_labels = tf.one_hot(features["label_ids"], depth=num_labels, dtype=tf.float32)
        per_example_loss = -tf.reduce_sum(one_hot_labels * log_probs, axis=-1)
        return tf.reduce_mean(per_example_loss), per_example_loss, logits, probabilities


def model_fn_builder(num_labels, learning_rate, num_train_steps, num_warmup_steps, use_tpu):
    def model_fn(features, labels, mode, params):
        is_training = mode == tf.estimator.ModeKeys.TRAIN
        loss, per_example_loss, logits, probabilities = create_model(
            is_training, features, num_labels
        )
        if is_training:
            train_op = optimization.create_optimizer(
                loss, learning_rate, num_train_steps, num_warmup_steps, use_tpu
            )
            hook = tf.train.LoggingTensorHook({"loss": loss}, every_n_iter=1, formatter=keep_loss)
            return tf.contrib.tpu.TPUEstimatorSpec(
                mode=mode, loss=loss, train_op=train_op, training_hooks=[hook]
            )
        if mode == tf.estimator.ModeKeys.EVAL:

            def metric_fn(per_example_loss, label_ids, logits):
                predictions = tf.argmax(logits, axis=-1, output_type=tf.int32)
                return {
                    "eval_accuracy": tf.metrics.accuracy(label_ids, predictions),
                    "eval_loss": tf.metrics.mean(per_example_loss),
                }

            eval_metrics = (metric_fn, [per_example_loss, features["label_ids"], logits])
            return tf.contrib.tpu.TPUEstimatorSpec(mode=mode, loss=loss, eval_metrics=eval_metrics)
        return tf.contrib.tpu.TPUEstimatorSpec(
            mode=mode, predictions={"probabilities": probabilities}
        )

    return model_fn


LOSSES = []


def keep_loss(values):
    LOSSES.append(float(values["loss"]))
    return "loss = %s" % values["loss"]


def main(_):
    tf.logging.set_verbosity(tf.logging.ERROR)
    with tf.Graph().as_default():
        tokenization = hub.Module(os.path.join(FLAGS.modules, "bert", "module"))(
            signature="tokenization_info", as_dict=True
        )
        with tf.Session() as sess:
            lower_case = bool(sess.run(tokenization["do_lower_case"]))
    tpu_cluster_resolver = None
    if FLAGS.use_tpu and FLAGS.tpu_name:
        tpu_cluster_resolver = tf.contrib.cluster_resolver.TPUClusterResolver(FLAGS.tpu_name)
    is_per_host = tf.contrib.tpu.InputPipelineConfig.PER_HOST_V2
    run_config = tf.contrib.tpu.RunConfig(
        cluster=tpu_cluster_resolver,
        model_dir=os.path.join(FLAGS.out, "model"),
        save_checkpoints_steps=1000,
        tf_random_seed=8,
        tpu_config=tf.contrib.tpu.TPUConfig(
            iterations_per_loop=1000,
            num_shards=FLAGS.num_tpu_cores,
            per_host_input_for_training=is_per_host,
        ),
    )
    estimator = tf.contrib.tpu.TPUEstimator(
        use_tpu=FLAGS.use_tpu,
        model_fn=model_fn_builder(
            2, 2e-3, num_train_steps=6, num_warmup_steps=2, use_tpu=FLAGS.use_tpu
        ),
        config=run_config,
        train_batch_size=BATCH,
        eval_batch_size=BATCH,
        predict_batch_size=BATCH,
    )
    features = make_features()
    estimator.train(input_fn=input_fn_builder(features, True), max_steps=6)
    result = estimator.evaluate(input_fn=input_fn_builder(features, False), steps=3)
    predictions = [
        p["probabilities"] for p in estimator.predict(input_fn=input_fn_builder(features, False))
    ]
    record = {
        "lower_case": lower_case,
        "losses": LOSSES,
        "eval_accuracy": float(result["eval_accuracy"]),
        "eval_loss": float(result["eval_loss"]),
        "probabilities": np.array(predictions).tolist(),
    }
    with open(os.path.join(FLAGS.out, "record.json"), "w") as f:
        json.dump(record, f, indent=1, sort_keys=True)


if __name__ == "__main__":
    flags.mark_flag_as_required("out")
    tf.app.run()
