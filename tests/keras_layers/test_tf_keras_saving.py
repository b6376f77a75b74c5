"""What tf_keras saves that Keras 3 does not; test_saving.py has what is the same for both."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2
from tests.authoring import write_module
from tests.keras_layers.kits import path_of

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=[8, 5]).astype("float32")
Y = RANDOM.normal(size=[8, 5]).astype("float32")
HPARAMS = path_of("hparams")


@pytest.fixture(autouse=True)
def _names_from_the_start() -> None:
    tf_keras.backend.clear_session()


def _compiled(model: tf_keras.Model) -> tf_keras.Model:
    model.compile(tf_keras.optimizers.Adam(0.05), "mse")
    return model


def _fit(model: tf_keras.Model) -> None:
    model.fit(X, Y, batch_size=4, shuffle=False, verbose=0)


def _assert_equal(found: tf_keras.Model, model: tf_keras.Model) -> None:
    np.testing.assert_equal(found.get_weights(), model.get_weights())
    assert [w.name for w in found.trainable_weights] == [w.name for w in model.trainable_weights]
    np.testing.assert_allclose(found(X), model(X), rtol=1e-6, atol=1e-6)


@contextlib.contextmanager
def _away(folder: Path) -> Iterator[None]:
    """Without the folder: then Keras makes a layer from what is in the SavedModel."""
    elsewhere = folder.with_name("elsewhere")
    folder.rename(elsewhere)
    yield
    elsewhere.rename(folder)


def test_a_module_with_an_optimizer(tmp_path: Path) -> None:
    def make() -> tuple[compat_hub.HubModule, tf_keras.optimizers.Optimizer]:
        optimizer = tf_keras.optimizers.Adam(0.1)
        module = compat_hub.load(HPARAMS)
        optimizer.build(module.trainable_variables)
        return module, optimizer

    def step(module: compat_hub.HubModule, optimizer: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((module(X, training=True) - Y) ** 2)
        variables = module.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    module, optimizer = make()
    step(module, optimizer)
    path = tf.train.Checkpoint(module=module, optimizer=optimizer).save(str(tmp_path / "c"))
    step(module, optimizer)
    again, its_optimizer = make()
    status = tf.train.Checkpoint(module=again, optimizer=its_optimizer).restore(path)
    status.assert_consumed()
    step(again, its_optimizer)
    for found, expected in zip(again.variables, module.variables, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_roads_to_a_saved_model(tmp_path: Path, copy_of: Callable[..., Any]) -> None:
    """An asset, and three ways to write; the module's folder is gone when they are loaded."""
    module = copy_of("text_two_assets")
    layer = keras2.KerasLayer(module.path, output_key="second", input_shape=[], dtype="string")
    model = tf_keras.Sequential([layer])
    words = tf.constant(["quartz", "wizards", "zebra", "pear"])
    expected = model(words)
    model.save(tmp_path / "save", save_format="tf")
    tf.saved_model.save(model, str(tmp_path / "core"))
    model.export(str(tmp_path / "export"))
    with _away(module.folder):
        for folder in ("save", "core", "export"):
            loaded = tf.saved_model.load(str(tmp_path / folder))
            found = loaded.serve(words) if folder == "export" else loaded(words)
            np.testing.assert_array_equal(found, expected)
            (function,) = {loaded.signatures["serving_default"]}
            (found,) = function(words).values()
            np.testing.assert_array_equal(found, expected)


def test_a_saved_model_in_a_session_of_tf1(tmp_path: Path) -> None:
    """As TensorFlow Serving runs it: tables are made and filled in one run, and read in others."""
    layer = keras2.KerasLayer(path_of("text_table"), input_shape=[], dtype="string")
    model = tf_keras.Sequential([layer])
    words = ["sphinx of quartz", "judge my vow"]
    model.save(tmp_path / "model", save_format="tf")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "model"))
        signature = loaded.signature_def["serving_default"]
        (feed,), (fetch,) = signature.inputs.values(), signature.outputs.values()
        for _ in range(2):
            found = session.run(fetch.name, {feed.name: words})
    np.testing.assert_allclose(found, model(tf.constant(words)), rtol=1e-6)


def test_a_saved_model_that_was_loaded_and_saved_again(tmp_path: Path, copy_of: Any) -> None:
    module = copy_of("hparams")
    layer = keras2.KerasLayer(module.path, trainable=True, input_shape=[5], name="hub")
    model = _compiled(tf_keras.Sequential([layer, tf_keras.layers.Dense(5, name="top")]))
    _fit(model)
    model.save(tmp_path / "first", save_format="tf")
    again = tf_keras.models.load_model(tmp_path / "first")
    assert isinstance(again.layers[0], keras2.KerasLayer)
    again.save_weights(tmp_path / "weights")
    keys = [name for name, _ in tf.train.list_variables(str(tmp_path / "weights"))]
    assert [k for k in keys if "hub" in k or "resolved" in k] == [
        f"layer_with_weights-0/resolved_object/variable_map/{name}/.ATTRIBUTES/VARIABLE_VALUE"
        for name in ("gamma", "moving_mean", "moving_variance")
    ]
    again.save(tmp_path / "second", save_format="tf")
    with _away(module.folder):
        revived = tf_keras.models.load_model(tmp_path / "second")
        assert not isinstance(revived.layers[0], keras2.KerasLayer)
        _assert_equal(revived, model)
        revived.save(tmp_path / "third", save_format="tf")
        _assert_equal(tf_keras.models.load_model(tmp_path / "third"), model)


def test_a_variable_that_one_of_two_layers_trains(tmp_path: Path, copy_of: Any) -> None:
    folder = copy_of("image_bn")
    module = compat_hub.load(folder.path)
    images = tf_keras.Input([8, 8, 3])
    layers = [
        keras2.KerasLayer(module, trainable=True, train_only=pattern)
        for pattern in ("^conv2d/kernel", "bias")
    ]
    model = tf_keras.Model(images, sum(layer(images) for layer in layers))
    model.save(tmp_path / "model", save_format="tf")
    with _away(folder.folder):
        again = tf_keras.models.load_model(tmp_path / "model")
    expected = ["conv2d/bias:0", "conv2d/kernel:0", "conv2d_1/bias:0"]
    assert sorted(w.name for w in again.trainable_weights) == expected
    assert len(again.weights) == 12


def test_layers_on_one_module_without_its_folder(tmp_path: Path, copy_of: Any) -> None:
    module = copy_of("hparams")
    hub = compat_hub.load(module.path)
    x = tf_keras.Input([5])
    first = keras2.KerasLayer(hub, trainable=True)
    second = keras2.KerasLayer(hub, trainable=True, signature="with_all")
    model = tf_keras.Model(x, second(tf_keras.layers.Dense(5)(first(x))))
    model.save(tmp_path / "model")
    with _away(module.folder):
        again = tf_keras.models.load_model(tmp_path / "model")
        assert len(again.weights) == 5
        assert len(again.trainable_weights) == 3


def test_a_saved_model_of_a_layer_that_may_touch_the_host(tmp_path: Path) -> None:
    def build() -> Any:
        x = tf.compat.v1.placeholder(tf.string, [None])
        return {"default": ({"x": x}, {"default": tf.map_fn(tf.io.read_file, x)})}

    path = write_module(tmp_path / "module", none=build)
    layer = keras2.KerasLayer(path, input_shape=[], dtype="string", allow_host_access=True)
    model = tf_keras.Sequential([layer])
    model.save(tmp_path / "model", save_format="tf")
    again = tf_keras.models.load_model(tmp_path / "model")
    assert not isinstance(again.layers[0], keras2.KerasLayer)  # what is in the file, as it is
    (tmp_path / "a").write_text("text")
    x = tf.constant([str(tmp_path / "a")])
    assert again.predict(x, verbose=0) == model.predict(x, verbose=0) == [b"text"]


def test_a_program_s_own_module(tmp_path: Path, copy_of: Any) -> None:
    class Program(tf.Module):
        def __init__(self, hub: compat_hub.HubModule) -> None:
            super().__init__()
            self.hub = hub

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def look_up(self, words: tf.Tensor) -> tf.Tensor:
            return self.hub({"words": words}, as_dict=True)["second"]

    module = copy_of("text_two_assets")
    program = Program(compat_hub.load(module.path))
    words = tf.constant(["quartz", "wizards"])
    expected = program.look_up(words)
    tf.saved_model.save(program, str(tmp_path / "program"))
    with _away(module.folder):
        loaded = tf.saved_model.load(str(tmp_path / "program"))
        np.testing.assert_array_equal(loaded.look_up(words), expected)


def test_in_a_strategy(tmp_path: Path) -> None:
    # Not by the collective ops that are the default on CPUs: these mix up programs of one process.
    reduce = tf.distribute.HierarchicalCopyAllReduce()
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=reduce)
    with strategy.scope():
        x = tf_keras.Input([5])
        layer = keras2.KerasLayer(HPARAMS)  # in training each replica has averages of its own
        model = _compiled(tf_keras.Model(x, tf_keras.layers.Dense(5)(layer(x))))
    _fit(model)
    prediction = model.predict(X, verbose=0)
    for file in ("model.keras", "model"):
        model.save(tmp_path / file)
        again = tf_keras.models.load_model(tmp_path / file)
        np.testing.assert_allclose(again.predict(X, verbose=0), prediction, rtol=1e-6, atol=1e-6)
        with strategy.scope():
            again = tf_keras.models.load_model(tmp_path / file)
        np.testing.assert_allclose(again.predict(X, verbose=0), prediction, rtol=1e-6, atol=1e-6)
