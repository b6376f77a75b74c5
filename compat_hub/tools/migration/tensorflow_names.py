"""What becomes of a name of TensorFlow, looked up in the TensorFlow that is installed."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import types
from typing import Any

from compat_hub.errors import BackendError
from compat_hub.tf1._contrib_table import advice

# Parts of TensorFlow's package that are no part of its API.
_INNER = frozenset({"core", "examples", "python", "tools"})
# tf_upgrade_v2 gives these names that do something else, or take other arguments.
_INEXACT = ("contrib.saved_model.", "contrib.summary.")


@dataclasses.dataclass(frozen=True)
class Found:
    """What was found of a name.

    Attributes:
        is_there: Whether `compat_hub.tf1` has it.
        moved_to: Its name in `compat_hub.tf1` where that is another one.
        note: What to do where it is not there.
    """

    is_there: bool
    moved_to: str | None = None
    note: str = ""


@functools.cache
def look_up(path: str) -> Found:
    """What becomes of a name: `path` is what follows `tf.`, such as `train.AdamOptimizer`."""
    first = path.partition(".")[0]
    if first in _INNER:
        return _inner(path)
    try:
        if _reaches("compat_hub.tf1", path):
            return Found(True)
    except BackendError as error:
        return Found(True, note=str(error))
    moved = None if path.startswith(_INEXACT) else _table().get(f"tf.{path}")
    if moved is not None:
        moved = moved.removeprefix("tf.").removeprefix("compat.v1.")
        if _reaches("compat_hub.tf1", moved):
            return Found(True, moved)
    return Found(False, note=_advice(path, moved))


@functools.cache
def is_of_tensorflow1(path: str) -> bool:
    """Whether a name says that a program is of TensorFlow 1: TensorFlow 2 does not have it."""
    first = path.partition(".")[0]
    if first in {*_INNER, "compat"} or look_up_in_tensorflow2(path):
        return False
    return first == "contrib" or look_up(path).is_there


@functools.cache
def look_up_in_tensorflow2(path: str) -> bool:
    """Whether `tensorflow` itself has a name."""
    return _reaches("tensorflow", path)


def _reaches(root: str, path: str) -> bool:
    """Whether the modules on the way have their names; what objects have is theirs to know."""
    value: Any = importlib.import_module(root)
    for name in path.split("."):
        if not isinstance(value, types.ModuleType):
            return True
        try:
            value = getattr(value, name)
        except AttributeError:
            return False
    return True


def _inner(path: str) -> Found:
    """Names of files of TensorFlow, as far as they are there."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        name = ".".join(["tensorflow", *parts[:end]])
        try:
            value: Any = importlib.import_module(name)
        except ImportError:
            continue
        if end == len(parts) or hasattr(value, parts[end]):
            return Found(True)
        break
    note = "It is in no file of this TensorFlow, and was never part of its API."
    if path.startswith("examples"):
        note = "TensorFlow has no examples in its package any more: copy the file into the program."
    return Found(False, note=note)


@functools.cache
def _table() -> dict[str, str]:
    """The names that moved, from TensorFlow's own tf_upgrade_v2."""
    try:
        renames = importlib.import_module("tensorflow.tools.compatibility.all_renames_v2")
    except ImportError:
        return {}
    return dict(renames.symbol_renames)


def _advice(path: str, moved: str | None) -> str:
    if path.startswith("contrib"):
        return advice(path)
    if moved is not None:
        return f"It is tf.{moved} in TensorFlow 2."
    if path.startswith("estimator.BoostedTrees"):
        return "The package TensorFlow Decision Forests grows trees."
    return "This TensorFlow does not have it, and nothing takes its place."
