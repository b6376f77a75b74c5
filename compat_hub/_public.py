"""Where each public name lives; `import compat_hub` imports it when it is used."""

from __future__ import annotations

# No file at the top is called what a public name is called: the import system would put the file
# in the name's place.
HOMES = {
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
    "install_as_tensorflow_hub": "compat_hub.tools.stand_in.install",
    "load": "compat_hub.hub_module.load",
    "load_module_spec": "compat_hub.format.spec",
    "load_tf1": "compat_hub.hub_module.load_tf1",
    "migrate": "compat_hub.tools.migration.migrate",
    "register_module_for_export": "compat_hub.v1.exporter",
    "resolve": "compat_hub.sources.resolve",
    "sparse_text_embedding_column": "compat_hub.v1.columns.columns",
    "text_embedding_column": "compat_hub.v1.columns.columns",
    "text_embedding_column_v2": "compat_hub.v1.columns.text_v2",
    "verify": "compat_hub.tools.verification.verify",
}

# Files whose names are used with the file's: compat_hub.keras3.KerasLayer.
SUBMODULES = frozenset(
    {
        *("beam", "common_signatures", "estimator", "keras2", "keras3", "samples"),
        *("text_embedding", "tf1"),
    }
)
