"""A layer's weights in the files of Keras' `.keras` and `.weights.h5` formats, by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_pb2

from compat_hub.errors import CheckpointError, UnsafeModuleError

# What HDF5 has types for: not strings of any bytes, and not bfloat16.
_NATIVE_KINDS = "biufc"
_RISK = (
    "Whoever makes such a file makes a program read files of the machine that it runs on. If you "
    "trust who made it, copy the values into it."
)


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


def load_weights(
    store: Any, weights: Mapping[str, tf.Variable], where: str, file: Any = None
) -> None:
    """Reads what `save_weights` wrote.

    Args:
        store: What Keras passes to `load_own_variables`.
        weights: The variables by name.
        where: How messages name the layer.
        file: The HDF5 file that is read, None where it is not known. The layer's part may be behind
            a link to another one, or be copied out of the file already.

    Raises:
        CheckpointError: The file has other weights.
        UnsafeModuleError: It takes some from another file.
    """
    if file is not None:
        check_links(file, where)
    variables = {_escape(name): variable for name, variable in weights.items()}
    missing = sorted(variables.keys() - store.keys())
    extra = sorted(store.keys() - variables.keys())
    if missing or extra:
        raise CheckpointError(
            f"The file has other weights for {where} than its module: missing {missing[:5]}, not "
            f"in the module {extra[:5]} ({len(missing)} and {len(extra)} in all). It was saved "
            "with another module, or with another layer at this place of the model."
        )
    for key, variable in variables.items():
        if _is_elsewhere(store[key], store):
            raise UnsafeModuleError(
                f"The weight {variable.name!r} of {where} is not in the file, which leads to "
                f"another one for it. {_RISK}"
            )
    # Before a value is made: one of another shape may take all memory, and next to nothing in the
    # file.
    shapes = {key: _shape(store[key], variable) for key, variable in variables.items()}
    for key, variable in variables.items():
        if not variable.shape.is_compatible_with(shapes[key]):
            raise CheckpointError(
                f"The weight {variable.name!r} of {where} has the shape {variable.shape}, and "
                f"{shapes[key]} in the file. It was saved with another module."
            )
    values = {key: _decode(store[key], variable) for key, variable in variables.items()}
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


def find_local(module: str, name: str) -> Any:
    """A variable of a function of that module which is running, None where there is none.

    Keras passes a layer its part of a file, and not the file.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == module:
            value = frame.f_locals.get(name)
            if value is not None:
                return value
        frame = frame.f_back
    return None


def check_links(file: Any, where: str) -> None:
    """Checks that nothing in an HDF5 file would be read from another one.

    Raises:
        UnsafeModuleError: Something would.
    """
    elsewhere = _find_elsewhere(file, set())
    if elsewhere is not None:
        raise UnsafeModuleError(
            f"The file that {where} is read from leads to another one, at {elsewhere!r}. {_RISK}"
        )


def _find_elsewhere(group: Any, seen: set[int]) -> str | None:
    """The name of something below a group that HDF5 would read from another file, or None."""
    import h5py  # noqa: PLC0415

    for name in group:
        where = f"{group.name.rstrip('/')}/{name}"
        kind = group.get(name, getclass=True, getlink=True)
        if kind is h5py.ExternalLink:
            return where
        if kind is not h5py.HardLink:
            continue  # what a soft link leads to is in the file, under another name
        value = group[name]
        if isinstance(value, h5py.Dataset) and (value.external or value.is_virtual):
            return where
        address = h5py.h5o.get_info(value.id).addr
        if isinstance(value, h5py.Group) and address not in seen:
            seen.add(address)
            found = _find_elsewhere(value, seen)
            if found is not None:
                return found
    return None


def _is_elsewhere(value: Any, store: Any) -> bool:
    """Whether HDF5 would read a weight from another file: behind a link, or as storage of it."""
    if getattr(value, "external", None) or getattr(value, "is_virtual", False):
        return True
    file, own = getattr(value, "file", None), getattr(store, "file", None)
    return file is not None and own is not None and file.filename != own.filename


def _shape(value: Any, variable: tf.Variable) -> Any:
    """The shape of a weight in the file, or None where it is no weight of such a variable."""
    if _is_native(variable.dtype):
        return tf.TensorShape(np.shape(value))
    proto = tensor_pb2.TensorProto()
    try:
        proto.ParseFromString(np.asarray(value).tobytes())
        return tf.TensorShape(proto.tensor_shape)
    except (DecodeError, TypeError, ValueError):
        return None


def _decode(value: Any, variable: tf.Variable) -> Any:
    array = np.asarray(value)
    if _is_native(variable.dtype):
        return array
    return tf.io.parse_tensor(array.tobytes(), variable.dtype)


def _is_native(dtype: tf.DType) -> bool:
    return np.dtype(dtype.as_numpy_dtype).kind in _NATIVE_KINDS
