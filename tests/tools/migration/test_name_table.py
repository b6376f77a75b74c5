from __future__ import annotations

import pytest

import compat_hub
from compat_hub.tools.migration import name_table
from compat_hub.tools.migration.name_table import CHANGE, UNAVAILABLE, UNCHANGED, classify

# What tensorflow_hub 0.12 and 0.16.1 export.
_EXPORTED = [
    "ImageModuleInfo",
    "KerasLayer",
    "LatestModuleExporter",
    "Module",
    "ModuleSpec",
    "add_signature",
    "attach_image_module_info",
    "attach_message",
    "create_module_spec",
    "create_module_spec_from_saved_model",
    "eval_function_for_module",
    "get_expected_image_size",
    "get_num_image_channels",
    "image_embedding_column",
    "load",
    "load_module_spec",
    "register_module_for_export",
    "resolve",
    "sparse_text_embedding_column",
    "text_embedding_column",
    "text_embedding_column_v2",
]


@pytest.mark.parametrize("name", _EXPORTED)
def test_all_that_tensorflow_hub_exports_runs_unchanged(name: str) -> None:
    assert classify(name) == (UNCHANGED, name, "")
    assert hasattr(compat_hub, name)


@pytest.mark.parametrize(
    ("path", "status", "public", "note"),
    [
        ("keras_layer.KerasLayer", CHANGE, "KerasLayer", "compat_hub.KerasLayer"),
        ("native_module.add_signature", CHANGE, "add_signature", ""),
        ("__version__", CHANGE, None, "version of compat_hub"),
        ("keras_layer", UNAVAILABLE, None, "nothing of this name"),
        ("native_module._ModuleImpl", UNAVAILABLE, None, "load_module_spec"),
        ("registry.resolver", UNAVAILABLE, None, "compat_hub.resolve"),
        ("tools.export_v2", UNAVAILABLE, None, "export-text-embedding"),
        ("bogus", UNAVAILABLE, None, "nothing of this name"),
    ],
)
def test_other_names(path: str, status: str, public: str | None, note: str) -> None:
    found = classify(path)
    assert found[:2] == (status, public)
    assert note in found[2]


def test_advice_is_for_names_that_exist() -> None:
    assert set(name_table.OF_TF1) <= set(_EXPORTED)
