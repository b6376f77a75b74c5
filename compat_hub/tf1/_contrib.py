"""`tf.contrib`: what of it has an exact counterpart; of the rest, what takes its place."""

from __future__ import annotations

import functools
import importlib
import types
from typing import Any

from compat_hub.common.overlay import Overlay
from compat_hub.tf1 import _contrib_table as table
from compat_hub.tf1._slim import slim_module

_ROOT = "compat_hub.tf1"


@functools.cache
def contrib() -> types.ModuleType:
    """`tf.contrib`, of its libraries those that have something."""
    return _library("contrib")


@functools.cache
def _library(path: str) -> Overlay:
    """A library of contrib, such as `contrib.layers`."""
    replaced = {}
    for name in table.parts_of(path):
        replaced[name] = functools.partial(_library, f"{path}.{name}")
    for name, source in table.names_of(path).items():
        replaced[name] = functools.partial(_value, source)
    base = _Sources(table.MODULES[path]) if path in table.MODULES else None
    missing = functools.partial(_missing, path)
    return Overlay(f"{_ROOT}.{path}", base, replaced, missing)


class _Sources(types.ModuleType):
    """The public names of several modules, the first that has a name giving it."""

    def __init__(self, sources: tuple[str, ...]) -> None:
        super().__init__(sources[0])
        self._sources = sources

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            for source in self._sources:
                value = getattr(_module(source), name, None)
                if value is not None:
                    return value
        raise AttributeError(name)

    def __dir__(self) -> list[str]:
        return sorted({name for source in self._sources for name in dir(_module(source))})


def _module(name: str) -> types.ModuleType:
    if name.partition(".")[0] == "tf_slim":
        return slim_module(name)
    return importlib.import_module(name)


def _value(source: str) -> Any:
    """What `module:path.to.name` stands for."""
    module, _, path = source.partition(":")
    value: Any = _module(module)
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _missing(path: str, name: str) -> AttributeError:
    full = f"{path}.{name}"
    return AttributeError(f"tf.{full} is not in TensorFlow any more. {table.advice(full)}")
