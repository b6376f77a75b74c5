"""Records the whole programs: python tests/tf1/record_whole_programs.py OUT_DIR [NAME ...].

Runs under TensorFlow 1.15, each program in a process of its own (see README.md).
"""

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.join(os.path.dirname(HERE), "fixtures")
PROGRAMS = {
    "author": "author.py",
    "bert": "bert/run_classifier.py",
    "checkpoints": "checkpoints.py",
    "elmo_keras": "elmo_keras.py",
    "elmo_session": "elmo_session.py",
    "exporter": "exporter.py",
    "image_retraining": "image_retraining.py",
    "monitored": "monitored.py",
    "similarity": "similarity.py",
    "text_classifier": "text_classifier.py",
}


def write_start_of_text_classifier(folder):
    """Initial values for the layers, which random initializers make otherwise."""
    rng = np.random.RandomState(8)
    shapes = {"hiddenlayer_0": [6, 8], "hiddenlayer_1": [8, 4], "logits": [4, 1]}
    with tf.Graph().as_default(), tf.Session() as session:
        for name, shape in shapes.items():
            tf.Variable(rng.normal(size=shape).astype(np.float32), name="dnn/%s/kernel" % name)
            tf.Variable(np.zeros(shape[1], np.float32), name="dnn/%s/bias" % name)
        session.run(tf.global_variables_initializer())
        path = os.path.join(folder, "text_classifier_start", "model.ckpt")
        tf.gfile.MakeDirs(os.path.dirname(path))
        tf.train.Saver().save(session, path, write_meta_graph=False)


def rounded(value):
    """Floats with the digits that a float32 has."""
    if isinstance(value, float):
        return float("%.7g" % value)
    if isinstance(value, list):
        return [rounded(element) for element in value]
    if isinstance(value, dict):
        return {key: rounded(element) for key, element in value.items()}
    return value


def record(name, out_dir):
    program = os.path.join(HERE, "whole_programs", PROGRAMS[name])
    more = []
    if name == "text_classifier":
        write_start_of_text_classifier(out_dir)
    if name == "checkpoints":
        tf.gfile.MakeDirs(os.path.join(out_dir, "checkpoints_start"))
        more = ["--write_start"]
    folder = tempfile.mkdtemp()
    try:
        environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", PYTHONDONTWRITEBYTECODE="1")
        command = [
            sys.executable,
            "-W",
            "ignore",
            program,
            "--modules=" + MODULES,
            "--data=" + out_dir,
        ]
        subprocess.check_call(
            command + ["--out=" + folder] + more, env=environment, cwd=os.path.dirname(program)
        )
        with open(os.path.join(folder, "record.json")) as file:
            values = rounded(json.load(file))
        with open(os.path.join(out_dir, name + ".json"), "w") as file:
            lines = [
                "%s: %s" % (json.dumps(key), json.dumps(values[key], sort_keys=True))
                for key in sorted(values)
            ]
            file.write("{\n" + ",\n".join(lines) + "\n}\n")
    finally:
        shutil.rmtree(folder)
        for start in glob.glob(os.path.join(out_dir, "*_start", "checkpoint")):
            os.remove(start)  # It tells where on this machine the checkpoint is.


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out_dir")
    parser.add_argument("names", nargs="*", default=sorted(PROGRAMS))
    args = parser.parse_args()
    for name in args.names:
        print(name, flush=True)
        record(name, os.path.abspath(args.out_dir))
