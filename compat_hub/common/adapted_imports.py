"""Packages that get other modules of TensorFlow than those that are there.

A package of TensorFlow 1's time imports what today's TensorFlow has no longer. The import
statements in its files give modules that have it; `tensorflow` itself does not change, nor do the
import statements of others.
"""

from __future__ import annotations

import builtins
import functools
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from compat_hub.common.overlay import Overlay

Modules = Mapping[str, types.ModuleType]


def adapt(package: str, replaced: Callable[[], Modules]) -> None:
    """Has a package's files run with other import statements, from its first import on.

    Args:
        package: The package's name.
        replaced: Gives the modules that it gets, by the name in its import statements.
    """
    if not any(isinstance(f, _Finder) and f.package == package for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder(package, replaced))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, package: str, replaced: Callable[[], Modules]) -> None:
        self.package = package
        self._import = functools.partial(_import, functools.cache(replaced))

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Finds files of the package, as the import system does."""
        if fullname.partition(".")[0] != self.package:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path, self._import)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, import_: Callable[..., Any]) -> None:
        super().__init__(fullname, path)
        self._import = import_

    def exec_module(self, module: types.ModuleType) -> None:
        """Runs a file; what it defines keeps the `__import__` that it finds here."""
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": self._import}
        super().exec_module(module)


def _import(
    replaced: Callable[[], Modules],
    name: str,
    globals: Any = None,  # the names that __import__ has
    locals: Any = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    modules = replaced()
    if level == 0 and name in modules and (fromlist or "." not in name):
        if isinstance(modules[name], Overlay):  # its files may not have been imported yet
            __import__(name, globals, locals, fromlist or (), level)
        return modules[name]
    module = __import__(name, globals, locals, fromlist or (), level)
    # `import tensorflow.compat.v1 as tf` asks for the first part, and goes on from there.
    first = name.partition(".")[0]
    return modules[first] if level == 0 and not fromlist and first in modules else module
