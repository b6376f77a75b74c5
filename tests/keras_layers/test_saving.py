"""Models with a KerasLayer, saved and loaded, in what is the same for both Keras.

conformance/test_keras_saving.py has every module.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.keras_layers.config import SharedModuleWarning
from tests.authoring import write_module
from tests.keras_layers.kits import Kit, path_of
from tests.records import FIXTURES

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=[8, 5]).astype("float32")
Y = RANDOM.normal(size=[8, 5]).astype("float32")
HPARAMS = path_of("hparams")
IMAGE_BN = path_of("image_bn")

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
    # Of Keras 3, where a model is saved before its first step.
    pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer"),
]


@pytest.fixture(autouse=True)
def _names_from_the_start(kit: Kit) -> None:
    kit.keras.backend.clear_session()


def _skip_before_keras_3_9(kit: Kit) -> None:
    """Keras 3 did not bring optimizers back before."""
    if kit.keras is keras and tuple(map(int, keras.__version__.split(".")[:2])) < (3, 9):
        pytest.skip("not with this Keras")


def _compile(kit: Kit, model: Any) -> Any:
    # Eagerly: the graph of a training step takes most of the time.
    loss = kit.keras.losses.MeanSquaredError()
    model.compile(kit.keras.optimizers.Adam(0.05), loss, run_eagerly=True)
    return model


def _sequential(kit: Kit, handle: Any = HPARAMS, **options: Any) -> Any:
    layer = kit.layer_class(handle, **{"trainable": True, "name": "hub", **options})
    top = kit.keras.layers.Dense(5, name="top")
    model = _compile(kit, kit.keras.Sequential([kit.keras.Input([5]), layer, top]))
    model.optimizer.build(model.trainable_variables)
    return model


def _load(kit: Kit, path: Path, **options: Any) -> Any:
    """The model; from an .h5 file Keras 3 cannot compile it with its optimizer's state."""
    if kit.keras is keras and path.suffix == ".h5":
        options["compile"] = False
    return kit.keras.models.load_model(path, **options)


def _fit(model: Any, epochs: int = 1, **options: Any) -> list[float]:
    options = {"batch_size": 4, "shuffle": False, "verbose": 0, **options}
    return model.fit(X, Y, epochs=epochs, **options).history["loss"]


def _assert_equal(kit: Kit, found: Any, model: Any) -> None:
    np.testing.assert_equal(found.get_weights(), model.get_weights())
    names = [[w.name for w in m.trainable_weights] for m in (found, model)]
    assert names[0] == names[1]
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
def test_model_checkpoint(kit: Kit, file: str, tmp_path: Path) -> None:
    _skip_before_keras_3_9(kit)
    only_weights = "." not in file or "weights" in file
    if file == "{epoch}" and kit.keras is keras:
        pytest.skip("Keras 3 writes no checkpoints of TensorFlow")
    callback = kit.keras.callbacks.ModelCheckpoint(
        str(tmp_path / file), save_weights_only=only_weights
    )
    model = _sequential(kit)
    _fit(model, 2, callbacks=[callback])
    path = tmp_path / file.format(epoch=2)
    if only_weights:
        again = _sequential(kit)
        again.load_weights(path)
    else:
        again = _load(kit, path)
    _assert_equal(kit, again, model)


def test_backup_and_restore(kit: Kit, tmp_path: Path) -> None:
    _skip_before_keras_3_9(kit)

    class Interrupt(kit.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise KeyboardInterrupt

    kit.keras.utils.set_random_seed(1)
    whole = _sequential(kit)
    _fit(whole, 4)
    kit.keras.utils.set_random_seed(1)
    backup = kit.keras.callbacks.BackupAndRestore(str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        _fit(_sequential(kit), 4, callbacks=[backup, Interrupt()])
    resumed = _sequential(kit)
    losses = _fit(resumed, 4, callbacks=[kit.keras.callbacks.BackupAndRestore(str(tmp_path))])
    assert len(losses) == 2
    _assert_equal(kit, resumed, whole)


# Checkpoints --------------------------------------------------------------------------------------


def test_keys_in_checkpoints(kit: Kit, tmp_path: Path) -> None:
    module = compat_hub.load(FIXTURES / "partitioned" / "module")
    layer = kit.layer_class(module, trainable=True, train_only="bias")
    path = tf.train.Checkpoint(layer=layer).write(str(tmp_path / "layer"))
    keys = _keys(path)
    assert len(keys) == 13
    assert "layer/resolved_object/variable_map/outer.Sinner.Sweights/0" in keys
    assert "layer/resolved_object/variable_map/whole" in keys
    path = tf.train.Checkpoint(module=module).write(str(tmp_path / "module"))
    expected = [key.replace("layer/resolved_object", "module") for key in keys]
    assert _keys(path) == expected


def test_a_checkpoint_of_a_layer_for_the_bare_module_and_back(kit: Kit, tmp_path: Path) -> None:
    layer = kit.layer_class(HPARAMS, trainable=True)
    layer.weights[0].assign(tf.range(5.0))
    path = tf.train.Checkpoint(layer=layer).write(str(tmp_path / "c"))
    module = compat_hub.load(HPARAMS)
    holder = tf.train.Checkpoint(layer=tf.train.Checkpoint(resolved_object=module))
    holder.read(path).assert_consumed()
    assert module.variable_map["gamma"].numpy().tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    path = tf.train.Checkpoint(module=module).write(str(tmp_path / "m"))
    layer = kit.layer_class(HPARAMS, trainable=True, train_only="gamma")
    tf.train.Checkpoint(module=layer.resolved_object).read(path).assert_consumed()
    assert layer.weights[0].numpy().tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


# Parts that train ---------------------------------------------------------------------------------


def test_a_saved_model_goes_on_training(kit: Kit, tmp_path: Path) -> None:
    _skip_before_keras_3_9(kit)
    model = _sequential(kit, train_only="gamma")
    _fit(model)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    path = checkpoint.write(str(tmp_path / "checkpoint"))
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    found = {
        "keras": _load(kit, tmp_path / "model.keras"),
        "weights": _sequential(kit, train_only="gamma"),
        "checkpoint": _sequential(kit, train_only="gamma"),
    }
    found["weights"].load_weights(tmp_path / "model.weights.h5")
    again = found["checkpoint"]
    status = tf.train.Checkpoint(model=again, optimizer=again.optimizer).read(path)
    status.assert_existing_objects_matched()
    losses = _fit(model)
    for what, again in found.items():
        again.run_eagerly = True
        np.testing.assert_allclose(_fit(again), losses, rtol=1e-6, err_msg=what)


def test_train_only_survives(kit: Kit, tmp_path: Path, copy_of: Any) -> None:
    module = copy_of("image_bn")
    layer = kit.layer_class(module.path, trainable=True, train_only="^conv2d/")
    model = _compile(kit, kit.keras.Sequential([kit.keras.Input([8, 8, 3]), layer]))
    trained = ["conv2d/kernel", "conv2d/bias"]
    for name in kit.model_files:
        model.save(tmp_path / name)
        again = _load(kit, tmp_path / name)
        assert kit.names(again.trainable_weights) == trained
        assert len(again.weights) == 12
    if "model" in kit.model_files:
        with _away(module.folder):
            again = _load(kit, tmp_path / "model")
            assert sorted(kit.names(again.trainable_weights)) == sorted(trained)
            assert len(again.weights) == 12
    # Nothing of the module or of another SavedModel is frozen by it.
    assert all(v.trainable for v in layer.resolved_object.trainable_variables)
    loaded = tf.saved_model.load(layer.resolved_object.save(tmp_path / "converted"))
    assert all(v.trainable for v in loaded.trainable_variables)


def test_weights_of_a_layer_that_trained_other_variables(kit: Kit, tmp_path: Path) -> None:
    """Keras numbers weights, and those that train come first; equal shapes would be mixed up."""
    images = tf.ones([2, 8, 8, 3])
    model = kit.keras.Sequential([kit.layer_class(IMAGE_BN, trainable=True)])
    model(images)
    for k, weight in enumerate(model.weights):
        weight.assign_add(tf.fill(weight.shape, float(k)))
    options = {"trainable": True, "train_only": "^conv2d_1/bias"}
    again = kit.keras.Sequential([kit.layer_class(IMAGE_BN, **options)])
    again(images)
    model.save_weights(tmp_path / "w.weights.h5")
    again.load_weights(tmp_path / "w.weights.h5")
    by_name = [
        dict(zip(kit.names(m.weights), m.get_weights(), strict=True)) for m in (again, model)
    ]
    np.testing.assert_equal(*by_name)


def test_weights_of_another_module(kit: Kit, tmp_path: Path) -> None:
    model = _sequential(kit)
    model.save_weights(tmp_path / "w.weights.h5")
    other = _sequential(kit, FIXTURES / "fruit" / "module")
    # Keras 3 gathers the errors of all layers in one.
    with pytest.raises(ValueError, match="has other weights for the KerasLayer 'hub'"):
        other.load_weights(tmp_path / "w.weights.h5")


# Two layers on one module -------------------------------------------------------------------------


def _twins(kit: Kit, handle: str = HPARAMS) -> Any:
    module = compat_hub.load(handle)
    first = kit.layer_class(module, trainable=True, name="first")
    second = kit.layer_class(
        first.resolved_object,
        trainable=True,
        signature="with_all",
        output_key="default",
        name="second",
    )
    x = kit.keras.Input([5])
    model = kit.keras.Model(x, second(kit.keras.layers.Dense(5, name="top")(first(x))))
    assert len(model.weights) == 5
    return _compile(kit, model)


def _module_of(model: Any, name: str) -> compat_hub.HubModule:
    return model.get_layer(name).resolved_object


def test_layers_on_one_module_are_loaded_on_one(kit: Kit, tmp_path: Path) -> None:
    _skip_before_keras_3_9(kit)
    for file in kit.model_files:
        if kit.keras is keras and file.endswith("h5"):
            continue  # Keras 3 makes each layer for itself
        model = _twins(kit)
        _fit(model)
        model.save(tmp_path / file)
        models = [_load(kit, tmp_path / file) for _ in range(2)]
        for again in models:
            assert _module_of(again, "first") is _module_of(again, "second")
            _assert_equal(kit, again, model)
        # Two models that are loaded from one file have nothing in common.
        assert _module_of(models[0], "first") is not _module_of(models[1], "first")
        if file != "model":
            assert _fit(models[0]) == pytest.approx(_fit(model), rel=1e-6)
        models[0].save(tmp_path / f"again_{file}")
        again = _load(kit, tmp_path / f"again_{file}")
        assert _module_of(again, "first") is _module_of(again, "second")
        assert len(again.weights) == 5


def test_layers_on_one_module_in_weights(kit: Kit, tmp_path: Path) -> None:
    model = _twins(kit)
    _fit(model)
    for file in kit.weights_files:
        model.save_weights(tmp_path / file)
        again = _twins(kit)
        again.load_weights(tmp_path / file)
        _assert_equal(kit, again, model)
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / "checkpoint"))
    assert len([k for k in _keys(path) if "gamma" in k]) == 1


def test_layers_with_modules_of_their_own_stay_apart(kit: Kit, tmp_path: Path) -> None:
    layers = [kit.layer_class(HPARAMS, trainable=True) for _ in range(2)]
    model = kit.keras.Sequential([kit.keras.Input([5]), *layers])
    layers[0].weights[0].assign(tf.zeros([5]))
    model.save(tmp_path / "model.keras")
    again = _load(kit, tmp_path / "model.keras")
    assert len(again.weights) == 6
    assert not np.any(again.layers[0].weights[0])
    assert np.all(again.layers[1].weights[0])


@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
def test_layers_on_one_module_in_models_within_models(kit: Kit, file: str, tmp_path: Path) -> None:
    module = compat_hub.load(HPARAMS)
    inner = kit.keras.Sequential([kit.layer_class(module)])
    x = kit.keras.Input([5])
    inner = kit.keras.Model(x, inner(x))
    x = kit.keras.Input([5])
    model = kit.keras.Model(x, kit.layer_class(module)(inner(x)))
    model.save(tmp_path / file)
    # Keras ends the scope of what is shared at the end of each model that it reads from an .h5.
    expected = (
        pytest.warns(SharedModuleWarning) if file.endswith("h5") else contextlib.nullcontext()
    )
    with expected:
        again = _load(kit, tmp_path / file, compile=False)
    assert len(again.weights) == (6 if file.endswith("h5") else 3)
    np.testing.assert_allclose(again(X), model(X), rtol=1e-6)
    with kit.keras.saving.custom_object_scope({HPARAMS: compat_hub.load(HPARAMS)}):
        again = _load(kit, tmp_path / file, compile=False)
    assert len(again.weights) == 3


def test_clones(kit: Kit) -> None:
    model = _twins(kit)
    with pytest.warns(SharedModuleWarning, match=r"shared the module .*custom_object_scope"):
        clone = kit.keras.models.clone_model(model)
    assert len(clone.weights) == 8
    with kit.keras.saving.custom_object_scope({HPARAMS: compat_hub.load(HPARAMS)}):
        clone = kit.keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    _assert_equal(kit, clone, model)
    assert _module_of(clone, "first") is not _module_of(model, "first")
    _assert_equal(kit, copy.deepcopy(model), model)


# Configs ------------------------------------------------------------------------------------------


def _again(kit: Kit, layer: Any) -> Any:
    config = json.loads(json.dumps(layer.get_config()))
    again = kit.layer_class.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    return again


def test_arguments_of_every_kind(kit: Kit) -> None:
    for value in (0.5, np.float32(0.5), np.array(0.5), tf.constant(0.5)):
        layer = kit.layer_class(
            HPARAMS, signature="with_momentum", arguments={"batch_norm_momentum": value}
        )
        assert layer.get_config()["arguments"] == {"batch_norm_momentum": 0.5}
        np.testing.assert_array_equal(_again(kit, layer)(X), layer(X))
    module = FIXTURES / "shapes" / "module"
    anything = [[1.0, 2.0], [3.0, 4.0]]
    for value in (anything, tuple(map(tuple, anything)), np.array(anything), tf.constant(anything)):
        layer = kit.layer_class(
            module, arguments={"scalar": 2.0, "anything": value}, signature_outputs_as_dict=True
        )
        assert layer.get_config()["arguments"]["anything"] == anything
    words = kit.layer_class(
        FIXTURES / "text_two_assets" / "module", output_key="first", arguments={"words": b"a"}
    )
    assert words.get_config()["arguments"] == {"words": "a"}


def test_tags_and_load_options(kit: Kit) -> None:
    options = tf.saved_model.LoadOptions(
        experimental_io_device="/job:localhost",
        experimental_variable_policy="save_variable_devices",
    )
    layer = kit.layer_class(IMAGE_BN, tags={"train"}, load_options=options)
    config = _again(kit, layer).get_config()
    assert config["load_options"] == {
        "experimental_io_device": "/job:localhost",
        "experimental_variable_policy": "save_variable_devices",
    }
    layer = kit.layer_class(compat_hub.load(IMAGE_BN, tags={"train"}))
    assert layer.get_config()["tags"] == ["train"]
    assert _again(kit, layer).resolved_object.tags == {"train"}


def test_an_output_shape_of_tensor_shapes(kit: Kit) -> None:
    shape = {"default": tf.TensorShape([4]), "block_2": tf.TensorShape(None), "block_1/relu": None}
    layer = kit.layer_class(
        IMAGE_BN,
        signature="image_feature_vector",
        signature_outputs_as_dict=True,
        output_shape=shape,
    )
    images = tf.ones([2, 8, 8, 3])
    tf.nest.map_structure(np.testing.assert_array_equal, _again(kit, layer)(images), layer(images))


def test_layers_without_a_config(kit: Kit, tmp_path: Path) -> None:
    """They are saved as SavedModels, where no config is needed."""
    momentum = tf.Variable(0.5, trainable=False)
    options = {"signature": "with_momentum", "arguments": {"batch_norm_momentum": momentum}}
    model = _sequential(kit, **options)
    with pytest.raises(compat_hub.ConfigError, match="'hub' cannot be written in JSON"):
        model.save(tmp_path / "model.keras")
    if "model" in kit.model_files:
        model.save(tmp_path / "model")
        momentum.assign(0.0)
        _assert_equal(kit, _load(kit, tmp_path / "model"), model)
    else:
        model.export(str(tmp_path / "model"), verbose=False)
        loaded = tf.saved_model.load(str(tmp_path / "model"))
        np.testing.assert_allclose(loaded.serve(X), model(X), rtol=1e-6, atol=1e-6)


def test_a_module_that_is_in_no_folder(kit: Kit, tmp_path: Path) -> None:
    path = str(tmp_path / "saved_model")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None, 2])
        tf.compat.v1.saved_model.simple_save(session, path, {"x": x}, {"default": 2 * x})
    layer = kit.layer_class(
        compat_hub.create_module_spec_from_saved_model(path),
        tags="serve",
        signature="serving_default",
    )
    with pytest.raises(compat_hub.ConfigError, match="in no folder"):
        layer.get_config()


def _package(kit: Kit) -> str:
    """What Keras knows the layer's class by."""
    return kit.layer_class._maker.registered_package


def test_a_config_of_tensorflow_hub(kit: Kit) -> None:
    model = _sequential(kit)
    name = f"{_package(kit)}>KerasLayer"
    config = json.loads(model.to_json().replace(name, "KerasLayer"))
    config["config"]["layers"][1]["module"] = "tensorflow_hub.keras_layer"
    again = kit.keras.models.model_from_json(
        json.dumps(config), custom_objects={"KerasLayer": kit.layer_class}
    )
    again.set_weights(model.get_weights())
    _assert_equal(kit, again, model)


# Modules that have moved --------------------------------------------------------------------------


@pytest.fixture(params=["model.keras", "model.h5"])
def moved(
    kit: Kit, request: pytest.FixtureRequest, tmp_path: Path, copy_of: Any
) -> tuple[Path, Any, Any]:
    """A model in a file, its module's old place, its new place."""
    module = copy_of("hparams", "modules/old/hparams")
    file = tmp_path / request.param
    _sequential(kit, module.path).save(file)
    (tmp_path / "modules/old").rename(tmp_path / "modules/new")
    return file, module.path, tmp_path / "modules/new/hparams"


def test_a_handle_that_has_moved(kit: Kit, moved: tuple[Path, Any, Any]) -> None:
    file, old, new = moved
    with pytest.raises(compat_hub.ResolveError) as caught:
        _load(kit, file)
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
        again = _load(kit, file, custom_objects={name: place})
        layer = again.get_layer("hub")
        assert layer.get_config()["handle"] == str(new)
        if isinstance(place, compat_hub.HubModule):
            assert layer.resolved_object is place


def test_a_new_place_that_is_wrong_too(kit: Kit, moved: tuple[Path, Any, Any]) -> None:
    file, old, new = moved
    with pytest.raises(compat_hub.ResolveError, match="nowhere"):
        _load(kit, file, custom_objects={old: "nowhere"})
    with pytest.raises(compat_hub.ModuleFormatError, match=r"custom_objects.*path/to/module"):
        _load(kit, file, custom_objects={old: new.parent})


def test_a_relative_handle(
    kit: Kit, tmp_path: Path, copy_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_of("hparams", "project/modules/hparams")
    monkeypatch.chdir(tmp_path / "project")
    model = _sequential(kit, "modules/hparams")
    assert model.get_layer("hub").get_config()["handle"] == "modules/hparams"
    model.save(tmp_path / "model.keras")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(compat_hub.ResolveError) as caught:
        _load(kit, tmp_path / "model.keras")
    assert f"relative to the current directory, {tmp_path}." in str(caught.value)
    places = {"modules": tmp_path / "project/modules"}
    again = _load(kit, tmp_path / "model.keras", custom_objects=places)
    _assert_equal(kit, again, model)


# Host access --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reads_files(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A module that gives the content of the files that it is fed with the names of."""

    def build() -> Any:
        x = tf.compat.v1.placeholder(tf.string, [None])
        return {"default": ({"x": x}, {"default": tf.map_fn(tf.io.read_file, x)})}

    return write_module(tmp_path_factory.mktemp("host") / "module", none=build)


def _reader(kit: Kit, handle: Any, **kwargs: Any) -> Any:
    return kit.layer_class(handle, dtype="string", name="hub", **kwargs)


def _model_of(kit: Kit, reader: Any) -> Any:
    return kit.keras.Sequential([kit.keras.Input([], dtype="string"), reader])


def test_a_layer_that_may_touch_the_host(kit: Kit, tmp_path: Path, reads_files: str) -> None:
    with pytest.raises(compat_hub.UnsafeModuleError, match=r"'ReadFile'.*allow_host_access=True"):
        _reader(kit, reads_files)
    (tmp_path / "a").write_text("text")
    for layer in (
        _reader(kit, reads_files, allow_host_access=True),
        _reader(kit, compat_hub.load_module_spec(reads_files, allow_host_access=True)),
        _reader(kit, compat_hub.load(reads_files, allow_host_access=True)),
    ):
        assert layer(tf.constant([str(tmp_path / "a")])).numpy() == [b"text"]
        assert layer.get_config()["allow_host_access"] is True
        again = kit.layer_class.from_config(layer.get_config())
        assert again.get_config() == layer.get_config()
        clone = kit.keras.models.clone_model(_model_of(kit, layer))
        assert clone.predict(tf.constant([str(tmp_path / "a")]), verbose=0) == [b"text"]
    assert "allow_host_access" not in kit.layer_class(HPARAMS).get_config()


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_file_gives_no_permission(
    kit: Kit, tmp_path: Path, reads_files: str, suffix: str
) -> None:
    file = tmp_path / f"model.{suffix}"
    _model_of(kit, _reader(kit, reads_files, allow_host_access=True)).save(file)
    with pytest.raises(
        compat_hub.UnsafeModuleError, match=r"'hub' cannot.*safe_mode=False.*custom_objects"
    ):
        _load(kit, file)
    with pytest.raises(compat_hub.UnsafeModuleError, match=r"custom_objects"):
        # Another place is no permission.
        _load(kit, file, custom_objects={reads_files: reads_files})
    for trusted in (
        compat_hub.load(reads_files, allow_host_access=True),
        compat_hub.load_module_spec(reads_files, allow_host_access=True),
    ):
        again = _load(kit, file, custom_objects={reads_files: trusted})
        assert again.layers[0].get_config()["allow_host_access"] is True
        if isinstance(trusted, compat_hub.HubModule):
            assert again.layers[0].resolved_object is trusted


def test_a_file_that_the_program_trusts(kit: Kit, tmp_path: Path, reads_files: str) -> None:
    file = tmp_path / "model.keras"
    shared = compat_hub.load(reads_files, allow_host_access=True)
    x = kit.keras.Input([], dtype="string")
    layers = [kit.layer_class(shared, name=name, dtype="string") for name in "ab"]
    kit.keras.Model(x, [layer(x) for layer in layers]).save(file)
    with pytest.raises(compat_hub.UnsafeModuleError, match="safe_mode=False"):
        _load(kit, file)
    again = _load(kit, file, safe_mode=False)
    one, other = (again.get_layer(name) for name in "ab")
    assert one.resolved_object is other.resolved_object
    (tmp_path / "a").write_text("text")
    assert one(tf.constant([str(tmp_path / "a")])).numpy() == [b"text"]


def test_no_config_of_a_shared_module_gives_permission(kit: Kit, reads_files: str) -> None:
    config = {"handle": reads_files, "tags": None, "load_options": None, "allow_host_access": True}
    with pytest.raises(compat_hub.UnsafeModuleError, match="'ReadFile'"):
        kit.keras.saving.deserialize_keras_object(
            {
                "class_name": f"{_package(kit)}>SharedModule",
                "registered_name": f"{_package(kit)}>SharedModule",
                "module": None,
                "config": config,
            },
            safe_mode=False,
        )


# Other models -------------------------------------------------------------------------------------


def test_a_subclass_with_weights_of_its_own(kit: Kit, tmp_path: Path) -> None:
    class WithGain(kit.layer_class):
        """A weight of its own, besides those of the module."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.gain = self.add_weight(name="gain", shape=[], initializer="ones")

        def call(self, inputs: Any, training: Any = None) -> Any:
            return self.gain * super().call(inputs, training)

    def make() -> Any:
        layer = WithGain(HPARAMS, trainable=True, name="hub")
        return kit.keras.Sequential([kit.keras.Input([5]), layer])

    model = make()
    model.layers[0].gain.assign(3.0)
    for file in kit.weights_files:
        model.save_weights(tmp_path / file)
        again = make()
        again.load_weights(tmp_path / file)
        _assert_equal(kit, again, model)
    model.save(tmp_path / "model.keras")
    again = _load(kit, tmp_path / "model.keras", custom_objects={"WithGain": WithGain})
    _assert_equal(kit, again, model)


def test_a_subclassed_model(kit: Kit, tmp_path: Path, copy_of: Any) -> None:
    class Subclassed(kit.keras.Model):
        def __init__(self, handle: str) -> None:
            super().__init__()
            self.hub = kit.layer_class(handle, trainable=True, name="hub")
            self.top = kit.keras.layers.Dense(5, name="top")

        def call(self, inputs: Any, training: Any = None) -> Any:
            return self.top(self.hub(inputs, training=training))

    module = copy_of("hparams")
    model = _compile(kit, Subclassed(module.path))
    _fit(model)
    for file in kit.weights_files:
        model.save_weights(tmp_path / file)
        again = _compile(kit, Subclassed(module.path))
        again(X)
        again.load_weights(tmp_path / file)
        np.testing.assert_equal(again.get_weights(), model.get_weights())
    if "model" not in kit.model_files:
        return
    model.save(tmp_path / "model")
    with _away(module.folder):
        again = _load(kit, tmp_path / "model")
        again.load_weights(tmp_path / "model/variables/variables").expect_partial()
    np.testing.assert_allclose(again(X), model(X), rtol=1e-6, atol=1e-6)
    again.run_eagerly = True
    assert _fit(again) == pytest.approx(_fit(model), rel=1e-6)


class _Callable:
    """Its variables have one name, and it does not show them to checkpoints."""

    def __init__(self) -> None:
        self.variables = (tf.Variable(1.0, name="v"), tf.Variable(2.0, name="v"))
        self.trainable_variables = self.variables

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return x * self.variables[0] + self.variables[1]


def test_a_callable_with_variables(kit: Kit, tmp_path: Path) -> None:
    model = _sequential(kit, _Callable())
    _fit(model)
    for file in kit.weights_files:
        model.save_weights(tmp_path / file)
        again = _sequential(kit, _Callable())
        again.load_weights(tmp_path / file)
        _assert_equal(kit, again, model)
    if "model" in kit.model_files:
        model.save(tmp_path / "model")
        _assert_equal(kit, _load(kit, tmp_path / "model"), model)


def test_a_plain_saved_model(kit: Kit, tmp_path: Path) -> None:
    path = compat_hub.convert(HPARAMS, tmp_path / "plain")
    model = _sequential(kit, path)
    _fit(model)
    for file in kit.model_files:
        model.save(tmp_path / file)
        # Only the program may say that it is loaded.
        places = {} if file == "model" else {path: path}
        again = _load(kit, tmp_path / file, custom_objects=places)
        _assert_equal(kit, again, model)
