"""Models in the legacy TF1 Hub format as first-class citizens of TensorFlow 2.

The public names are listed in `__all__`. TensorFlow and Keras are imported when one is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from compat_hub.errors import (
    GraphError,
    HubError,
    InputTypeError,
    ModuleFormatError,
    PathExistsError,
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
    from compat_hub.v1.authoring import add_signature, attach_message
    from compat_hub.v1.create import create_module_spec, create_module_spec_from_saved_model
    from compat_hub.v1.module import Module

__version__ = "0.1.0"

# No file is called what a public name is called: the import system would put the submodule in the
# name's place.
_HOMES = {
    "HubModule": "compat_hub.module",
    "KerasLayer": "compat_hub.keras2",
    "Module": "compat_hub.v1.module",
    "ModuleSpec": "compat_hub.spec",
    "add_signature": "compat_hub.v1.authoring",
    "attach_message": "compat_hub.v1.authoring",
    "create_module_spec": "compat_hub.v1.create",
    "create_module_spec_from_saved_model": "compat_hub.v1.create",
    "load": "compat_hub.module",
    "load_module_spec": "compat_hub.spec",
    "resolve": "compat_hub._resolve",
}

__all__ = [
    "GraphError",
    "HubError",
    "HubModule",
    "InputTypeError",
    "KerasLayer",
    "Module",
    "ModuleFormatError",
    "ModuleSpec",
    "PathExistsError",
    "ResolveError",
    "SignatureError",
    "UnknownNameError",
    "UnsafeModuleError",
    "add_signature",
    "attach_message",
    "create_module_spec",
    "create_module_spec_from_saved_model",
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
