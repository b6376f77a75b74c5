"""The package tf_slim, which has the layers of `tf.contrib`, on today's TensorFlow and tf_keras."""

from __future__ import annotations

import importlib
import importlib.util
import types

from compat_hub.common.adapted_imports import adapt
from compat_hub.errors import BackendError
from compat_hub.tf_private.slim_repairs import slim_repairs


def slim_module(name: str) -> types.ModuleType:
    """A module of tf_slim."""
    if importlib.util.find_spec("tf_slim") is None:
        raise BackendError(
            "The layers of tf.contrib are in the package tf-slim now. Install it: "
            "pip install 'compat-hub[slim]'"
        )
    adapt("tf_slim", slim_repairs)
    return importlib.import_module(name)
