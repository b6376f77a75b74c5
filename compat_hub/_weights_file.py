"""A layer's weights in the files of Keras' `.keras` and `.weights.h5` formats, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from compat_hub.errors import CheckpointError

# What HDF5 has types for: not strings of any bytes, and not bfloat16.
_NATIVE_KINDS = "biufc"


def save_weights(store: Any, weights: Mapping[str, tf.Variable], shared_id: str | None) -> None:
    """Writes weights into a layer's part of a file.

    By name, and not by number as Keras does it: which variables train changes their order.

    Args:
        store: What Keras passes to `save_own_variables`: a group of an HDF5 file, or a dict.
        weights: The variables by name.
        shared_id: Of a module that other layers are on too: its weights are written once.
    """
    first = None if shared_id is None else _first_with(store, shared_id)
    for name, variable in weights.items():
        key = _escape(name)
        # To assign what is in the file already makes a link.
        store[key] = _encode(variable) if first is None else first[key]


def load_weights(store: Any, weights: Mapping[str, tf.Variable], where: str) -> None:
    """Reads what `save_weights` wrote.

    Args:
        store: What Keras passes to `load_own_variables`.
        weights: The variables by name.
        where: How messages name the layer.

    Raises:
        CheckpointError: The file has other weights.
    """
    variables = {_escape(name): variable for name, variable in weights.items()}
    missing = sorted(variables.keys() - store.keys())
    extra = sorted(store.keys() - variables.keys())
    if missing or extra:
        raise CheckpointError(
            f"The file has other weights for {where} than its module: missing {missing[:5]}, not "
            f"in the module {extra[:5]} ({len(missing)} and {len(extra)} in all). It was saved "
            "with another module, or with another layer at this place of the model."
        )
    values = {key: _decode(store[key], variable) for key, variable in variables.items()}
    for key, variable in variables.items():
        if not variable.shape.is_compatible_with(values[key].shape):
            raise CheckpointError(
                f"The weight {variable.name!r} of {where} has the shape {variable.shape}, and "
                f"{values[key].shape} in the file. It was saved with another module."
            )
    for key, variable in variables.items():
        variable.assign(values[key])


def _first_with(store: Any, shared_id: str) -> Any:
    """Where in the file a module's weights are already; notes this place if they are not."""
    file = getattr(store, "file", None)
    if file is None:
        return None
    places = file.attrs
    key = f"compat_hub_module_{shared_id}"
    if key in places:
        return file[places[key]]
    places[key] = store.name
    return None


def _escape(name: str) -> str:
    """The name without slashes, as in the keys of TensorFlow's checkpoints."""
    return name.replace(".", "..").replace("/", ".S")


def _encode(variable: tf.Variable) -> np.ndarray:
    if _is_native(variable.dtype):
        return variable.numpy()
    message = tf.io.serialize_tensor(variable.read_value()).numpy()
    return np.frombuffer(message, np.uint8)


def _decode(value: Any, variable: tf.Variable) -> Any:
    array = np.asarray(value)
    if _is_native(variable.dtype):
        return array
    return tf.io.parse_tensor(array.tobytes(), variable.dtype)


def _is_native(dtype: tf.DType) -> bool:
    return np.dtype(dtype.as_numpy_dtype).kind in _NATIVE_KINDS
