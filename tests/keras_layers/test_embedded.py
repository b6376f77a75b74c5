"""Keras files that have the module inside."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from tests.cli.processes import ROOT
from tests.keras_layers.kits import Kit

TEXTS = ["a cat drinks milk", "ripe apples", "zebra"]


def _model(kit: Kit, handle: Any, **options: Any) -> Any:
    layer = kit.layer_class(handle, trainable=True, embed_module=True, name="hub", **options)
    return kit.compile(kit.keras.Sequential([layer, kit.keras.layers.Dense(1)]))


@pytest.fixture
def saved(kit: Kit, tmp_path: Path, copy_of: Any) -> tuple[Any, Any, Path]:
    """A trained text model, its module (tables, an asset), and the file that it was saved to."""
    kit.keras.backend.clear_session()
    module = copy_of("words", "module")
    model = _model(kit, module.path)
    model.fit(tf.constant(TEXTS), np.ones([3, 1]), epochs=2, verbose=0)
    file = tmp_path / "model.keras"
    model.save(file)
    return model, module, file


def test_a_file_without_the_module(kit: Kit, saved: tuple[Any, Any, Path]) -> None:
    model, module, file = saved
    expected = model.predict(tf.constant(TEXTS), verbose=0)
    shutil.rmtree(module.path)
    for again in (file, file.with_name("again.keras")):
        loaded = kit.keras.models.load_model(again)
        found = loaded.predict(tf.constant(TEXTS), verbose=0)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        loaded.save(file.with_name("again.keras"))
    loaded.fit(tf.constant(TEXTS), np.ones([3, 1]), epochs=1, verbose=0)


def test_a_file_in_another_process(kit: Kit, saved: tuple[Any, Any, Path]) -> None:
    model, module, file = saved
    expected = model.predict(tf.constant(TEXTS), verbose=0)
    shutil.rmtree(module.path)
    code = f"""
import {kit.name} as keras, tensorflow as tf, compat_hub.keras2, compat_hub.keras3
model = keras.models.load_model({str(file)!r})
print(model.predict(tf.constant({TEXTS!r}), verbose=0).ravel().tolist())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(found, expected.ravel(), rtol=1e-5)


def test_another_module_at_the_old_place(kit: Kit, saved: tuple[Any, Any, Path], copy_of) -> None:
    model, module, file = saved
    expected = model.predict(tf.constant(TEXTS), verbose=0)
    shutil.rmtree(module.path)
    shutil.copytree(copy_of("nnlm", "other").path, module.path)
    found = kit.keras.models.load_model(file).predict(tf.constant(TEXTS), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_clone_has_the_values_of_the_module(kit: Kit, saved: tuple[Any, Any, Path]) -> None:
    model, module, _ = saved
    clone = kit.keras.models.clone_model(model)
    expected = compat_hub.load(module.path)(TEXTS)
    layer = clone.get_layer("hub")
    np.testing.assert_allclose(layer(tf.constant(TEXTS)), expected, rtol=1e-6)


def test_the_checkpoint_is_not_in_the_config(saved: tuple[Any, Any, Path]) -> None:
    model, module, _ = saved
    size = len(model.get_layer("hub").get_config()["embedded_module"])
    graph = Path(module.path, "saved_model.pb").stat().st_size
    assert size < graph  # compressed


@pytest.mark.parametrize("text", ["", "not base64!", "AAAA", 3])
def test_a_damaged_config(kit: Kit, saved: tuple[Any, Any, Path], text: Any) -> None:
    _, module, file = saved
    shutil.rmtree(module.path)
    with zipfile.ZipFile(file) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    (layer,) = (x for x in config["config"]["layers"] if x["class_name"].endswith("KerasLayer"))
    layer["config"]["embedded_module"] = text
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(compat_hub.HubError):
        kit.keras.models.load_model(file)


def test_what_is_not_in_a_folder(kit: Kit) -> None:
    layer = kit.layer_class(lambda x: x, embed_module=True)
    with pytest.raises(compat_hub.HubError):
        layer.get_config()
