"""Import statements for the parts of a module that are found as its attributes.

`from compat_hub.tf1.keras.layers import Dense` has no file to find: the parts belong to TensorFlow
and tf_keras, and keep their own names there.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence


def install(root: str) -> None:
    """Has the parts below a module found, where no file of this name is."""
    if not any(isinstance(finder, _Finder) and finder.root == root for finder in sys.meta_path):
        # First: the path of a part leads to files that are other modules.
        sys.meta_path.insert(0, _Finder(root))


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, root: str) -> None:
        self.root = root

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Says that a part is there, where an attribute of its parent is a module."""
        del path, target
        parent, _, name = fullname.rpartition(".")
        if not fullname.startswith(f"{self.root}.") or name.startswith("_"):
            return None
        try:
            part = getattr(importlib.import_module(parent), name)
        except AttributeError:
            return None
        if not isinstance(part, types.ModuleType):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: types.ModuleType) -> None:
        """Puts the part in the place of the empty module that was made for it."""
        parent, _, name = module.__name__.rpartition(".")
        sys.modules[module.__name__] = getattr(importlib.import_module(parent), name)
