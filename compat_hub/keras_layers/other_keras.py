"""Whichever Keras is in use: whether it loads a file; a layer in a model of the other one.

There are two: Keras 3, which TensorFlow installs, and tf_keras, which is Keras 2. Neither is
imported here. The private names were seen in tf_keras 2.16.0 and 2.21.0, and in the versions of
Keras 3 that `_keras3.py` lists.
"""

from __future__ import annotations

import sys
from typing import Any

import tensorflow as tf
from tensorflow.python.distribute import load_context

from compat_hub.errors import InputTypeError

_NAMES = {"keras": "Keras 3", "tf_keras": "tf_keras"}
_LAYERS = {
    "keras": "compat_hub.keras3.KerasLayer",
    "tf_keras": "compat_hub.keras2.KerasLayer",
}


def loads_file() -> bool:
    """Whether either Keras makes objects for a file that is being loaded, and not to be trusted.

    A file of the one may name a class of the other. With `safe_mode=False` it is to be trusted. The
    formats before `.keras` have no such argument.
    """
    asked = [
        ("tf_keras.src.saving.serialization_lib", load_context.in_load_context),
        ("keras.src.saving.serialization_lib", _loads_older_format),
    ]
    for name, loads_older_format in asked:
        serialization = sys.modules.get(name)  # what was never imported loads nothing
        if serialization is not None:
            safe_mode = serialization.in_safe_mode()
            if loads_older_format() if safe_mode is None else safe_mode:
                return True
    return False


def _loads_older_format() -> bool:
    """Whether Keras 3 loads an `.h5` file."""
    global_state = sys.modules.get("keras.src.backend.common.global_state")
    return global_state is not None and bool(
        global_state.get_global_attribute("use_legacy_config", False)
    )


def hint(package: str) -> str:
    """What a model of the other Keras takes; `Sequential.add` of that prints a layer's repr.

    Args:
        package: Whose layer it is, `"keras"` or `"tf_keras"`.
    """
    other = _other(package)
    return f"for {_NAMES[package]}; a model of {_NAMES[other]} takes a {_LAYERS[other]}"


def check_call(layer: Any, inputs: Any, package: str) -> None:
    """Checks that the layer is not called in a model of the other Keras.

    Args:
        layer: The layer.
        inputs: What it is called with.
        package: Whose layer it is, `"keras"` or `"tf_keras"`.

    Raises:
        InputTypeError: It is, and that model could not be built, or would not train the layer.
    """
    other = _other(package)
    problem = None
    if any(_is_symbolic(value, other) for value in tf.nest.flatten(inputs)):
        problem = f"is called on a symbolic tensor of {_NAMES[other]}"
    elif layer.trainable and _is_calling(other):
        problem = f"is called in a model of {_NAMES[other]}, which would not train its weights"
    if problem is not None:
        raise InputTypeError(
            f"The KerasLayer {layer.name!r} is one for {_NAMES[package]}, and {problem}. Use "
            f"{_LAYERS[other]}, which takes the same arguments{_hint(other)}."
        )


def _other(package: str) -> str:
    return "tf_keras" if package == "keras" else "keras"


def _hint(other: str) -> str:
    if other == "keras":
        return (
            ", or make the model with tf_keras. `tf.keras` is Keras 3 unless the environment has "
            "TF_USE_LEGACY_KERAS=1"
        )
    return ", or make the model with keras"


def _is_symbolic(value: Any, package: str) -> bool:
    kind = type(value)
    return kind.__name__ == "KerasTensor" and kind.__module__.partition(".")[0] == package


def _is_calling(package: str) -> bool:
    """Whether some layer of that Keras is being called."""
    if package == "keras":
        state: Any = sys.modules.get("keras.src.backend.common.global_state")
        return state is not None and state.get_global_attribute("current_call_ctx") is not None
    utils: Any = sys.modules.get("tf_keras.src.engine.base_layer_utils")
    return utils is not None and bool(utils.call_context().in_call)
