"""What earlier versions saved is loaded by the code of now, and trains; `write.py` wrote it."""

from __future__ import annotations

import importlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2, keras3
from compat_hub.custom_gradients import LostGradientWarning
from compat_hub.samples import sample_path
from tests.previous import write

# The loss does not use every output.
pytestmark = pytest.mark.filterwarnings("ignore:Gradients do not exist")

v1 = tf.compat.v1
KERAS = {"tf_keras": (tf_keras, keras2.KerasLayer), "keras": (keras, keras3.KerasLayer)}
ARCHIVES = sorted(write.FOLDER.glob("*.tar.xz"))


@pytest.fixture(scope="module", params=ARCHIVES, ids=lambda path: path.name.partition(".")[0])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(request.param) as archive:
        archive.extractall(folder, filter="data")
    shutil.copytree(sample_path("pets"), folder / write.HANDLE)
    return folder


@pytest.fixture
def expected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the files should give; relative handles lead to the modules."""
    monkeypatch.chdir(folder)
    expected = json.loads((folder / "expected.json").read_text())
    for library in (tf, keras):
        written = expected["versions"][library.__name__]
        if _numbers(library.__version__) < _numbers(written):
            pytest.skip(f"written with {library.__name__} {written}")
    return expected


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")[:2]]


def _compare(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-4, atol=1e-5, err_msg=key)


@pytest.mark.parametrize(
    ("package", "file"),
    [
        ("tf_keras", "model.keras"),
        ("tf_keras", "model.h5"),
        ("tf_keras", "saved_model"),
        ("keras", "model.keras"),
    ],
)
def test_a_model_of_keras(package: str, file: str, expected: dict[str, Any]) -> None:
    library, layer_class = KERAS[package]
    model = library.models.load_model(Path(package, file))
    hub, pets = model.get_layer("hub"), model.get_layer("pets")
    assert type(hub) is type(pets) is layer_class
    assert hub.resolved_object is pets.resolved_object
    assert len(hub.trainable_weights) == 3
    found = write.record(model, lambda: write.step(model))
    if file == "saved_model":  # tf_keras begins with another optimizer
        del expected[package]["after"]
    _compare(found, expected[package])


@pytest.mark.parametrize(
    ("package", "file"),
    [("tf_keras", "model.weights.h5"), ("tf_keras", "weights"), ("keras", "model.weights.h5")],
)
def test_weights_of_keras(package: str, file: str, expected: dict[str, Any]) -> None:
    library, layer_class = KERAS[package]
    model = write.make_model(library, layer_class, compat_hub.load(write.HANDLE))
    model.optimizer.build(model.trainable_variables)
    status = model.load_weights(Path(package, file))
    if file == "weights":
        status.assert_existing_objects_matched()
    _compare(write.record(model, lambda: write.step(model)), expected[package])


def test_an_export_of_keras_3(expected: dict[str, Any]) -> None:
    loaded = tf.saved_model.load("keras/export")
    x = tf.constant(write.X)
    np.testing.assert_allclose(loaded.serve(x), expected["keras"]["before"], rtol=1e-4, atol=1e-5)
    losses = []
    for _ in range(2):
        with tf.GradientTape() as tape:
            losses.append(tf.reduce_mean((loaded.serve(x) - write.Y) ** 2))
        variables = loaded.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(losses[-1], variables), strict=True):
            if gradient is not None:
                variable.assign_sub(0.01 * gradient)
    assert losses[1] < losses[0]


@pytest.mark.parametrize(
    ("path", "key"), [("saved", "module"), ("converted", "converted"), ("exported", "module")]
)
def test_a_module(path: str, key: str, expected: dict[str, Any]) -> None:
    loaded = compat_hub.load(path)
    assert isinstance(loaded, compat_hub.HubModule) == (path == "exported")
    _compare(write.record(loaded, lambda: write.step_of_module(loaded)), expected[key])


@pytest.mark.parametrize("package", KERAS)
def test_a_converted_module_in_a_layer(package: str, expected: dict[str, Any]) -> None:
    library, layer_class = KERAS[package]
    layer = layer_class("converted", trainable=True)
    model = library.Sequential([layer])
    model.compile("sgd", "mse")
    found = layer(write.X)
    np.testing.assert_allclose(found, expected["converted"]["before"], rtol=1e-4, atol=1e-5)
    losses = model.fit(write.X, np.zeros([6, 8]), epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0]


def test_gradients_that_a_saved_model_names(expected: dict[str, Any]) -> None:
    found = write.gradients_of(tf.saved_model.load("functions"))
    for gradient, value in zip(found, expected["functions"], strict=True):
        np.testing.assert_allclose(gradient, value, rtol=1e-4, atol=1e-5)


def test_gradients_that_a_graph_names(expected: dict[str, Any]) -> None:
    # What registers them is imported with `Module`, which a program that has such a graph uses.
    assert compat_hub.Module is not None
    with tf.Graph().as_default() as graph, v1.Session() as session:
        saver = v1.train.import_meta_graph("graph.meta")
        saver.restore(session, "graph.meta.values")
        x, y = (graph.get_tensor_by_name(name) for name in ("x:0", "y:0"))
        gradient = session.run(tf.gradients(y, x)[0], {x: np.ones([2, 3, 3])})
    np.testing.assert_allclose(gradient, expected["graph"], rtol=1e-4, atol=1e-5)


# Names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "beam.HubModelHandler",
        "common_signatures",
        "custom_gradients.LostGradientWarning",
        "errors.HubError",
        "keras2.KerasLayer",
        "keras3.KerasLayer",
        "samples.sample_path",
        "text_embedding.export",
        "v1.exporter.ExportableEstimator",
    ],
)
def test_names_that_programs_have(name: str) -> None:
    """As `import compat_hub.beam` and `compat_hub.beam.HubModelHandler` say them."""
    file, _, attribute = name.rpartition(".")
    if not file:
        importlib.import_module(f"compat_hub.{name}")
        return
    assert hasattr(importlib.import_module(f"compat_hub.{file}"), attribute)


@pytest.mark.filterwarnings("error::compat_hub.custom_gradients.LostGradientWarning")
def test_filters_of_warnings_name_a_category() -> None:
    module = compat_hub.load(write.FIXTURES / "custom_gradient/module")
    layer = keras3.KerasLayer(module, trainable=True)
    with tf.GradientTape(), pytest.raises(LostGradientWarning):
        layer(np.ones([1, 4], "float32"))
