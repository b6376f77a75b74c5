"""Models in the legacy TF1 Hub format as first-class citizens of TensorFlow 2.

The public names are listed in `__all__`. TensorFlow and Keras are imported when one is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from compat_hub.errors import (
    HubError,
    InputTypeError,
    ModuleFormatError,
    ResolveError,
    SignatureError,
    UnknownNameError,
    UnsafeModuleError,
)

if TYPE_CHECKING:
    from compat_hub._resolve import resolve
    from compat_hub.keras2 import KerasLayer
    from compat_hub.module import HubModule, load
    from compat_hub.spec import ModuleSpec, load_module_spec

__version__ = "0.1.0"

# No file is called what a public name is called: the import system would put the submodule in the
# name's place.
_HOMES = {
    "HubModule": "compat_hub.module",
    "KerasLayer": "compat_hub.keras2",
    "ModuleSpec": "compat_hub.spec",
    "load": "compat_hub.module",
    "load_module_spec": "compat_hub.spec",
    "resolve": "compat_hub._resolve",
}

__all__ = [
    "HubError",
    "HubModule",
    "InputTypeError",
    "KerasLayer",
    "ModuleFormatError",
    "ModuleSpec",
    "ResolveError",
    "SignatureError",
    "UnknownNameError",
    "UnsafeModuleError",
    "load",
    "load_module_spec",
    "resolve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'compat_hub' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
