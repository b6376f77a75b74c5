"""A module that is another one with some names replaced, which stays as it is."""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable, Mapping
from typing import Any


class Overlay(types.ModuleType):
    """A module of names, each found when it is used, over another module.

    Args:
        name: What the module is called.
        base: The module that has all other names, or None.
        replaced: What gives each name that is other than in `base`.
        missing: Makes the error for a name that is nowhere.
    """

    def __init__(
        self,
        name: str,
        base: types.ModuleType | None,
        replaced: Mapping[str, Callable[[], Any]],
        missing: Callable[[str], AttributeError] | None = None,
    ) -> None:
        super().__init__(name, getattr(base, "__doc__", None))
        self._base = base
        self._replaced = dict(replaced)
        self._missing = missing
        self.__path__: list[str] = []  # so that its parts can be imported

    def __getattr__(self, name: str) -> Any:
        if name in self._replaced:
            value = self._replaced[name]()
        else:
            try:
                value = getattr(self._base, name)
            except AttributeError as error:
                if self._missing is not None and not name.startswith("__"):
                    raise self._missing(name) from error
                raise AttributeError(
                    f"module {self.__name__!r} has no attribute {name!r}"
                ) from error
        self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        names = [] if self._base is None else dir(self._base)
        return sorted({*(name for name in names if not name.startswith("_")), *self._replaced})

    def __reduce__(self) -> Any:
        return importlib.import_module, (self.__name__,)
