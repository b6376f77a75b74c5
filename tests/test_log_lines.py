"""The common ways of a module log nothing that a user cannot act on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.records import FIXTURES

_PROGRAM = """
import sys

import keras
import tensorflow as tf
import tf_keras

import compat_hub

image, text, names, folder = sys.argv[1:]
images = tf.ones([8, 8, 8, 3])
module = compat_hub.load(image)
module(images)
tf.function(module)(images)
with tf.GradientTape() as tape:
    module(images, training=True)
for name, layers, kind in (("2", compat_hub.keras2, tf_keras), ("3", compat_hub.keras3, keras)):
    layer = layers.KerasLayer(image, trainable=True)
    layer.compute_output_shape([None, 8, 8, 3])
    model = kind.Sequential([kind.Input([8, 8, 3]), layer, kind.layers.Dense(8)])
    model.compile("sgd", "mse")
    model.fit(images, tf.ones([8, 8]), verbose=0)
    model.predict(images, verbose=0)
    model.save(f"{folder}/{name}.keras")
    model.export(f"{folder}/exported{name}")
    inputs = kind.Input([], dtype="string")
    model = kind.Model(inputs, layers.KerasLayer(text, trainable=True)(inputs))
    model.compile("sgd", "mse")
    model.fit(tf.constant(["blue"] * 8), tf.ones([8, 4]), verbose=0)
for name, handle in (("image", image), ("text", text), ("names", names)):
    compat_hub.convert(handle, f"{folder}/{name}")
    tf.saved_model.load(f"{folder}/{name}")
    compat_hub.load(handle).export(f"{folder}/{name}_again")
"""


def test_the_common_ways(tmp_path: Path) -> None:
    modules = [str(FIXTURES / n / "module") for n in ("image_bn", "text_table", "names")]
    run = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *modules, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    lines = run.stderr.splitlines()
    # What TensorFlow says of the machine while it is imported has the form of absl's C++ logs.
    unexpected = [line for line in lines if line.startswith(("WARNING:", "W0", "E0", "INFO:"))]
    unexpected += [line for line in lines if "Sanitizing" in line or "Warning" in line]
    assert [line for line in unexpected if "absl::InitializeLog" not in line] == []
