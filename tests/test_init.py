"""The package itself: cheap to import, and each public name leads to the right object."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import compat_hub


def _run(code: str) -> str:
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout


def test_importing_it_imports_neither_tensorflow_nor_keras() -> None:
    code = """
import sys, compat_hub
dir(compat_hub), compat_hub.HubError, compat_hub.ModuleFormatError, compat_hub.__version__
print([m for m in sys.modules if m.partition(".")[0] in {"tensorflow", "keras", "tf_keras"}])
"""
    assert _run(code) == "[]\n"


def test_every_public_name_leads_to_its_object_whatever_was_imported_before() -> None:
    # A submodule of the same name would take the place of a function.
    for module in pkgutil.walk_packages(compat_hub.__path__, "compat_hub."):
        try:
            importlib.import_module(module.name)
        except ImportError as error:  # an extra is not installed: the message says which
            if "pip install '" not in str(error):
                raise
    for name in compat_hub.__all__:
        value = getattr(compat_hub, name)
        assert inspect.isclass(value) or inspect.isfunction(value), name
        assert value.__module__.startswith("compat_hub.")
        assert value.__doc__


def test_every_public_name_is_in_dir() -> None:
    assert set(compat_hub.__all__) <= set(dir(compat_hub))
    assert sorted(compat_hub.__all__) == compat_hub.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'compat_hub' has no attribute 'lod'"):
        _ = compat_hub.lod
    assert not hasattr(compat_hub, "_HOME")


def test_star_import() -> None:
    names: dict[str, object] = {}
    exec("from compat_hub import *", names)
    assert set(compat_hub.__all__) <= set(names)


@pytest.mark.parametrize(("legacy", "expected"), [("0", "keras3"), ("1", "keras2")])
def test_the_layer_is_for_the_keras_that_tf_keras_is(
    legacy: str, expected: str, fixture_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", legacy)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    code = f"""
import tensorflow as tf, compat_hub
layer = compat_hub.KerasLayer({fixture_path("no_variables")!r})
model = tf.keras.Sequential([layer])
print(type(layer).__module__, model(tf.constant([2.0])).shape)
"""
    assert _run(code) == f"compat_hub.{expected} (1,)\n"
