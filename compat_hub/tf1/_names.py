"""The names of `compat_hub.tf1`: which come from where."""

from __future__ import annotations

import functools
import importlib
import sys
import types
from typing import Any

from compat_hub.common.overlay import Overlay

_ROOT = "compat_hub.tf1"


@functools.cache
def tensorflow_v1() -> types.ModuleType:
    """The module `tensorflow.compat.v1`."""
    tf: Any = importlib.import_module("tensorflow")
    # Importing it by its name would run its files once more.
    return tf.compat.v1


def find(name: str) -> Any:
    """A name of `tf`, of TensorFlow 1.x."""
    return _root().__getattr__(name)


def names() -> list[str]:
    """All names of `tf`."""
    return dir(_root())


@functools.cache
def _root() -> Overlay:
    replaced = {
        "compat": _compat,
        "contrib": _contrib,
        "estimator": _estimator,
        "keras": keras,
        "layers": layers,
        "nn": _nn,
    }
    return Overlay(_ROOT, tensorflow_v1(), replaced)


def keras() -> types.ModuleType:
    """`tf.keras` as TensorFlow 1.15 had it."""
    return importlib.import_module("tf_keras.api._v1.keras")


@functools.cache
def layers() -> types.ModuleType:
    """`tf.layers`, which today's TensorFlow says is not available with Keras 3."""
    legacy = "tf_keras.api._v1.keras.__internal__.legacy.layers"
    return Overlay(f"{_ROOT}.layers", importlib.import_module(legacy), {})


@functools.cache
def _nn() -> types.ModuleType:
    legacy = "tf_keras.api._v1.keras.__internal__.legacy.rnn_cell"
    cells = Overlay(f"{_ROOT}.nn.rnn_cell", importlib.import_module(legacy), {})
    return Overlay(f"{_ROOT}.nn", tensorflow_v1().nn, {"rnn_cell": lambda: cells})


@functools.cache
def _compat() -> types.ModuleType:
    return Overlay(f"{_ROOT}.compat", tensorflow_v1().compat, {"v1": lambda: sys.modules[_ROOT]})


def _contrib() -> types.ModuleType:
    from compat_hub.tf1 import _contrib

    return _contrib.contrib()


def _estimator() -> types.ModuleType:
    from compat_hub.tf1 import _estimators

    return _estimators.estimator()
