"""Models in the legacy TF1 Hub format as first-class citizens of TensorFlow 2.

The public names are listed in `__all__`. TensorFlow and Keras are imported when one is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from compat_hub._public import HOMES, SUBMODULES
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
    from compat_hub import beam as beam
    from compat_hub import common_signatures as common_signatures
    from compat_hub import estimator as estimator
    from compat_hub import keras2 as keras2
    from compat_hub import keras3 as keras3
    from compat_hub import text_embedding as text_embedding
    from compat_hub import tf1 as tf1
    from compat_hub.format.spec import ModuleSpec, load_module_spec
    from compat_hub.hub_module.convert import convert
    from compat_hub.hub_module.hub_module import HubModule
    from compat_hub.hub_module.load import load
    from compat_hub.hub_module.load_tf1 import load_tf1
    from compat_hub.keras_layers.keras3_layer import KerasLayer
    from compat_hub.sources.resolve import resolve
    from compat_hub.tools.inspection.inspect import inspect
    from compat_hub.tools.inspection.report import Inspection
    from compat_hub.tools.migration.migrate import migrate
    from compat_hub.tools.stand_in.install import install_as_tensorflow_hub
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

__version__ = "0.1.0"

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
    "install_as_tensorflow_hub",
    "load",
    "load_module_spec",
    "load_tf1",
    "migrate",
    "register_module_for_export",
    "resolve",
    "sparse_text_embedding_column",
    "text_embedding_column",
    "text_embedding_column_v2",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in HOMES:
        raise AttributeError(f"module 'compat_hub' has no attribute {name!r}")
    home = (
        HOMES[name]
        or importlib.import_module(f"{__name__}.keras_layers.which_keras").home_of_keras_layer()
    )
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES, *SUBMODULES})
