"""Writes what a version of the package saves, with the numbers that it should give later.

    PYTHONPATH=CHECKOUT python tests/previous/write.py COMMIT

COMMIT names the version, and CHECKOUT is a clone that has it checked out. The files go into
tests/previous/COMMIT.tar.xz, with `expected.json`; `test_files.py` loads them with the code of now.
The models are made in a temporary folder, in which the module is `modules/pets`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2, keras3
from compat_hub.samples import sample_path

FOLDER = Path(__file__).parent
FIXTURES = FOLDER.parent / "fixtures"
HANDLE = "modules/pets"
CELLS = "modules/gru_block_cell"
RANDOM = np.random.default_rng(19)
X = RANDOM.normal(size=[6, 7]).astype("float32")
Y = RANDOM.normal(size=[6, 2]).astype("float32")
# One that trains a part, and two on one module; `:0` is how the first versions spelled names.
ONE = {"trainable": True, "train_only": "dense/kernel:0|norm/", "name": "hub"}
TWO = {"signature": "fruit_to_pet", "output_key": "cats", "trainable": True, "name": "pets"}
RATE = 0.1


def make_model(library: Any, layer_class: Any, module: Any) -> Any:
    """A model with two layers on one module; that of the package `library`."""
    fruit = library.Input([7], name="fruit")
    first = layer_class(module, **ONE)(fruit)
    cats = layer_class(module, **TWO)({"apples": fruit[:, :4], "oranges": fruit[:, 4:]})
    model = library.Model(fruit, library.layers.Dense(2, name="top")(first) + cats)
    model.compile(library.optimizers.Adam(0.05), "mse")
    return model


def step(model: Any) -> float:
    """Trains a model of Keras for one step, and returns its loss."""
    return float(model.fit(X, Y, batch_size=len(X), shuffle=False, verbose=0).history["loss"][0])


def step_of_module(module: Any) -> float:
    """The same for a module, without Keras."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((module(tf.constant(X), training=True)[:, :2] - Y) ** 2)
        loss += tf.add_n([term() for term in module.regularization_losses])
    variables = module.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        if gradient is not None:
            variable.assign_sub(RATE * gradient)
    return float(loss)


def record(call: Any, train: Any) -> dict[str, Any]:
    """What a call gives, what a step's loss is, and what the call gives after it."""
    before = np.asarray(call(tf.constant(X))).tolist()
    loss = train()
    return {"before": before, "loss": loss, "after": np.asarray(call(tf.constant(X))).tolist()}


def write_keras(library: Any, layer_class: Any, folder: Path, expected: dict[str, Any]) -> None:
    """The files of a model of one Keras, after two steps of training."""
    folder.mkdir()
    model = make_model(library, layer_class, compat_hub.load(HANDLE))
    for _ in range(2):
        step(model)
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    if library.__name__ == "keras":
        model.export(str(folder / "export"), verbose=False)
    else:
        model.save(folder / "model.h5")
        model.save(folder / "saved_model", save_format="tf")
        model.save_weights(folder / "weights")
    expected[library.__name__] = record(model, lambda: step(model))


def gradients_of(loaded: Any) -> list[Any]:
    """The gradients of a SavedModel's variables, through functions that name their gradients."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(loaded(tf.constant(X[:, :4]), training=False)))
    return [g.numpy().tolist() for g in tape.gradient(loss, loaded.trainable_variables)]


def write_graph(file: str) -> list[Any]:
    """A MetaGraph of graph mode, whose nodes name gradients that the package registers."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        module = compat_hub.Module(CELLS)
        x = v1.placeholder(tf.float32, [2, 3, 3], name="x")
        y = tf.identity(module({"x": x, "lengths": tf.constant([3, 2])}), name="y")
        v1.train.export_meta_graph(file, clear_devices=True)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        gradient = session.run(tf.gradients(y, x)[0], {x: np.ones([2, 3, 3])})
        v1.train.Saver().save(session, f"{file}.values", write_meta_graph=False)
    return gradient.tolist()


def main() -> None:
    """Writes the archive."""
    (commit,) = sys.argv[1:]

    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    expected: dict[str, Any] = {"commit": commit, "versions": versions}
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        folder = Path(name)
        shutil.copytree(sample_path("pets"), folder / HANDLE)
        shutil.copytree(FIXTURES / "gru_block_cell/module", folder / CELLS)
        for library, home in ((tf_keras, keras2), (keras, keras3)):
            write_keras(library, home.KerasLayer, Path(library.__name__), expected)
        module = compat_hub.load(HANDLE)
        step_of_module(module)
        module.save("saved")
        module.export("exported")
        expected["module"] = record(module, lambda: step_of_module(module))
        compat_hub.convert(HANDLE, "converted")
        module = compat_hub.load(HANDLE)
        expected["converted"] = record(module, lambda: step_of_module(module))
        compat_hub.convert(FIXTURES / "functions/module", "functions")
        expected["functions"] = gradients_of(tf.saved_model.load("functions"))
        expected["graph"] = write_graph("graph.meta")
        shutil.rmtree("modules")
        Path("expected.json").write_text(json.dumps(expected))
        with tarfile.open(FOLDER / f"{commit}.tar.xz", "w:xz") as archive:
            archive.add(".")


if __name__ == "__main__":
    main()
