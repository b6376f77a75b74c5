"""Models in the legacy TF1 Hub format as first-class citizens of TensorFlow 2.

The public names are listed in `__all__`. TensorFlow and Keras are imported when one is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from compat_hub.errors import (
    BackendError,
    CheckpointError,
    ConfigError,
    GraphError,
    HubError,
    InputTypeError,
    ModuleFormatError,
    NoGradientError,
    PathExistsError,
    ResolveError,
    SignatureError,
    UnknownNameError,
    UnsafeModuleError,
)

if TYPE_CHECKING:
    from compat_hub.format import common_signatures as common_signatures
    from compat_hub.format.spec import ModuleSpec, load_module_spec
    from compat_hub.hub_module.convert import convert
    from compat_hub.hub_module.hub_module import HubModule, load
    from compat_hub.keras_layers import keras3_layer as keras3
    from compat_hub.keras_layers import tf_keras_layer as keras2
    from compat_hub.keras_layers.keras3_layer import KerasLayer
    from compat_hub.sources.resolve import resolve
    from compat_hub.tools.beam import handler as beam
    from compat_hub.tools.inspection.inspect import inspect
    from compat_hub.tools.inspection.report import Inspection
    from compat_hub.tools.migration.migrate import migrate
    from compat_hub.tools.verification.verify import verify
    from compat_hub.v1.authoring.create_spec import (
        create_module_spec,
        create_module_spec_from_saved_model,
    )
    from compat_hub.v1.authoring.signatures import add_signature, attach_message
    from compat_hub.v1.columns.columns import (
        image_embedding_column,
        sparse_text_embedding_column,
        text_embedding_column,
    )
    from compat_hub.v1.columns.text_v2 import text_embedding_column_v2
    from compat_hub.v1.evaluate import eval_function_for_module
    from compat_hub.v1.exporter import LatestModuleExporter, register_module_for_export
    from compat_hub.v1.image_modules import (
        ImageModuleInfo,
        attach_image_module_info,
        get_expected_image_size,
        get_num_image_channels,
    )
    from compat_hub.v1.module import Module
    from compat_hub.v1.text_embedding import export as text_embedding

__version__ = "0.1.0"

# No file is called what a public name is called: the import system would put the submodule in the
# name's place.
_HOMES = {
    "HubModule": "compat_hub.hub_module.hub_module",
    "ImageModuleInfo": "compat_hub.v1.image_modules",
    "Inspection": "compat_hub.tools.inspection.report",
    "KerasLayer": "",  # it depends on what tf.keras is
    "LatestModuleExporter": "compat_hub.v1.exporter",
    "Module": "compat_hub.v1.module",
    "ModuleSpec": "compat_hub.format.spec",
    "add_signature": "compat_hub.v1.authoring.signatures",
    "attach_image_module_info": "compat_hub.v1.image_modules",
    "attach_message": "compat_hub.v1.authoring.signatures",
    "convert": "compat_hub.hub_module.convert",
    "create_module_spec": "compat_hub.v1.authoring.create_spec",
    "create_module_spec_from_saved_model": "compat_hub.v1.authoring.create_spec",
    "eval_function_for_module": "compat_hub.v1.evaluate",
    "get_expected_image_size": "compat_hub.v1.image_modules",
    "get_num_image_channels": "compat_hub.v1.image_modules",
    "image_embedding_column": "compat_hub.v1.columns.columns",
    "inspect": "compat_hub.tools.inspection.inspect",
    "load": "compat_hub.hub_module.hub_module",
    "load_module_spec": "compat_hub.format.spec",
    "migrate": "compat_hub.tools.migration.migrate",
    "register_module_for_export": "compat_hub.v1.exporter",
    "resolve": "compat_hub.sources.resolve",
    "sparse_text_embedding_column": "compat_hub.v1.columns.columns",
    "text_embedding_column": "compat_hub.v1.columns.columns",
    "text_embedding_column_v2": "compat_hub.v1.columns.text_v2",
    "verify": "compat_hub.tools.verification.verify",
}

# Files whose names are used with the file's: compat_hub.keras_layers.keras3_layer.KerasLayer.
_SUBMODULES = frozenset({"beam", "common_signatures", "keras2", "keras3", "text_embedding"})

__all__ = [
    "BackendError",
    "CheckpointError",
    "ConfigError",
    "GraphError",
    "HubError",
    "HubModule",
    "ImageModuleInfo",
    "InputTypeError",
    "Inspection",
    "KerasLayer",
    "LatestModuleExporter",
    "Module",
    "ModuleFormatError",
    "ModuleSpec",
    "NoGradientError",
    "PathExistsError",
    "ResolveError",
    "SignatureError",
    "UnknownNameError",
    "UnsafeModuleError",
    "add_signature",
    "attach_image_module_info",
    "attach_message",
    "convert",
    "create_module_spec",
    "create_module_spec_from_saved_model",
    "eval_function_for_module",
    "get_expected_image_size",
    "get_num_image_channels",
    "image_embedding_column",
    "inspect",
    "load",
    "load_module_spec",
    "migrate",
    "register_module_for_export",
    "resolve",
    "sparse_text_embedding_column",
    "text_embedding_column",
    "text_embedding_column_v2",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'compat_hub' has no attribute {name!r}")
    home = _HOMES[name] or importlib.import_module(f"{__name__}._which_keras").home_of_keras_layer()
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_SUBMODULES})
