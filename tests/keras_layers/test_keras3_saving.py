"""What Keras 3 saves in a way of its own; test_saving.py has what is the same for both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from compat_hub.keras3 import KerasLayer
from tests.keras_layers.kits import path_of

X = np.random.default_rng(5).normal(size=[8, 5]).astype("float32")
# Before, Keras' own saving misses something: tables in exports, optimizers in checkpoints.
since_keras_3_9 = pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 9), reason="not with this Keras"
)


def _sequential() -> keras.Model:
    layer = KerasLayer(path_of("hparams"), trainable=True)
    return keras.Sequential([keras.Input([5]), layer, keras.layers.Dense(5)])


@since_keras_3_9
def test_every_dtype_in_a_file(tmp_path: Path) -> None:
    layer = KerasLayer(path_of("dtypes"), signature_outputs_as_dict=True)
    expected = {n: v.numpy() for n, v in layer.resolved_object.variable_map.items()}
    model = keras.Sequential([layer])
    model.built = True
    model.save_weights(tmp_path / "w.weights.h5")
    for variable in layer.resolved_object.variables:
        variable.assign(tf.zeros_like(variable))
    model.load_weights(tmp_path / "w.weights.h5")
    found = {n: v.numpy() for n, v in layer.resolved_object.variable_map.items()}
    np.testing.assert_equal(found, expected)


def test_keys_in_checkpoints(tmp_path: Path) -> None:
    model = _sequential()
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / "c"))
    keys = [name for name, _ in tf.train.list_variables(path) if "variable_map" in name]
    assert sorted({key.rpartition("variable_map/")[2].partition("/")[0] for key in keys}) == [
        "gamma",
        "moving_mean",
        "moving_variance",
    ]
    assert len(keys) == 3


@since_keras_3_9
def test_roads_to_a_saved_model(tmp_path: Path, copy_of: Any) -> None:
    """An asset, and ways to write; the module's folder is gone when they are loaded."""
    module = copy_of("text_two_assets")
    layer = KerasLayer(module.path, output_key="second")
    model = keras.Sequential([keras.Input([], dtype="string"), layer])
    words = tf.constant(["quartz", "wizards", "zebra", "pear"])
    expected = model(words)
    roads = ["core", "export", "archive"]
    tf.saved_model.save(model, str(tmp_path / "core"))
    model.export(str(tmp_path / "export"))
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", model.call, [tf.TensorSpec([None], tf.string)])
    archive.write_out(str(tmp_path / "archive"))
    module.folder.rename(tmp_path / "elsewhere")
    for folder in roads:
        loaded = tf.saved_model.load(str(tmp_path / folder))
        call = loaded.signatures["serving_default"] if folder == "core" else loaded.serve
        (found,) = tf.nest.flatten(call(words))
        np.testing.assert_array_equal(found, expected)


def test_an_exported_model_has_the_trained_values(tmp_path: Path) -> None:
    model = _sequential()
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(X, X, verbose=0)
    model.export(str(tmp_path / "export"))
    loaded = tf.saved_model.load(str(tmp_path / "export"))
    np.testing.assert_allclose(loaded.serve(X), model(X), rtol=1e-6, atol=1e-6)
    assert len(loaded.variables) == len(model.variables)
