"""Keras 3 on its TensorFlow backend, or the error that says why it is not to be had."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from compat_hub.errors import BackendError


def import_keras() -> Any:
    """The package keras.

    Raises:
        BackendError: It is not Keras 3, or runs on another backend than TensorFlow.
    """
    # Keras imports its backend, which may not be there: so this comes first.
    wanted = os.environ.get("KERAS_BACKEND", "") or "tensorflow"
    if "keras" not in sys.modules and wanted != "tensorflow":
        raise _other_backend(wanted)
    found: Any = importlib.import_module("keras")
    if int(found.__version__.partition(".")[0]) < 3:
        raise BackendError(
            "compat_hub.keras3 is for Keras 3, and the package keras that is installed is "
            f'{found.__version__}. Install "keras>=3", or use compat_hub.keras2.KerasLayer, which '
            "is for tf_keras."
        )
    if found.backend.backend() != "tensorflow":
        raise _other_backend(found.backend.backend())
    return found


def _other_backend(name: str) -> BackendError:
    return BackendError(
        f"Keras runs on its backend {name!r}, and compat_hub.keras3 is for the backend "
        "'tensorflow': a module is a graph of TensorFlow. Set KERAS_BACKEND=tensorflow in the "
        "environment before keras is imported."
    )
