from __future__ import annotations

import sys
import types

import keras
import pytest

import compat_hub
from compat_hub.keras_layers.keras3_backend import import_keras


def test_keras_3_on_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert import_keras() is keras
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert import_keras() is keras  # it is imported already, with another setting


def test_another_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ImportError, match=r"backend 'torch'.*KERAS_BACKEND=tensorflow"):
        import_keras()


def test_another_backend_that_need_not_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(compat_hub.BackendError, match=r"backend 'jax'.*KERAS_BACKEND=tensorflow"):
        import_keras()


def test_keras_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras", types.SimpleNamespace(__version__="2.15.0"))
    with pytest.raises(compat_hub.BackendError, match=r"2\.15\.0.*compat_hub\.keras2\.KerasLayer"):
        import_keras()
