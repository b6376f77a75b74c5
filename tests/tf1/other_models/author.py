"""Writes `tests/other_models`: files that programs of TensorFlow 1.15 leave, with records.

tf1-env/bin/python tests/tf1/other_models/author.py tests/other_models [NAME ...]
"""

import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf  # noqa: E402
from kinds import KINDS  # noqa: E402
from recorder import record  # noqa: E402


def move_away(folder):
    """Makes the file `checkpoint` name the folder of another machine, as it does after a copy."""
    path = os.path.join(folder, "checkpoint")
    if os.path.exists(path):
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace(folder, "/home/author/run"))


if __name__ == "__main__":
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    target = sys.argv[1]
    for name in sys.argv[2:] or sorted(KINDS):
        folder = os.path.abspath(os.path.join(target, name))
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        with tf.Graph().as_default():
            case = KINDS[name](folder)
            record(case, folder)
        move_away(folder)
        print(name)
