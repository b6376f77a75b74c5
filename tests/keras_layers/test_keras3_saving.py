"""Models with a KerasLayer of Keras 3, saved and loaded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.keras3 import KerasLayer
from compat_hub.keras_layers.config import SharedModuleWarning
from tests.records import FIXTURES

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=[8, 5]).astype("float32")
Y = RANDOM.normal(size=[8, 5]).astype("float32")
# Before, Keras' own saving misses something: tables in exports, optimizers in checkpoints.
since_keras_3_9 = pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 9), reason="not with this Keras"
)
HPARAMS = str(FIXTURES / "hparams" / "module")


@pytest.fixture(autouse=True)
def _names_from_the_start() -> None:
    keras.backend.clear_session()


def _compile(model: keras.Model) -> keras.Model:
    # Eagerly: the graph of a training step takes most of the time.
    model.compile(keras.optimizers.Adam(0.05), keras.losses.MeanSquaredError(), run_eagerly=True)
    return model


def _sequential(handle: Any = HPARAMS, **options: Any) -> keras.Model:
    layer = KerasLayer(handle, **{"trainable": True, "name": "hub", **options})
    top = keras.layers.Dense(5, name="top")
    model = _compile(keras.Sequential([keras.Input([5]), layer, top]))
    model.optimizer.build(model.trainable_variables)
    return model


def _fit(model: keras.Model, epochs: int = 1, **options: Any) -> list[float]:
    options = {"batch_size": 4, "shuffle": False, "verbose": 0, **options}
    return model.fit(X, Y, epochs=epochs, **options).history["loss"]


def _assert_equal(found: keras.Model, model: keras.Model) -> None:
    np.testing.assert_equal(found.get_weights(), model.get_weights())
    names = [[w.name for w in m.trainable_weights] for m in (found, model)]
    assert names[0] == names[1]
    np.testing.assert_allclose(found(X), model(X), rtol=1e-6, atol=1e-6)


@contextlib.contextmanager
def _away(folder: Path) -> Iterator[None]:
    elsewhere = folder.with_name("elsewhere")
    folder.rename(elsewhere)
    yield
    elsewhere.rename(folder)


# Keras' formats -----------------------------------------------------------------------------------


@since_keras_3_9
def test_a_saved_model_goes_on_training(tmp_path: Path) -> None:
    model = _sequential(train_only="gamma")
    _fit(model)
    model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model.h5")
    model.save_weights(tmp_path / "model.weights.h5")
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    checkpoint = checkpoint.write(str(tmp_path / "checkpoint"))
    found = {
        "keras": keras.models.load_model(tmp_path / "model.keras"),
        "h5": keras.models.load_model(tmp_path / "model.h5", compile=False),
        "weights": _sequential(train_only="gamma"),
        "checkpoint": _sequential(train_only="gamma"),
    }
    found["weights"].load_weights(tmp_path / "model.weights.h5")
    again = found["checkpoint"]
    status = tf.train.Checkpoint(model=again, optimizer=again.optimizer).read(checkpoint)
    status.assert_existing_objects_matched()
    for what, again in found.items():
        assert isinstance(again.layers[0], KerasLayer), what
        _assert_equal(again, model)
    del found["h5"]  # Keras 3 builds its optimizer without the weights of the layers
    losses = _fit(model)
    for what, again in found.items():
        again.run_eagerly = True
        np.testing.assert_allclose(_fit(again), losses, rtol=1e-6, err_msg=what)


def test_configs() -> None:
    layer = KerasLayer(
        HPARAMS,
        trainable=True,
        signature="with_momentum",
        arguments={"batch_norm_momentum": np.float32(0.5)},
        tags={"train"},
        train_only="gamma",
        output_shape=(5,),
        name="hub",
    )
    again = KerasLayer.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.resolved_object.tags == {"train"}
    np.testing.assert_array_equal(again(X), layer(X))


def test_weights_of_a_layer_that_trained_other_variables(tmp_path: Path) -> None:
    path = FIXTURES / "image_bn" / "module"
    model = keras.Sequential([keras.Input([8, 8, 3]), KerasLayer(path, trainable=True)])
    for k, weight in enumerate(model.weights):
        weight.assign(tf.fill(weight.shape, float(k)))
    model.save_weights(tmp_path / "w.weights.h5")
    layer = KerasLayer(path, trainable=True, train_only="^conv2d_1/bias")
    again = keras.Sequential([keras.Input([8, 8, 3]), layer])
    again.load_weights(tmp_path / "w.weights.h5")
    variables = [m.layers[0].resolved_object.variables for m in (again, model)]
    for found, expected in zip(*variables, strict=True):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(compat_hub.CheckpointError, match="the KerasLayer 'hub'"):
        _sequential().layers[0].load_own_variables({"other": np.zeros(1)})


@since_keras_3_9
def test_every_dtype_in_a_file(tmp_path: Path) -> None:
    layer = KerasLayer(FIXTURES / "dtypes" / "module", signature_outputs_as_dict=True)
    expected = {n: v.numpy() for n, v in layer.resolved_object.variable_map.items()}
    model = keras.Sequential([layer])
    model.built = True
    model.save_weights(tmp_path / "w.weights.h5")
    for variable in layer.resolved_object.variables:
        variable.assign(tf.zeros_like(variable))
    model.load_weights(tmp_path / "w.weights.h5")
    found = {n: v.numpy() for n, v in layer.resolved_object.variable_map.items()}
    np.testing.assert_equal(found, expected)


def test_a_module_that_has_moved(tmp_path: Path, copy_of: Any) -> None:
    module = copy_of("hparams")
    model = _sequential(module.path)
    model.save(tmp_path / "model.keras")
    with _away(module.folder):
        with pytest.raises(compat_hub.ResolveError, match=r" keras\.saving\.custom_object_scope"):
            keras.models.load_model(tmp_path / "model.keras")
        again = keras.models.load_model(
            tmp_path / "model.keras", custom_objects={module.path: HPARAMS}
        )
    _assert_equal(again, model)


def test_a_file_gives_no_permission(tmp_path: Path) -> None:
    model = _sequential(allow_host_access=True)
    assert model.layers[0].get_config()["allow_host_access"] is True
    for name in ("model.keras", "model.h5"):
        model.save(tmp_path / name)
        with pytest.raises(compat_hub.UnsafeModuleError, match="safe_mode=False"):
            keras.models.load_model(tmp_path / name)
    again = keras.models.load_model(tmp_path / "model.keras", safe_mode=False)
    _assert_equal(again, model)


def test_layers_on_one_module_are_loaded_on_one(tmp_path: Path) -> None:
    module = compat_hub.load(HPARAMS)
    x = keras.Input([5])
    first = KerasLayer(module, trainable=True, name="first")
    second = KerasLayer(module, trainable=True, name="second", signature="with_all")
    model = _compile(keras.Model(x, second(keras.layers.Dense(5)(first(x)))))
    assert len(model.weights) == 5
    _fit(model)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_layer("first").resolved_object is again.get_layer("second").resolved_object
    _assert_equal(again, model)
    with pytest.warns(SharedModuleWarning, match=r" keras\.saving\.custom_object_scope"):
        clone = keras.models.clone_model(model)
    assert len(clone.weights) == 8
    with keras.saving.custom_object_scope({HPARAMS: module}):
        clone = keras.models.clone_model(model)
    assert clone.get_layer("first").resolved_object is module


@since_keras_3_9
def test_callbacks(tmp_path: Path) -> None:
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    keras.utils.set_random_seed(1)
    whole = _sequential()
    _fit(whole, 3)
    keras.utils.set_random_seed(1)
    files = str(tmp_path / "{epoch}.keras")
    callbacks = [
        keras.callbacks.ModelCheckpoint(files),
        keras.callbacks.BackupAndRestore(str(tmp_path / "backup")),
    ]
    with pytest.raises(KeyboardInterrupt):
        _fit(_sequential(), 3, callbacks=[*callbacks, Interrupt()])
    resumed = _sequential()
    assert len(_fit(resumed, 3, callbacks=callbacks)) == 1
    _assert_equal(resumed, whole)
    _assert_equal(keras.models.load_model(tmp_path / "3.keras"), whole)


# Formats of TensorFlow ----------------------------------------------------------------------------


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
    with _away(module.folder):
        for folder in roads:
            loaded = tf.saved_model.load(str(tmp_path / folder))
            call = loaded.signatures["serving_default"] if folder == "core" else loaded.serve
            (found,) = tf.nest.flatten(call(words))
            np.testing.assert_array_equal(found, expected)


def test_an_exported_model_has_the_trained_values(tmp_path: Path) -> None:
    model = _sequential()
    _fit(model)
    model.export(str(tmp_path / "export"))
    loaded = tf.saved_model.load(str(tmp_path / "export"))
    np.testing.assert_allclose(loaded.serve(X), model(X), rtol=1e-6, atol=1e-6)
    assert len(loaded.variables) == len(model.variables)
