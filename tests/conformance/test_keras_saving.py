"""Whatever Keras saves of a layer on a module, and wherever it is loaded, nothing of it is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from compat_hub import keras2
from tests.records import FIXTURES, Record


def _layer(record: Record) -> keras2.KerasLayer:
    train = record.train or {}
    return keras2.KerasLayer(
        record.path,
        trainable=True,
        tags=train["tags"],
        signature=train["signature"],
        signature_outputs_as_dict=True,
    )


def _change(variable: tf.Variable) -> np.ndarray:
    """Gives a variable a value that its module's checkpoint does not have."""
    if variable.dtype == tf.string:
        variable.assign(tf.fill(variable.shape, b"\xff\x00"))
    elif variable.dtype == tf.bool:
        variable.assign(tf.logical_not(variable.read_value()))
    else:
        variable.assign(variable.read_value() + tf.cast(3, variable.dtype))
    return variable.numpy()


def _values(layer: Any) -> dict[str, np.ndarray]:
    return {name: variable.numpy() for name, variable in layer.adopted_weights.items()}


def _reset(layer: Any) -> None:
    for variable in layer.weights:
        if variable.dtype != tf.string:
            variable.assign(tf.zeros_like(variable))


def test_every_road_of_weights(trained: Record, tmp_path: Path) -> None:
    layer = _layer(trained)
    for variable in layer.weights:
        _change(variable)
    expected = _values(layer)
    model = tf_keras.Sequential([layer])
    model.built = True  # its weights exist; a call would take the time of building the graph
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    model.save_weights(tmp_path / "weights")
    checkpoint = tf.train.Checkpoint(module=layer.resolved_object).write(str(tmp_path / "module"))

    again = tf_keras.models.load_model(tmp_path / "model.keras")
    (found,) = again.layers
    assert found.get_config() == layer.get_config()
    np.testing.assert_equal(_values(found), expected)
    again.built = True
    for file in ("model.weights.h5", "weights"):
        _reset(found)
        again.load_weights(tmp_path / file)
        np.testing.assert_equal(_values(found), expected)
    _reset(found)
    status = tf.train.Checkpoint(module=found.resolved_object).read(checkpoint)
    status.assert_consumed()
    np.testing.assert_equal(_values(found), expected)


# Training takes seconds for each module and road. These modules have between them what could get
# lost; test_converted.py has every module as a SavedModel.
_SUBSET = {
    "image_bn": "a training variant, update ops, regularization losses",
    "text_table": "a table, its asset, a partitioned variable",
}
# What the module's graph contains matters where a SavedModel is all there is.
_SUBSET_WITHOUT_COMPAT_HUB = {
    **_SUBSET,
    "activity": "a loss of the inputs",
    "gradient_cond": "a gradient function within a conditional",
    "while_rnn": "loops with gradients, two inputs",
}
_LOSS = 1e-6


def _model(record: Record, folder: str) -> tf_keras.Model:
    """A layer and a head of Keras' own, with an optimizer that has a state."""
    train = record.train or {}
    layer = keras2.KerasLayer(
        folder, trainable=True, signature=train["signature"], output_key="default"
    )
    infos = layer.resolved_object.get_input_info_dict(train["signature"])
    inputs = {
        name: tf_keras.Input(info.get_shape()[1:], name=name, dtype=info.dtype)
        for name, info in infos.items()
        if info.get_shape().rank
    }
    model = tf_keras.Model(inputs, tf_keras.layers.Dense(2)(layer(inputs)))
    model.compile(tf_keras.optimizers.Adam(0.01), "mse")
    return model


def _data(record: Record, model: tf_keras.Model) -> tf.data.Dataset:
    values = record.inputs((record.train or {})["signature"])
    inputs = {k.name: tf.convert_to_tensor(values[k.name], k.dtype) for k in model.inputs}
    (size,) = {len(value) for value in inputs.values()}
    targets = tf.ones([size, *model.output_shape[1:]])
    return tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(max(size // 2, 1))


def _fit(model: tf_keras.Model, data: tf.data.Dataset) -> list[float]:
    return model.fit(data, epochs=2, verbose=0).history["loss"]


@pytest.mark.parametrize("name", _SUBSET)
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_training_goes_on(name: str, tmp_path: Path) -> None:
    record = Record(FIXTURES / name)
    model = _model(record, record.path)
    data = _data(record, model)
    _fit(model, data)
    prediction = model.predict(data, verbose=0)
    for file in ("model.keras", "model.h5"):
        model.save(tmp_path / file)
    model.save(tmp_path / "saved_model", save_format="tf")
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    checkpoint = checkpoint.write(str(tmp_path / "checkpoint"))
    losses = _fit(model, data)

    for file in ("model.keras", "model.h5", "saved_model", "checkpoint"):
        if file == "checkpoint":
            again = _model(record, record.path)
            again.optimizer.build(again.trainable_variables)
            status = tf.train.Checkpoint(model=again, optimizer=again.optimizer).read(checkpoint)
            status.assert_existing_objects_matched()
        else:
            again = tf_keras.models.load_model(tmp_path / file)
        if file == "saved_model":  # from which Keras restores no optimizer
            again.load_weights(tmp_path / file / "variables/variables").expect_partial()
        found = again.predict(data, verbose=0)
        np.testing.assert_allclose(found, prediction, rtol=_LOSS, atol=_LOSS, err_msg=file)
        np.testing.assert_allclose(_fit(again, data), losses, rtol=_LOSS, err_msg=file)
        assert any(isinstance(layer, keras2.KerasLayer) for layer in again.layers)


_WITHOUT = """
import json, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("compat_hub", "tensorflow_hub"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocker())
import tensorflow as tf, tf_keras

results = {}
for folder, data in json.load(sys.stdin).items():
    data = tf.data.Dataset.load(data)
    model = tf_keras.models.load_model(folder)
    model.load_weights(folder + "/variables/variables").expect_partial()
    loaded = tf.saved_model.load(folder)
    results[folder] = {
        "prediction": model.predict(data, verbose=0).tolist(),
        "call": [loaded(inputs).numpy().tolist() for inputs, _ in data],
        "losses": model.fit(data, epochs=2, verbose=0).history["loss"],
        "weights": sorted([w.name, bool(w.trainable)] for w in model.weights),
    }
print(json.dumps(results))
"""


def test_without_compat_hub_and_the_module_s_folder(tmp_path: Path) -> None:
    expected = {}
    data_of = {}
    for name in _SUBSET_WITHOUT_COMPAT_HUB:
        record = Record(FIXTURES / name)
        module = shutil.copytree(record.path, tmp_path / "modules" / name)
        model = _model(record, str(module))
        data = _data(record, model)
        _fit(model, data)
        folder = str(tmp_path / "saved_models" / name)
        prediction = model.predict(data, verbose=0)
        model.save(folder, save_format="tf")
        data_of[folder] = str(tmp_path / "data" / name)
        data.save(data_of[folder])
        expected[folder] = (prediction, _fit(model, data), model.weights)
    shutil.rmtree(tmp_path / "modules")
    run = subprocess.run(
        [sys.executable, "-c", _WITHOUT],
        input=json.dumps(data_of),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    results = json.loads(run.stdout.splitlines()[-1])
    for folder, (prediction, losses, weights) in expected.items():
        found = results[folder]
        for what in (found["prediction"], np.concatenate(found["call"])):
            np.testing.assert_allclose(what, prediction, rtol=_LOSS, atol=_LOSS, err_msg=folder)
        np.testing.assert_allclose(found["losses"], losses, rtol=_LOSS, err_msg=folder)
        assert found["weights"] == sorted([w.name, w.trainable] for w in weights)
