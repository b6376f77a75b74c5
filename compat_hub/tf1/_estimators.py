"""Estimators: the package tensorflow_estimator 2.15.0 on a TensorFlow that dropped them."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import types
from typing import Any

from compat_hub.common.adapted_imports import adapt
from compat_hub.errors import BackendError
from compat_hub.tf_private.estimator_repairs import estimator_repairs

_PACKAGE = "tensorflow_estimator"


def estimator() -> types.ModuleType:
    """`tf.estimator` as TensorFlow 1.15 had it, with the optimizers of `tf.train`."""
    if importlib.util.find_spec(_PACKAGE) is None:
        raise BackendError(
            "Estimators are not part of TensorFlow any more: this needs the package "
            "tensorflow-estimator 2.15.0. Install it: pip install 'compat-hub[estimator]'"
        )
    adapt(_PACKAGE, functools.partial(estimator_repairs, sys.modules["compat_hub.tf1"]))
    return importlib.import_module(f"{_PACKAGE}._api.v1.estimator")


def attribute(name: str) -> Any:
    """A name of `tf.estimator`; the import system asks for some that are not there."""
    if name.startswith("__"):
        raise AttributeError(f"module 'compat_hub.estimator' has no attribute {name!r}")
    return getattr(estimator(), name)


def names() -> list[str]:
    """The names of `tf.estimator`."""
    return dir(estimator())
