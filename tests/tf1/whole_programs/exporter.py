"""An Estimator with a model_fn of its own, evaluated and exported as a module while it trains."""

import json
import os

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from absl import flags

flags.DEFINE_string("modules", None, "The folder of the modules.")
flags.DEFINE_string("data", None, "The folder of the data.")
flags.DEFINE_string("out", None, "Where to write.")
FLAGS = flags.FLAGS


def model_fn(features, labels, mode, params):
    training = mode == tf.estimator.ModeKeys.TRAIN
    m = hub.Module(
        os.path.join(FLAGS.modules, "image_bn", "module"),
        trainable=training,
        tags={"train"} if training else None,
    )
    hub.register_module_for_export(m, "encoder")
    logits = tf.layers.dense(
        m(features["image"]), 3, kernel_initializer=tf.constant_initializer(0.1), name="logits"
    )
    if mode == tf.estimator.ModeKeys.PREDICT:
        return tf.estimator.EstimatorSpec(
            mode, predictions={"probabilities": tf.nn.softmax(logits)}
        )
    loss = (
        tf.losses.sparse_softmax_cross_entropy(labels, logits) + tf.losses.get_regularization_loss()
    )
    metrics = {"accuracy": tf.metrics.accuracy(labels, tf.argmax(logits, axis=1))}
    train_op = None
    if training:
        optimizer = tf.train.GradientDescentOptimizer(params.rate)
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            train_op = optimizer.minimize(loss, global_step=tf.train.get_global_step())
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op, eval_metric_ops=metrics)


def input_fn():
    images = np.random.RandomState(5).rand(12, 8, 8, 3).astype(np.float32)
    labels = np.arange(12) % 3
    dataset = tf.data.Dataset.from_tensor_slices(({"image": images}, labels)).repeat().batch(4)
    return dataset.make_one_shot_iterator().get_next()


class Losses(tf.train.SessionRunHook):
    values = []

    def before_run(self, run_context):
        return tf.train.SessionRunArgs(tf.get_default_graph().get_tensor_by_name("add:0"))

    def after_run(self, run_context, run_values):
        self.values.append(float(run_values.results))


def serving_input_fn():
    images = tf.placeholder(tf.float32, [None, 8, 8, 3])
    return tf.estimator.export.ServingInputReceiver({"image": images}, {"image": images})


def main(argv):
    del argv
    config = tf.estimator.RunConfig(
        model_dir=os.path.join(FLAGS.out, "model"), save_checkpoints_steps=4
    )
    estimator = tf.estimator.Estimator(
        model_fn, config=config, params=tf.contrib.training.HParams(rate=0.1)
    )
    exporter = hub.LatestModuleExporter("modules", serving_input_fn)
    train_spec = tf.estimator.TrainSpec(input_fn, max_steps=4, hooks=[Losses()])
    eval_spec = tf.estimator.EvalSpec(input_fn, steps=3, exporters=[exporter], throttle_secs=0)
    result, _ = tf.estimator.train_and_evaluate(estimator, train_spec, eval_spec)
    predict_input_fn = tf.estimator.inputs.numpy_input_fn(
        {"image": np.ones([1, 8, 8, 3], np.float32)}, shuffle=False
    )
    prediction = next(estimator.predict(predict_input_fn))
    folder = os.path.join(FLAGS.out, "model", "export", "modules")
    (export,) = tf.gfile.ListDirectory(folder)
    with tf.Graph().as_default(), tf.Session() as sess:
        outputs = hub.Module(os.path.join(folder, export.rstrip("/"), "encoder"))(
            np.ones([1, 8, 8, 3], np.float32)
        )
        sess.run(tf.global_variables_initializer())
        exported = sess.run(outputs)
    tf.gfile.Rename(
        os.path.join(folder, export.rstrip("/"), "encoder"), os.path.join(FLAGS.out, "module")
    )
    record = {
        "losses": Losses.values,
        "loss": float(result["loss"]),
        "accuracy": float(result["accuracy"]),
        "probabilities": prediction["probabilities"].tolist(),
        "exported": exported.tolist(),
    }
    with tf.gfile.Open(os.path.join(FLAGS.out, "record.json"), "w") as f:
        json.dump(record, f, indent=1, sort_keys=True)


if __name__ == "__main__":
    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.app.run(main)
