"""Models with a KerasLayer, saved and loaded; conformance/test_keras_saving.py has every module."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2
from compat_hub.keras_layers.config import SharedModuleWarning
from tests.authoring import write_module
from tests.records import FIXTURES

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=[8, 5]).astype("float32")
Y = RANDOM.normal(size=[8, 5]).astype("float32")
HPARAMS = str(FIXTURES / "hparams" / "module")
IMAGE_BN = str(FIXTURES / "image_bn" / "module")

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")


@pytest.fixture(autouse=True)
def _names_from_the_start() -> None:
    tf_keras.backend.clear_session()


def _compile(model: tf_keras.Model) -> tf_keras.Model:
    model.compile(tf_keras.optimizers.Adam(0.05), "mse")
    return model


def _sequential(handle: Any = HPARAMS, **options: Any) -> tf_keras.Model:
    layer = keras2.KerasLayer(
        handle, **{"trainable": True, "input_shape": [5], "name": "hub", **options}
    )
    return _compile(tf_keras.Sequential([layer, tf_keras.layers.Dense(5, name="top")]))


def _fit(model: tf_keras.Model, epochs: int = 1, **options: Any) -> list[float]:
    options = {"batch_size": 4, "shuffle": False, "verbose": 0, **options}
    return model.fit(X, Y, epochs=epochs, **options).history["loss"]


def _assert_equal(found: tf_keras.Model, model: tf_keras.Model) -> None:
    np.testing.assert_equal(found.get_weights(), model.get_weights())
    assert [w.name for w in found.trainable_weights] == [w.name for w in model.trainable_weights]
    np.testing.assert_allclose(found(X), model(X), rtol=1e-6, atol=1e-6)


def _keys(path: Any) -> list[str]:
    """The keys of the variables in a checkpoint."""
    suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
    names = [name for name, _ in tf.train.list_variables(str(path))]
    return [name.removesuffix(suffix) for name in names if name.endswith(suffix)]


@contextlib.contextmanager
def _away(folder: Path) -> Iterator[None]:
    """Without the folder: then Keras makes a layer from what is in the SavedModel."""
    elsewhere = folder.with_name("elsewhere")
    folder.rename(elsewhere)
    yield
    elsewhere.rename(folder)


# Callbacks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["{epoch}.keras", "{epoch}.h5", "{epoch}.weights.h5", "{epoch}"])
def test_model_checkpoint(file: str, tmp_path: Path) -> None:
    only_weights = "." not in file or "weights" in file
    callback = tf_keras.callbacks.ModelCheckpoint(
        str(tmp_path / file), save_weights_only=only_weights
    )
    model = _sequential()
    _fit(model, 2, callbacks=[callback])
    path = str(tmp_path / file.format(epoch=2))
    if only_weights:
        again = _sequential()
        again.load_weights(path)
    else:
        again = tf_keras.models.load_model(path)
    _assert_equal(again, model)


def test_backup_and_restore(tmp_path: Path) -> None:
    class Interrupt(tf_keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    tf_keras.utils.set_random_seed(1)
    whole = _sequential()
    _fit(whole, 4)
    tf_keras.utils.set_random_seed(1)
    backup = tf_keras.callbacks.BackupAndRestore(str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        _fit(_sequential(), 4, callbacks=[backup, Interrupt()])
    resumed = _sequential()
    losses = _fit(resumed, 4, callbacks=[tf_keras.callbacks.BackupAndRestore(str(tmp_path))])
    assert len(losses) == 2
    _assert_equal(resumed, whole)


# Checkpoints --------------------------------------------------------------------------------------


def test_keys_in_checkpoints(tmp_path: Path) -> None:
    module = compat_hub.load(FIXTURES / "partitioned" / "module")
    layer = keras2.KerasLayer(module, trainable=True, train_only="bias")
    path = tf.train.Checkpoint(layer=layer).write(str(tmp_path / "layer"))
    keys = _keys(path)
    assert len(keys) == 13
    assert "layer/resolved_object/variable_map/outer.Sinner.Sweights/0" in keys
    assert "layer/resolved_object/variable_map/whole" in keys
    path = tf.train.Checkpoint(module=module).write(str(tmp_path / "module"))
    expected = [key.replace("layer/resolved_object", "module") for key in keys]
    assert _keys(path) == expected


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


def test_a_checkpoint_of_a_layer_for_the_bare_module_and_back(tmp_path: Path) -> None:
    layer = keras2.KerasLayer(HPARAMS, trainable=True)
    layer.weights[0].assign(tf.range(5.0))
    path = tf.train.Checkpoint(layer=layer).write(str(tmp_path / "c"))
    module = compat_hub.load(HPARAMS)
    holder = tf.train.Checkpoint(layer=tf.train.Checkpoint(resolved_object=module))
    holder.read(path).assert_consumed()
    assert module.variable_map["gamma"].numpy().tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    path = tf.train.Checkpoint(module=module).write(str(tmp_path / "m"))
    layer = keras2.KerasLayer(HPARAMS, train_only="gamma")
    tf.train.Checkpoint(module=layer.resolved_object).read(path).assert_consumed()
    assert layer.weights[0].numpy().tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


# SavedModels --------------------------------------------------------------------------------------


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
    layer = keras2.KerasLayer(FIXTURES / "text_table" / "module", input_shape=[], dtype="string")
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
    model = _sequential(module.path)
    _fit(model)
    model.save(tmp_path / "first", save_format="tf")
    again = tf_keras.models.load_model(tmp_path / "first")
    assert isinstance(again.layers[0], keras2.KerasLayer)
    again.save_weights(tmp_path / "weights")
    assert [k for k in _keys(tmp_path / "weights") if "hub" in k or "resolved" in k] == [
        f"layer_with_weights-0/resolved_object/variable_map/{name}"
        for name in ("gamma", "moving_mean", "moving_variance")
    ]
    again.save(tmp_path / "second", save_format="tf")
    with _away(module.folder):
        revived = tf_keras.models.load_model(tmp_path / "second")
        assert not isinstance(revived.layers[0], keras2.KerasLayer)
        _assert_equal(revived, model)
        revived.save(tmp_path / "third", save_format="tf")
        _assert_equal(tf_keras.models.load_model(tmp_path / "third"), model)


# Parts that train ---------------------------------------------------------------------------------


def test_train_only_survives(tmp_path: Path, copy_of: Any) -> None:
    module = copy_of("image_bn")
    layer = keras2.KerasLayer(
        module.path, trainable=True, train_only="^conv2d/", input_shape=[8, 8, 3]
    )
    model = _compile(tf_keras.Sequential([layer]))
    trained = ["conv2d/kernel:0", "conv2d/bias:0"]
    for name in ("model.keras", "model.h5", "saved_model"):
        model.save(tmp_path / name)
        again = tf_keras.models.load_model(tmp_path / name)
        assert [w.name for w in again.trainable_weights] == trained
        assert len(again.weights) == 12
    with _away(module.folder):
        again = tf_keras.models.load_model(tmp_path / "saved_model")
        assert sorted(w.name for w in again.trainable_weights) == sorted(trained)
        assert len(again.weights) == 12
    # Nothing of the module or of another SavedModel is frozen by it.
    assert all(v.trainable for v in layer.resolved_object.trainable_variables)
    loaded = tf.saved_model.load(layer.resolved_object.save(tmp_path / "converted"))
    assert all(v.trainable for v in loaded.trainable_variables)


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


def test_weights_of_a_layer_that_trained_other_variables(tmp_path: Path) -> None:
    """Keras numbers weights, and those that train come first; equal shapes would be mixed up."""
    images = tf.ones([2, 8, 8, 3])
    model = tf_keras.Sequential([keras2.KerasLayer(IMAGE_BN, trainable=True)])
    model(images)
    for k, weight in enumerate(model.weights):
        weight.assign_add(tf.fill(weight.shape, float(k)))
    options = {"trainable": True, "train_only": "^conv2d_1/bias"}
    again = tf_keras.Sequential([keras2.KerasLayer(IMAGE_BN, **options)])
    again(images)
    model.save_weights(tmp_path / "w.weights.h5")
    again.load_weights(tmp_path / "w.weights.h5")
    expected = {w.name: w.numpy() for w in model.weights}
    np.testing.assert_equal({w.name: w.numpy() for w in again.weights}, expected)


def test_weights_of_another_module(tmp_path: Path) -> None:
    model = _sequential()
    model.save_weights(tmp_path / "w.weights.h5")
    other = _sequential(FIXTURES / "fruit" / "module")
    with pytest.raises(compat_hub.CheckpointError, match="the KerasLayer 'hub'"):
        other.load_weights(tmp_path / "w.weights.h5")


# Two layers on one module -------------------------------------------------------------------------


def _twins(handle: str = HPARAMS) -> tf_keras.Model:
    module = compat_hub.load(handle)
    first = keras2.KerasLayer(module, trainable=True, name="first")
    second = keras2.KerasLayer(
        first.resolved_object,
        trainable=True,
        signature="with_all",
        output_key="default",
        name="second",
    )
    x = tf_keras.Input([5])
    model = tf_keras.Model(x, second(tf_keras.layers.Dense(5, name="top")(first(x))))
    assert len(model.weights) == 5
    return _compile(model)


def _module_of(model: tf_keras.Model, name: str) -> compat_hub.HubModule:
    return model.get_layer(name).resolved_object


@pytest.mark.parametrize("file", ["model.keras", "model.h5", "model"])
def test_layers_on_one_module_are_loaded_on_one(file: str, tmp_path: Path) -> None:
    model = _twins()
    _fit(model)
    model.save(tmp_path / file)
    models = [tf_keras.models.load_model(tmp_path / file) for _ in range(2)]
    for again in models:
        assert _module_of(again, "first") is _module_of(again, "second")
        _assert_equal(again, model)
    # Two models that are loaded from one file have nothing in common.
    assert _module_of(models[0], "first") is not _module_of(models[1], "first")
    if file != "model":
        assert _fit(models[0]) == pytest.approx(_fit(model), rel=1e-6)
    models[0].save(tmp_path / f"again_{file}")
    again = tf_keras.models.load_model(tmp_path / f"again_{file}")
    assert _module_of(again, "first") is _module_of(again, "second")
    assert len(again.weights) == 5


def test_layers_on_one_module_in_weights_and_checkpoints(tmp_path: Path) -> None:
    model = _twins()
    _fit(model)
    for file in ("w.weights.h5", "weights"):
        model.save_weights(tmp_path / file)
        again = _twins()
        again.load_weights(tmp_path / file)
        _assert_equal(again, model)
    assert len([k for k in _keys(tmp_path / "weights") if "gamma" in k]) == 1


def test_layers_on_one_module_without_its_folder(tmp_path: Path, copy_of: Any) -> None:
    module = copy_of("hparams")
    model = _twins(module.path)
    model.save(tmp_path / "model")
    with _away(module.folder):
        again = tf_keras.models.load_model(tmp_path / "model")
        assert len(again.weights) == 5
        assert len(again.trainable_weights) == 3


def test_layers_with_modules_of_their_own_stay_apart(tmp_path: Path) -> None:
    layers = [keras2.KerasLayer(HPARAMS, trainable=True) for _ in range(2)]
    model = tf_keras.Sequential([tf_keras.Input([5]), *layers])
    layers[0].weights[0].assign(tf.zeros([5]))
    model.save(tmp_path / "model.keras")
    again = tf_keras.models.load_model(tmp_path / "model.keras")
    assert len(again.weights) == 6
    assert not np.any(again.layers[0].weights[0])
    assert np.all(again.layers[1].weights[0])


@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
def test_layers_on_one_module_in_models_within_models(file: str, tmp_path: Path) -> None:
    module = compat_hub.load(HPARAMS)
    inner = tf_keras.Sequential([keras2.KerasLayer(module, input_shape=[5])])
    x = tf_keras.Input([5])
    inner = tf_keras.Model(x, inner(x))
    x = tf_keras.Input([5])
    model = tf_keras.Model(x, keras2.KerasLayer(module)(inner(x)))
    model.save(tmp_path / file)
    # Keras ends the scope of what is shared at the end of each model that it reads from an .h5.
    expected = (
        pytest.warns(SharedModuleWarning) if file.endswith("h5") else contextlib.nullcontext()
    )
    with expected:
        again = tf_keras.models.load_model(tmp_path / file, compile=False)
    assert len(again.weights) == (6 if file.endswith("h5") else 3)
    np.testing.assert_allclose(again(X), model(X), rtol=1e-6)
    with tf_keras.saving.custom_object_scope({HPARAMS: compat_hub.load(HPARAMS)}):
        again = tf_keras.models.load_model(tmp_path / file, compile=False)
    assert len(again.weights) == 3


def test_clones() -> None:
    model = _twins()
    with pytest.warns(SharedModuleWarning, match=r"shared the module .*custom_object_scope"):
        clone = tf_keras.models.clone_model(model)
    assert len(clone.weights) == 8
    with tf_keras.saving.custom_object_scope({HPARAMS: compat_hub.load(HPARAMS)}):
        clone = tf_keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    _assert_equal(clone, model)
    assert _module_of(clone, "first") is not _module_of(model, "first")
    _assert_equal(copy.deepcopy(model), model)


# Configs ------------------------------------------------------------------------------------------


def _again(layer: keras2.KerasLayer) -> keras2.KerasLayer:
    config = json.loads(json.dumps(layer.get_config()))
    again = keras2.KerasLayer.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    return again


def test_arguments_of_every_kind() -> None:
    for value in (0.5, np.float32(0.5), np.array(0.5), tf.constant(0.5)):
        layer = keras2.KerasLayer(
            HPARAMS, signature="with_momentum", arguments={"batch_norm_momentum": value}
        )
        assert layer.get_config()["arguments"] == {"batch_norm_momentum": 0.5}
        np.testing.assert_array_equal(_again(layer)(X), layer(X))
    module = FIXTURES / "shapes" / "module"
    anything = [[1.0, 2.0], [3.0, 4.0]]
    for value in (anything, tuple(map(tuple, anything)), np.array(anything), tf.constant(anything)):
        layer = keras2.KerasLayer(
            module, arguments={"scalar": 2.0, "anything": value}, signature_outputs_as_dict=True
        )
        assert layer.get_config()["arguments"]["anything"] == anything
    words = keras2.KerasLayer(
        FIXTURES / "text_two_assets" / "module", output_key="first", arguments={"words": b"a"}
    )
    assert words.get_config()["arguments"] == {"words": "a"}


def test_tags_and_load_options() -> None:
    options = tf.saved_model.LoadOptions(
        experimental_io_device="/job:localhost",
        experimental_variable_policy="save_variable_devices",
    )
    layer = keras2.KerasLayer(IMAGE_BN, tags={"train"}, load_options=options)
    config = _again(layer).get_config()
    assert config["load_options"] == {
        "experimental_io_device": "/job:localhost",
        "experimental_variable_policy": "save_variable_devices",
    }
    layer = keras2.KerasLayer(compat_hub.load(IMAGE_BN, tags={"train"}))
    assert layer.get_config()["tags"] == ["train"]
    assert _again(layer).resolved_object.tags == {"train"}


def test_an_output_shape_of_tensor_shapes() -> None:
    shape = {"default": tf.TensorShape([4]), "block_2": tf.TensorShape(None), "block_1/relu": None}
    layer = keras2.KerasLayer(
        IMAGE_BN,
        signature="image_feature_vector",
        signature_outputs_as_dict=True,
        output_shape=shape,
    )
    images = tf.ones([2, 8, 8, 3])
    tf.nest.map_structure(np.testing.assert_array_equal, _again(layer)(images), layer(images))


def test_layers_without_a_config(tmp_path: Path) -> None:
    """They are saved as SavedModels, where no config is needed."""
    momentum = tf.Variable(0.5, trainable=False)
    model = _sequential(signature="with_momentum", arguments={"batch_norm_momentum": momentum})
    with pytest.raises(compat_hub.ConfigError, match="'hub' cannot be written in JSON"):
        model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model", save_format="tf")
    momentum.assign(0.0)
    _assert_equal(tf_keras.models.load_model(tmp_path / "model"), model)


def test_a_module_that_is_in_no_folder(tmp_path: Path) -> None:
    path = str(tmp_path / "saved_model")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None, 2])
        tf.compat.v1.saved_model.simple_save(session, path, {"x": x}, {"default": 2 * x})
    layer = keras2.KerasLayer(
        compat_hub.create_module_spec_from_saved_model(path),
        tags="serve",
        signature="serving_default",
    )
    with pytest.raises(compat_hub.ConfigError, match="in no folder"):
        layer.get_config()


def test_a_config_of_tensorflow_hub() -> None:
    model = _sequential()
    text = json.dumps(json.loads(model.to_json())).replace("compat_hub>KerasLayer", "KerasLayer")
    config = json.loads(text)
    config["config"]["layers"][1]["module"] = "tensorflow_hub.keras_layer"
    again = tf_keras.models.model_from_json(
        json.dumps(config), custom_objects={"KerasLayer": keras2.KerasLayer}
    )
    again.set_weights(model.get_weights())
    _assert_equal(again, model)


# Modules that have moved --------------------------------------------------------------------------


@pytest.fixture(params=["model.keras", "model.h5"])
def moved(request: pytest.FixtureRequest, tmp_path: Path, copy_of: Any) -> tuple[Path, Any, Any]:
    """A model in a file, its module's old place, its new place."""
    module = copy_of("hparams", "modules/old/hparams")
    file = tmp_path / request.param
    _sequential(module.path).save(file)
    (tmp_path / "modules/old").rename(tmp_path / "modules/new")
    return file, module.path, tmp_path / "modules/new/hparams"


def test_a_handle_that_has_moved(moved: tuple[Path, Any, Any]) -> None:
    file, old, new = moved
    with pytest.raises(compat_hub.ResolveError) as caught:
        tf_keras.models.load_model(file)
    for words in ("'hub'", old, "does not exist", f'custom_objects={{{old!r}: "path/to/module"}}'):
        assert words in str(caught.value)
    assert "current directory" not in str(caught.value)
    for name, place in (
        (old, str(new)),
        (old, new),
        (str(Path(old).parent), new.parent),
        (old, compat_hub.load(new)),
        (old, compat_hub.load_module_spec(new)),
    ):
        again = tf_keras.models.load_model(file, custom_objects={name: place})
        layer = again.get_layer("hub")
        assert layer.get_config()["handle"] == str(new)
        if isinstance(place, compat_hub.HubModule):
            assert layer.resolved_object is place


def test_a_new_place_that_is_wrong_too(moved: tuple[Path, Any, Any]) -> None:
    file, old, new = moved
    with pytest.raises(compat_hub.ResolveError, match="nowhere"):
        tf_keras.models.load_model(file, custom_objects={old: "nowhere"})
    with pytest.raises(compat_hub.ModuleFormatError, match=r"custom_objects.*path/to/module"):
        tf_keras.models.load_model(file, custom_objects={old: new.parent})


def test_a_relative_handle(tmp_path: Path, copy_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_of("hparams", "project/modules/hparams")
    monkeypatch.chdir(tmp_path / "project")
    model = _sequential("modules/hparams")
    assert model.get_layer("hub").get_config()["handle"] == "modules/hparams"
    model.save(tmp_path / "model.keras")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(compat_hub.ResolveError) as caught:
        tf_keras.models.load_model(tmp_path / "model.keras")
    assert f"relative to the current directory, {tmp_path}." in str(caught.value)
    places = {"modules": tmp_path / "project/modules"}
    again = tf_keras.models.load_model(tmp_path / "model.keras", custom_objects=places)
    _assert_equal(again, model)


# Host access --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reads_files(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A module that gives the content of the files that it is fed with the names of."""

    def build() -> Any:
        x = tf.compat.v1.placeholder(tf.string, [None])
        return {"default": ({"x": x}, {"default": tf.map_fn(tf.io.read_file, x)})}

    return write_module(tmp_path_factory.mktemp("host") / "module", none=build)


def _reader(handle: Any, **kwargs: Any) -> Any:
    return keras2.KerasLayer(handle, input_shape=[], dtype="string", name="hub", **kwargs)


def test_a_layer_that_may_touch_the_host(tmp_path: Path, reads_files: str) -> None:
    with pytest.raises(compat_hub.UnsafeModuleError, match=r"'ReadFile'.*allow_host_access=True"):
        _reader(reads_files)
    (tmp_path / "a").write_text("text")
    for layer in (
        _reader(reads_files, allow_host_access=True),
        _reader(compat_hub.load_module_spec(reads_files, allow_host_access=True)),
        _reader(compat_hub.load(reads_files, allow_host_access=True)),
    ):
        assert layer(tf.constant([str(tmp_path / "a")])).numpy() == [b"text"]
        assert layer.get_config()["allow_host_access"] is True
        again = keras2.KerasLayer.from_config(layer.get_config())
        assert again.get_config() == layer.get_config()
        clone = tf_keras.models.clone_model(tf_keras.Sequential([layer]))
        assert clone.predict(tf.constant([str(tmp_path / "a")]), verbose=0) == [b"text"]
    assert "allow_host_access" not in keras2.KerasLayer(HPARAMS).get_config()


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_file_gives_no_permission(tmp_path: Path, reads_files: str, suffix: str) -> None:
    file = tmp_path / f"model.{suffix}"
    tf_keras.Sequential([_reader(reads_files, allow_host_access=True)]).save(file)
    with pytest.raises(
        compat_hub.UnsafeModuleError, match=r"'hub' cannot.*safe_mode=False.*custom_objects"
    ):
        tf_keras.models.load_model(file)
    with pytest.raises(compat_hub.UnsafeModuleError, match=r"custom_objects"):
        # Another place is no permission.
        tf_keras.models.load_model(file, custom_objects={reads_files: reads_files})
    for trusted in (
        compat_hub.load(reads_files, allow_host_access=True),
        compat_hub.load_module_spec(reads_files, allow_host_access=True),
    ):
        again = tf_keras.models.load_model(file, custom_objects={reads_files: trusted})
        assert again.layers[0].get_config()["allow_host_access"] is True
        if isinstance(trusted, compat_hub.HubModule):
            assert again.layers[0].resolved_object is trusted


def test_a_file_that_the_program_trusts(tmp_path: Path, reads_files: str) -> None:
    file = tmp_path / "model.keras"
    shared = compat_hub.load(reads_files, allow_host_access=True)
    x = tf_keras.Input([], dtype="string")
    layers = [keras2.KerasLayer(shared, name=name, dtype="string") for name in "ab"]
    tf_keras.Model(x, [layer(x) for layer in layers]).save(file)
    with pytest.raises(compat_hub.UnsafeModuleError, match="safe_mode=False"):
        tf_keras.models.load_model(file)
    again = tf_keras.models.load_model(file, safe_mode=False)
    one, other = (again.get_layer(name) for name in "ab")
    assert one.resolved_object is other.resolved_object
    (tmp_path / "a").write_text("text")
    assert one(tf.constant([str(tmp_path / "a")])).numpy() == [b"text"]


def test_no_config_of_a_shared_module_gives_permission(reads_files: str) -> None:
    config = {"handle": reads_files, "tags": None, "load_options": None, "allow_host_access": True}
    with pytest.raises(compat_hub.UnsafeModuleError, match="'ReadFile'"):
        tf_keras.saving.deserialize_keras_object(
            {
                "class_name": "compat_hub>SharedModule",
                "registered_name": "compat_hub>SharedModule",
                "module": None,
                "config": config,
            },
            safe_mode=False,
        )


def test_a_saved_model_of_a_layer_that_may_touch_the_host(tmp_path: Path, reads_files: str) -> None:
    model = tf_keras.Sequential([_reader(reads_files, allow_host_access=True)])
    model.save(tmp_path / "model", save_format="tf")
    again = tf_keras.models.load_model(tmp_path / "model")
    assert not isinstance(again.layers[0], keras2.KerasLayer)  # what is in the file, as it is
    (tmp_path / "a").write_text("text")
    x = tf.constant([str(tmp_path / "a")])
    assert again.predict(x, verbose=0) == model.predict(x, verbose=0) == [b"text"]


# Other models -------------------------------------------------------------------------------------


class _WithGain(keras2.KerasLayer):
    """A weight of its own, besides those of the module."""

    def build(self, input_shape: Any) -> None:
        self.gain = self.add_weight("gain", [], initializer="ones")
        super().build(input_shape)

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self.gain * super().call(inputs, training)


def test_a_subclass_with_weights_of_its_own(tmp_path: Path) -> None:
    def make() -> tf_keras.Model:
        return tf_keras.Sequential(
            [_WithGain(HPARAMS, trainable=True, input_shape=[5], name="hub")]
        )

    model = make()
    model.layers[0].gain.assign(3.0)
    model.save_weights(tmp_path / "w.weights.h5")
    model.save_weights(tmp_path / "weights")
    model.save(tmp_path / "model.keras")
    for file in ("w.weights.h5", "weights"):
        again = make()
        again.load_weights(tmp_path / file)
        _assert_equal(again, model)
    names = {"_WithGain": _WithGain}
    again = tf_keras.models.load_model(tmp_path / "model.keras", names)
    np.testing.assert_equal(again.get_weights(), model.get_weights())
    np.testing.assert_allclose(again(X), model(X), rtol=1e-6)


class _Subclassed(tf_keras.Model):
    def __init__(self, handle: str) -> None:
        super().__init__()
        self.hub = keras2.KerasLayer(handle, trainable=True, name="hub")
        self.top = tf_keras.layers.Dense(5, name="top")

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self.top(self.hub(inputs, training=training))


def test_a_subclassed_model(tmp_path: Path, copy_of: Any) -> None:
    module = copy_of("hparams")
    model = _compile(_Subclassed(module.path))
    _fit(model)
    for file in ("w.weights.h5", "weights"):
        model.save_weights(tmp_path / file)
        again = _compile(_Subclassed(module.path))
        again(X)
        again.load_weights(tmp_path / file)
        np.testing.assert_equal(again.get_weights(), model.get_weights())
    model.save(tmp_path / "model", save_format="tf")
    with _away(module.folder):
        again = tf_keras.models.load_model(tmp_path / "model")
        again.load_weights(tmp_path / "model/variables/variables").expect_partial()
    np.testing.assert_allclose(again(X), model(X), rtol=1e-6, atol=1e-6)
    assert _fit(again) == pytest.approx(_fit(model), rel=1e-6)


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


class _Callable:
    """Its variables have one name, and it does not show them to checkpoints."""

    def __init__(self) -> None:
        self.variables = (tf.Variable(1.0, name="v"), tf.Variable(2.0, name="v"))
        self.trainable_variables = self.variables

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return x * self.variables[0] + self.variables[1]


def test_a_callable_with_variables(tmp_path: Path) -> None:
    model = _sequential(_Callable())
    _fit(model)
    for file in ("w.weights.h5", "weights"):
        model.save_weights(tmp_path / file)
        again = _sequential(_Callable())
        again.load_weights(tmp_path / file)
        _assert_equal(again, model)
    model.save(tmp_path / "model", save_format="tf")
    _assert_equal(tf_keras.models.load_model(tmp_path / "model"), model)


def test_a_plain_saved_model(tmp_path: Path) -> None:
    path = compat_hub.convert(HPARAMS, tmp_path / "plain")
    model = _sequential(path)
    _fit(model)
    for file in ("model.keras", "model.h5", "model"):
        model.save(tmp_path / file)
        # Only the program may say that it is loaded.
        places = {} if file == "model" else {path: path}
        again = tf_keras.models.load_model(tmp_path / file, custom_objects=places)
        _assert_equal(again, model)


def test_in_a_strategy(tmp_path: Path) -> None:
    # Not by the collective ops that are the default on CPUs: these mix up programs of one process.
    reduce = tf.distribute.HierarchicalCopyAllReduce()
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=reduce)
    with strategy.scope():
        x = tf_keras.Input([5])
        layer = keras2.KerasLayer(HPARAMS)  # in training each replica has averages of its own
        model = _compile(tf_keras.Model(x, tf_keras.layers.Dense(5)(layer(x))))
    _fit(model)
    prediction = model.predict(X, verbose=0)
    for file in ("model.keras", "model"):
        model.save(tmp_path / file)
        again = tf_keras.models.load_model(tmp_path / file)
        np.testing.assert_allclose(again.predict(X, verbose=0), prediction, rtol=1e-6, atol=1e-6)
        with strategy.scope():
            again = tf_keras.models.load_model(tmp_path / file)
        np.testing.assert_allclose(again.predict(X, verbose=0), prediction, rtol=1e-6, atol=1e-6)
