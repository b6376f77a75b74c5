"""What tf_slim 1.1 looks for in places where today's TensorFlow has it no longer."""

from __future__ import annotations

import functools
import importlib
import types
from typing import Any

from compat_hub.common.overlay import Overlay

_LAYERS = ("base", "convolutional", "core", "normalization", "pooling")


def slim_repairs() -> dict[str, types.ModuleType]:
    """The modules of TensorFlow that it gets, by the name in its import statements.

    Seen in TensorFlow 2.16 and 2.21: `ops` has no classes of tensors, and what is in
    `tensorflow.python.layers` are layers of another Keras, or names that cannot be found.
    """
    ops: Any = importlib.import_module("tensorflow.python.framework.ops")
    tf: Any = importlib.import_module("tensorflow")
    names = ("IndexedSlices", "Tensor")
    public = {name: functools.partial(getattr, tf, name) for name in names}
    with_classes = Overlay(ops.__name__, ops, public)
    legacy = "tf_keras.src.legacy_tf_layers"
    layers = {
        name: functools.partial(importlib.import_module, f"{legacy}.{name}") for name in _LAYERS
    }
    spec = functools.partial(importlib.import_module, "tf_keras.src.engine.input_spec")
    return {
        "tensorflow.python.framework": _over(
            "tensorflow.python.framework", ops=lambda: with_classes
        ),
        "tensorflow.python.keras.engine": _over("tensorflow.python.keras.engine", input_spec=spec),
        "tensorflow.python.layers": _over("tensorflow.python.layers", **layers),
    }


def _over(name: str, **replaced: Any) -> Overlay:
    return Overlay(name, importlib.import_module(name), replaced)
