"""What tensorflow_estimator 2.15.0 needs of TensorFlow and does not find: four repairs.

They are there for this package alone, from its first import on: the import
statements in its files give modules with the missing names, `tensorflow` itself does not change.

- `tensorflow.python.distribute.estimator_training`, which is gone: what it decided is that training
  is not distributed.
- `ESTIMATOR_API_NAME` and `api_export(..., api_name="estimator")` in `tf_export`, by which the
  package gave its names to TensorFlow's API.
- The files on embeddings and sessions on TPUs, which are gone: a class of these says so when one is
  made.
- `tf.keras` and `tf.compat.v1.keras`, which are Keras 3 or refuse: here they are tf_keras'.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import types
from typing import Any

from compat_hub.common.overlay import Overlay
from compat_hub.errors import HubError


def estimator_repairs(v1: types.ModuleType) -> dict[str, types.ModuleType]:
    """The modules of TensorFlow that the package gets, by the name in its import statements.

    Args:
        v1: What it gets for `tf.compat.v1`, with layers and a Keras that it can use.

    Returns:
        The modules, by name.
    """
    tf = importlib.import_module("tensorflow")
    compat = Overlay("tensorflow.compat", tf.compat, {"v1": lambda: v1, "v2": lambda: root})
    tf_keras = functools.partial(importlib.import_module, "tf_keras")
    root = Overlay("tensorflow", tf, {"compat": lambda: compat, "keras": tf_keras})
    return {"tensorflow": root, "tensorflow.compat": compat, **_put_back()}


def _put_back() -> dict[str, types.ModuleType]:
    """The modules of TensorFlow with names that it dropped."""
    training = types.ModuleType("tensorflow.python.distribute.estimator_training")
    vars(training).update(
        should_run_distribute_coordinator=lambda config: False,
        init_run_config=_no_distribution,
        train_and_evaluate=_no_distribution,
        estimator_train=_no_distribution,
        estimator_evaluate=_no_distribution,
    )
    export = importlib.import_module("tensorflow.python.util.tf_export")
    names = {"ESTIMATOR_API_NAME": lambda: "estimator", "api_export": lambda: _Unexported}
    return {
        "tensorflow.python.distribute": _over(
            "tensorflow.python.distribute", {"estimator_training": lambda: training}
        ),
        "tensorflow.python.util": _over(
            "tensorflow.python.util",
            {"tf_export": lambda: Overlay(export.__name__, export, names)},
        ),
        **_tpu_embeddings(),
    }


def _tpu_embeddings() -> dict[str, types.ModuleType]:
    """The files on embeddings on TPUs that are gone, with classes that say so when one is made."""
    tpu = "tensorflow.python.tpu"
    gone = {
        name: _GoneClasses(f"{tpu}.{name}")
        for name in ("session_support", "tpu_embedding", "tpu_embedding_gradient")
    }
    gone = {
        name: module
        for name, module in gone.items()
        if importlib.util.find_spec(module.__name__) is None
    }
    parent = _over(tpu, {name: functools.partial(gone.get, name) for name in gone})
    return {tpu: parent, **{module.__name__: module for module in gone.values()}}


class _GoneClasses(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = type(name, (), {"__init__": _no_tpu, "__module__": self.__name__})
        vars(self)[name] = value
        return value


def _over(name: str, replaced: Any) -> Overlay:
    return Overlay(name, importlib.import_module(name), replaced)


class _Unexported:
    """In the place of `api_export`: a name stays where it is, which is where it is found."""

    def __init__(self, *args: str, **kwargs: Any) -> None:
        del args, kwargs

    def __call__(self, value: Any) -> Any:
        return value

    def export_constant(self, module_name: str, name: str) -> None:
        """A constant stays where it is, too."""


def _no_tpu(self: Any, *args: Any, **kwargs: Any) -> None:
    del args, kwargs
    raise HubError(
        f"{type(self).__name__} is not there: TensorFlow dropped this part of what Estimators did "
        "on TPUs. Use a TPUEstimator with use_tpu=False, or train in Keras."
    )


def _no_distribution(*args: Any, **kwargs: Any) -> Any:
    del args, kwargs
    raise HubError(
        "Estimators that are distributed are not there: TensorFlow dropped what they need. Leave "
        "out train_distribute, eval_distribute and experimental_distribute of the RunConfig, or "
        "train with a tf.distribute strategy in Keras and a hub.KerasLayer."
    )
