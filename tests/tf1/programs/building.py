"""Layers, modules and look-ups in graphs that programs share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

COLLECTIONS = {
    "global": "variables",
    "trainable": "trainable_variables",
    "model": "model_variables",
    "regularization": "regularization_losses",
    "update": "update_ops",
    "tables": "table_initializer",
    "assets": "asset_filepaths",
}


# Values ------------------------------------------------------------------------------------------


def numbers(*shape: int, seed: int = 0, scale: float = 0.5) -> np.ndarray:
    """Numbers without a pattern that matters, the same everywhere."""
    count = int(np.prod(shape))
    return (scale * np.sin(1 + 7 * seed + 1.3 * np.arange(count))).reshape(shape).astype("float32")


def words_file(folder: str, path: str, words: Sequence[str]) -> str:
    """Writes a vocabulary below a folder; returns its whole path."""
    path = os.path.join(folder, path)
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    with open(path, "w") as file:
        file.write("".join(word + "\n" for word in words))
    return path


# Layers ------------------------------------------------------------------------------------------


def weights(tf: Any, name: str, *shape: int, seed: int = 0, **kwargs: Any) -> Any:
    """A variable with known values."""
    initializer = tf.constant_initializer(numbers(*shape, seed=seed))
    return tf.get_variable(name, list(shape), tf.float32, initializer, **kwargs)


def sliced(value: np.ndarray) -> Callable[..., Any]:
    """An initializer that gives each part of a partitioned variable its part of a value."""

    def initialize(shape: Any, dtype: Any = None, partition_info: Any = None, **_: Any) -> Any:
        del dtype
        offset = partition_info.var_offset if partition_info is not None else [0] * value.ndim
        return value[tuple(slice(at, at + int(size)) for at, size in zip(offset, shape))]

    return initialize


def dense(tf: Any, x: Any, units: int, name: str, l2: float = 0.0, seed: int = 0) -> Any:
    """A dense layer, with a regularization loss on its kernel where l2 is given."""
    with tf.variable_scope(name):
        kernel = weights(tf, "kernel", x.shape.as_list()[-1], units, seed=seed)
        bias = weights(tf, "bias", units, seed=seed + 1)
        if l2:
            loss = tf.multiply(l2, tf.nn.l2_loss(kernel), name="loss")
            tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, loss)
        return tf.add(tf.matmul(x, kernel), bias, name="out")


def batch_norm(tf: Any, x: Any, name: str, training: bool, momentum: Any = 0.8) -> Any:
    """Batch normalization; in training the moving averages have update ops."""
    with tf.variable_scope(name):
        size = x.shape.as_list()[-1]
        gamma = tf.get_variable("gamma", [size], initializer=tf.ones_initializer())
        beta = tf.get_variable("beta", [size], initializer=tf.zeros_initializer())
        average = tf.get_variable(
            "moving_mean", [size], initializer=tf.zeros_initializer(), trainable=False
        )
        variance = tf.get_variable(
            "moving_variance", [size], initializer=tf.ones_initializer(), trainable=False
        )
        for variable in (gamma, beta, average, variance):
            tf.add_to_collection(tf.GraphKeys.MODEL_VARIABLES, variable)
        if not training:
            return tf.nn.batch_normalization(x, average, variance, beta, gamma, 1e-3)
        batch = tf.nn.moments(x, [0])
        for moving, current, update in zip((average, variance), batch, ("mean", "variance")):
            step = (moving - current) * (1 - momentum)
            op = moving.assign_sub(step, name="update_" + update, read_value=False)
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, op)
        return tf.nn.batch_normalization(x, batch[0], batch[1], beta, gamma, 1e-3)


# Modules -----------------------------------------------------------------------------------------


def linear(tf: Any, hub: Any, seed: int = 0) -> Any:
    """The spec of a module with one weight and one signature."""

    def module_fn() -> None:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        w = weights(tf, "w", 3, 2, seed=seed)
        hub.add_signature(inputs=x, outputs=tf.matmul(x, w, name="y"))

    return hub.create_module_spec(module_fn)


def network(tf: Any, hub: Any) -> Any:
    """The spec of a module with losses, update ops and a variant for training."""

    def module_fn(training: bool) -> None:
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        hidden = dense(tf, x, 3, "hidden", l2=0.1, seed=1)
        hidden = tf.tanh(batch_norm(tf, hidden, "norm", training), name="activation")
        y = dense(tf, hidden, 2, "top", l2=0.05, seed=3)
        hub.add_signature(inputs={"x": x}, outputs={"default": y, "hidden": hidden})

    variants = [(set(), {"training": False}), ({"train"}, {"training": True})]
    return hub.create_module_spec(module_fn, variants)


# Looking into graphs -----------------------------------------------------------------------------


def names(tensors: Any) -> list[str]:
    """The names of variables, tensors or ops."""
    return [tensor.name for tensor in tensors]


def collections(tf: Any, which: Sequence[str] = tuple(COLLECTIONS)) -> dict[str, list[str]]:
    """The names in the current graph's collections."""
    return {key: names(tf.get_collection(COLLECTIONS[key])) for key in which}


def names_in_map(module: Any) -> dict[str, Any]:
    """The names of the variables in a module's variable_map."""
    return {
        key: names(value) if isinstance(value, list) else value.name
        for key, value in module.variable_map.items()
    }


@contextlib.contextmanager
def initialized(tf: Any) -> Iterator[Any]:
    """A session with the current graph's variables and tables initialized."""
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.tables_initializer()])
        yield session


def evaluate(tf: Any, fetches: Any, feed: Any = None) -> Any:
    """The values of tensors in a new, initialized session."""
    with initialized(tf) as session:
        return session.run(fetches, feed)


def values_of(session: Any, module: Any) -> dict[str, np.ndarray]:
    """The values of a module's variables, by their names in the checkpoint."""
    return {
        key: np.concatenate(session.run(value)) if isinstance(value, list) else session.run(value)
        for key, value in module.variable_map.items()
    }


def files_in(folder: str) -> list[str]:
    """The files below a folder."""
    found = []
    for path, _, files in os.walk(folder):
        found.extend(os.path.relpath(os.path.join(path, file), folder) for file in files)
    return sorted(found)


def saved_model_in(folder: str) -> Any:
    """The SavedModel proto that is in a folder."""
    from tensorflow.core.protobuf import saved_model_pb2

    with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
        return saved_model_pb2.SavedModel.FromString(file.read())


def checkpoint_names(tf: Any, folder: str) -> list[str]:
    """Names and shapes in a module's checkpoint."""
    prefix = os.path.join(folder, "variables", "variables")
    return ["%s %s" % (name, shape) for name, shape in tf.train.list_variables(prefix)]
