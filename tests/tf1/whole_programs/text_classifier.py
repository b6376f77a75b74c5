"""Classifies sentences by a DNNClassifier on a text module, frozen and fine-tuned."""

from __future__ import absolute_import
from __future__ import print_function

import argparse
import json
import os

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub

SENTENCES = [
    "a good cat",
    "the bad dog",
    "good good dog",
    "bad",
    "a cat",
    "the bad bad cat",
    "good",
    "dog a bad",
]
LABELS = [1, 0, 1, 0, 1, 0, 1, 0]

parser = argparse.ArgumentParser()
parser.add_argument("--modules")
parser.add_argument("--data")
parser.add_argument("--out")


class LossHook(tf.train.SessionRunHook):
    """Keeps the loss of each step."""

    def __init__(self):
        self.losses = []

    def begin(self):
        self._loss = tf.losses.get_total_loss(add_regularization_losses=False)

    def before_run(self, run_context):
        return tf.train.SessionRunArgs(self._loss)

    def after_run(self, run_context, run_values):
        self.losses.append(float(run_values.results))


def train_and_evaluate(args, name, trainable):
    column = hub.text_embedding_column(
        key="sentence",
        module_spec=os.path.join(args.modules, "nnlm", "module"),
        trainable=trainable,
    )
    features = {"sentence": np.array(SENTENCES)}
    labels = np.array(LABELS)
    train_input_fn = tf.estimator.inputs.numpy_input_fn(
        features, labels, batch_size=4, num_epochs=None, shuffle=False
    )
    predict_input_fn = tf.estimator.inputs.numpy_input_fn(
        features, labels, batch_size=4, shuffle=False
    )
    start = os.path.join(args.data, "text_classifier_start", "model.ckpt")
    estimator = tf.estimator.DNNClassifier(
        hidden_units=[8, 4],
        feature_columns=[column],
        n_classes=2,
        model_dir=os.path.join(args.out, name),
        optimizer=tf.train.AdagradOptimizer(learning_rate=0.05),
        config=tf.estimator.RunConfig(tf_random_seed=3, save_summary_steps=2),
        warm_start_from=tf.estimator.WarmStartSettings(
            start, vars_to_warm_start=".*/(hidden|logits).*"
        ),
    )
    hook = LossHook()
    estimator.train(train_input_fn, steps=6, hooks=[hook])
    results = estimator.evaluate(predict_input_fn)
    predictions = [p["probabilities"] for p in estimator.predict(predict_input_fn)]
    serving_input_fn = tf.estimator.export.build_parsing_serving_input_receiver_fn(
        tf.feature_column.make_parse_example_spec([column])
    )
    exported = estimator.export_savedmodel(
        os.path.join(args.out, name + "_export"), serving_input_fn
    )
    example = tf.train.Example()
    example.features.feature["sentence"].bytes_list.value.append(b"a good cat")
    with tf.Session(graph=tf.Graph()) as session:
        model = tf.saved_model.loader.load(session, ["serve"], tf.compat.as_str(exported))
        signature = model.signature_def["predict"]
        served = session.run(
            signature.outputs["probabilities"].name,
            {signature.inputs["examples"].name: [example.SerializeToString()]},
        )
    return {
        name + "/losses": hook.losses,
        name + "/accuracy": float(results["accuracy"]),
        name + "/average_loss": float(results["average_loss"]),
        name + "/auc": float(results["auc"]),
        name + "/probabilities": np.array(predictions).tolist(),
        name + "/served": served.tolist(),
        name + "/variables": sorted(estimator.get_variable_names()),
    }


def main(_):
    args = parser.parse_args()
    record = train_and_evaluate(args, "frozen", False)
    record.update(train_and_evaluate(args, "fine_tuned", True))
    with open(os.path.join(args.out, "record.json"), "w") as f:
        json.dump(record, f, indent=1, sort_keys=True)


if __name__ == "__main__":
    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.app.run(main)
