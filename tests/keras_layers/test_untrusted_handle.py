"""Files of Keras that come from anybody: what their configs lead to, and what they do not."""

from __future__ import annotations

import contextlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2, keras3
from compat_hub.sources.resolve import is_here
from tests.records import FIXTURES
from tests.sources import server as web

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")

v1 = tf.compat.v1
HPARAMS = str(FIXTURES / "hparams" / "module")
X = np.ones([2, 5], np.float32)
KERAS: dict[str, tuple[Any, Any]] = {
    "tf_keras": (tf_keras, keras2.KerasLayer),
    "keras": (keras, keras3.KerasLayer),
}


class Evil:
    """A plain SavedModel whose initializer writes a file.

    Attributes:
        path: Its folder.
        marker: The file.
    """

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "plain")
        self.marker = folder / "marker"
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None, 5])
            write = tf.io.write_file(str(self.marker), "written")
            signature = v1.saved_model.predict_signature_def({"x": x}, {"default": 2 * x})
            builder = v1.saved_model.Builder(self.path)
            builder.add_meta_graph_and_variables(
                session, ["serve"], {"serving_default": signature}, main_op=write
            )
            builder.save()

    def archive(self) -> bytes:
        """Its files."""
        files = (path for path in Path(self.path).rglob("*") if path.is_file())
        return web.archive({str(f.relative_to(self.path)): f.read_bytes() for f in files})


@pytest.fixture
def evil(tmp_path: Path) -> Evil:
    return Evil(tmp_path)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[web.Server]:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    with web.running() as server:
        yield server


def _file(folder: Path, package: str, suffix: str, handle: str) -> Path:
    """A model's file, with a handle that somebody has put into it."""
    library, layer_class = KERAS[package]
    file = folder / f"model.{suffix}"
    with contextlib.suppress(FileNotFoundError):
        file.unlink()
    model = library.Sequential([layer_class(HPARAMS, name="hub")])
    model(X)
    model.save(file)
    old, new = json.dumps(HPARAMS), json.dumps(handle)
    if suffix == "h5":
        with h5py.File(file, "r+") as content:
            content.attrs["model_config"] = content.attrs["model_config"].replace(old, new)
        return file
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in parts.items():
            is_config = name == "config.json"
            archive.writestr(name, data.replace(old.encode(), new.encode()) if is_config else data)
    return file


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("package", KERAS)
def test_a_plain_saved_model(tmp_path: Path, evil: Evil, package: str, suffix: str) -> None:
    file = _file(tmp_path, package, suffix, evil.path)
    with pytest.raises(compat_hub.UnsafeModuleError, match=r"'hub'.*plain SavedModel.*safe_mode"):
        KERAS[package][0].models.load_model(file)
    assert not evil.marker.exists()


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("package", KERAS)
def test_an_address(
    tmp_path: Path, evil: Evil, server: web.Server, package: str, suffix: str
) -> None:
    for name, data in (("plain", evil.archive()), ("module", web.archive_of("hparams"))):
        url = server.url(f"/{name}.tar.gz", web.file(data))
        file = _file(tmp_path, package, suffix, url)
        load_model = KERAS[package][0].models.load_model
        with pytest.raises(compat_hub.UnsafeModuleError, match=r"not on this machine.*resolve\("):
            load_model(file)
        assert not server.asked
        # The program has brought it to the cache.
        compat_hub.resolve(url)
        if name == "plain":
            with pytest.raises(compat_hub.UnsafeModuleError, match=r"plain SavedModel"):
                load_model(file)
        else:
            load_model(file)
        server.asked.clear()
    assert not evil.marker.exists()


@pytest.mark.parametrize("option", ["allow_host_access", "allow_links"])
@pytest.mark.parametrize("package", KERAS)
def test_a_layer_of_the_other_keras(tmp_path: Path, package: str, option: str) -> None:
    """A file may name any class: one that asks its own Keras hears that nothing is loaded."""
    (library, _), other = KERAS[package], "keras3" if package == "tf_keras" else "keras2"
    file = tmp_path / "model.keras"
    library.Sequential([library.layers.InputLayer((3,)), library.layers.Rescaling(1.0)]).save(file)
    layer = {
        "module": f"compat_hub.{other}",
        "class_name": "KerasLayer",
        "registered_name": None,
        "config": {"name": "hub", "handle": HPARAMS, option: True},
    }
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in {**parts, "config.json": json.dumps(layer).encode()}.items():
            archive.writestr(name, data)
    # Some versions of Keras import no such class.
    with pytest.raises((compat_hub.UnsafeModuleError, TypeError)) as caught:
        library.models.load_model(file)
    if package == "tf_keras":
        assert isinstance(caught.value, compat_hub.UnsafeModuleError)


@pytest.mark.parametrize("handle", ["gs://bucket/module", "file://gs://bucket/module"])
@pytest.mark.parametrize("package", KERAS)
def test_a_bucket(
    tmp_path: Path, package: str, handle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _file(tmp_path, package, "keras", handle)
    asked = []
    monkeypatch.setattr(tf.io.gfile, "isdir", asked.append)
    monkeypatch.setattr(tf.io.gfile, "exists", asked.append)
    with pytest.raises(compat_hub.UnsafeModuleError, match=r"not on this machine"):
        KERAS[package][0].models.load_model(file)
    # Whoever asks a bucket fetches the user's token for it.
    assert not [path for path in asked if "gs:" in str(path)]


@pytest.mark.parametrize("name", ["weights.weights.h5", "model.keras", "model.h5"])
@pytest.mark.parametrize("package", KERAS)
def test_weights_behind_a_link_to_another_file(tmp_path: Path, package: str, name: str) -> None:
    library, layer_class = KERAS[package]
    model = library.Sequential([layer_class(HPARAMS, name="hub")])
    model(X)
    before = model.get_weights()
    file = tmp_path / name
    model.save_weights(file) if name.endswith("weights.h5") else model.save(file)
    weights = file
    if name == "model.keras":
        with zipfile.ZipFile(file) as archive:
            parts = {part: archive.read(part) for part in archive.namelist()}
        weights = tmp_path / "inner.h5"
        weights.write_bytes(parts["model.weights.h5"])
    if name == "model.h5":
        _store_elsewhere(weights, tmp_path / "other")
    else:
        _put_elsewhere(weights, tmp_path / "other.h5")
    if name == "model.keras":
        with zipfile.ZipFile(file, "w") as archive:
            for part, data in {**parts, "model.weights.h5": weights.read_bytes()}.items():
                archive.writestr(part, data)
    found = model
    with contextlib.suppress(Exception):
        if name.startswith("model."):
            found = library.models.load_model(file)
        else:
            model.load_weights(file)
    for old, new in zip(before, found.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def _store_elsewhere(file: Path, other: Path) -> None:
    """Lets the weights be bytes of another file."""
    with h5py.File(file, "a") as content:
        parts: Any = content
        names: list[str] = []
        content.visit(names.append)
        for name in [n for n in names if isinstance(parts[n], h5py.Dataset)]:
            value = np.full(parts[name].shape, 7919, parts[name].dtype)
            other.write_bytes(value.tobytes())
            del parts[name]
            place = [(str(other), 0, value.nbytes)]
            parts.create_dataset(name, shape=value.shape, dtype=value.dtype, external=place)


def _put_elsewhere(file: Path, other: Path) -> None:
    """Puts the group with the weights into another file, with other values and a link to it."""
    with h5py.File(file, "a") as content, h5py.File(other, "w") as secret:
        groups: list[str] = []
        content.visit(groups.append)
        parts: Any = content
        arrays = [g for g in groups if isinstance(parts[g], h5py.Dataset)]
        group = next(name for name in arrays if parts[name].size > 1).rpartition("/")[0]
        content.copy(group, secret, "private")
        private: Any = secret["private"]
        for value in private.values():
            value[...] = 7919
        del content[group]
        content[group] = h5py.ExternalLink(str(other), "private")


@pytest.mark.parametrize("package", KERAS)
def test_what_the_program_allows(
    tmp_path: Path, server: web.Server, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, _ = KERAS[package]
    url = server.url("/module.tar.gz", web.file(web.archive_of("hparams")))
    plain = compat_hub.convert(HPARAMS, tmp_path / "plain")
    expected = compat_hub.load(HPARAMS)(X)
    for number, handle in enumerate((url, plain)):
        for suffix, ways in (
            ("keras", {"safe_mode": False}),
            ("keras", {"custom_objects": {handle: handle}}),
            ("h5", {"custom_objects": {handle: handle}}),
        ):
            monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / f"cache{number}{suffix}"))
            shutil.rmtree(tmp_path / f"cache{number}{suffix}", ignore_errors=True)
            model = library.models.load_model(_file(tmp_path, package, suffix, handle), **ways)
            np.testing.assert_allclose(model(X), expected, rtol=1e-6)


def test_a_place_above_that_the_program_gives(tmp_path: Path, evil: Evil) -> None:
    """The rest of the path is the file's."""
    file = _file(tmp_path, "tf_keras", "keras", "old/place/../plain")
    (tmp_path / "place").mkdir()
    with pytest.raises(compat_hub.UnsafeModuleError, match="plain SavedModel"):
        tf_keras.models.load_model(file, custom_objects={"old/place": str(tmp_path / "place")})
    assert not evil.marker.exists()


@pytest.mark.parametrize(
    ("library", "name"), [(tf_keras, "compat_hub"), (keras, "compat_hub.keras3")]
)
def test_a_shared_module_that_no_layer_asks_for(
    tmp_path: Path, evil: Evil, server: web.Server, library: Any, name: str
) -> None:
    url = server.url("/plain.tar.gz", web.file(evil.archive()))
    for handle in (evil.path, url, "gs://somewhere/module"):
        options = {"handle": handle, "tags": None, "load_options": None}
        config = {
            "class_name": f"{name}>SharedModule",
            "registered_name": f"{name}>SharedModule",
            "module": None,
            "config": options,
        }
        with pytest.raises(compat_hub.UnsafeModuleError):
            library.saving.deserialize_keras_object(config)
    assert not evil.marker.exists()
    assert not server.asked


def test_a_feature_column(evil: Evil) -> None:
    handle = str(FIXTURES / "text_table" / "module")
    column = compat_hub.text_embedding_column_v2("text", handle)
    model = tf_keras.Sequential([tf_keras.layers.DenseFeatures([column])])
    model({"text": tf.constant([["a"]])})
    config = json.loads(json.dumps(model.get_config()).replace(handle, evil.path))
    text = json.dumps({"class_name": "Sequential", "config": config})
    models: Any = tf_keras.models
    with pytest.raises(compat_hub.UnsafeModuleError, match="plain SavedModel"):
        models.model_from_json(text)({"text": tf.constant([["a"]])})
    assert not evil.marker.exists()


@pytest.mark.parametrize("make", [str, Path])
def test_convert_does_not_run_what_a_saved_model_runs_when_it_is_loaded(
    tmp_path: Path, evil: Evil, make: Callable[[str], Any]
) -> None:
    compat_hub.convert(make(evil.path), tmp_path / "converted")
    assert tf.saved_model.load(str(tmp_path / "converted"))(X).numpy().tolist() == (2 * X).tolist()
    assert not evil.marker.exists()
    tf.saved_model.load(evil.path)
    assert evil.marker.exists()  # as it would have


def test_what_is_here(tmp_path: Path, server: web.Server) -> None:
    for handle in ("module", "~/module.tar.gz", "file:///module", "ram://module"):
        assert is_here(handle)
    for handle in (
        *("https://example.com/m.tgz", "gs://bucket/module", "s3://bucket/m.tgz"),
        *("file://gs://bucket/module", "file://hdfs://host/module"),
    ):
        assert not is_here(handle)
    url = server.url("/module.tar.gz", web.file(web.archive_of("hparams")))
    url = url.replace("://", "://me:secret@")
    masked = url.replace("secret", "***")
    assert is_here(masked)
    with pytest.raises(compat_hub.ResolveError, match="no module in the cache"):
        compat_hub.resolve(masked)
    assert not server.asked
    compat_hub.resolve(url)
    assert is_here(url)
    assert is_here(masked)
    shutil.rmtree(tmp_path / "cache")
    assert not is_here(masked)  # this process knows the password
