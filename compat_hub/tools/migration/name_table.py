"""What becomes of the names of tensorflow_hub, and of what TF1 programs use beside it."""

from __future__ import annotations

import compat_hub
from compat_hub._public import SUBMODULES

PACKAGE = "tensorflow_hub"

UNCHANGED = "unchanged"
CHANGE = "change"
UNAVAILABLE = "unavailable"
UNKNOWN = "unknown"

# The files of tensorflow_hub that define public names.
_HOMES = frozenset(
    {
        *("estimator", "feature_column", "feature_column_v2", "image_util", "keras_layer"),
        *("module", "module_spec", "module_v2", "native_module", "saved_model_module"),
    }
)
_PUBLIC = frozenset(compat_hub.__all__)
_SUBMODULES = {
    "config": "compat_hub needs no set-up: leave it out.",
    "file_utils": "tf.io.gfile does this.",
    "meta_graph_lib": "HubModule.export() and compat_hub.convert() change graphs as needed.",
    "native_module": "compat_hub.load_module_spec(path) says what a module consists of.",
    "registry": "There are no resolvers to register: pass a path, an archive or a web address, or "
    "call compat_hub.resolve(handle).",
    "resolver": "compat_hub.resolve(handle) finds the folder; `compat-hub cache` shows the cache "
    "that TFHUB_CACHE_DIR names.",
    "saved_model_lib": "compat_hub.load_module_spec(path) says what a module consists of.",
    "tensor_info": "module.get_input_info_dict() says what a signature takes.",
    "tools": "Its scripts are not part of compat_hub. For text embeddings there is `compat-hub "
    "export-text-embedding`.",
}


def classify(path: str) -> tuple[str, str | None, str]:
    """What becomes of a name.

    Args:
        path: What follows `tensorflow_hub.`, such as `Module` or `keras_layer.KerasLayer`.

    Returns:
        Its status; where it is a public name, this name; what to do.
    """
    first, _, rest = path.partition(".")
    if first in _PUBLIC:
        return UNCHANGED, first, ""
    if first == "__version__":
        return CHANGE, None, "This becomes the version of compat_hub."
    name = rest.partition(".")[0]
    if first in _HOMES and name in _PUBLIC:
        return CHANGE, name, f"It is compat_hub.{name}."
    if first in SUBMODULES:  # of a program that was migrated before
        return UNCHANGED, None, ""
    advice = _SUBMODULES.get(first, "compat_hub has nothing of this name.")
    return UNAVAILABLE, None, advice


# What TF2 makes of names that run unchanged, but are of TF1. `Module` is not here.
OF_TF1 = {
    "LatestModuleExporter": "In TF2 call module.export(path) after an epoch, in a Keras callback.",
    "add_signature": "In TF2 a signature is a tf.function that tf.saved_model.save() is given.",
    "attach_image_module_info": "In TF2 give the input of the function a fixed height and width.",
    "attach_message": "In TF2 keep such facts in a tf.saved_model.Asset, or beside the model.",
    "create_module_spec": "In TF2 write a tf.Module, and save it with tf.saved_model.save().",
    "create_module_spec_from_saved_model": "In TF2 tf.saved_model.load(path) takes it as it is.",
    "image_embedding_column": "In TF2 use hub.KerasLayer(path) on the images.",
    "register_module_for_export": "In TF2 call module.export(path) when it has been trained.",
    "sparse_text_embedding_column": "In TF2 use hub.KerasLayer(path) on the texts of a row, and "
    "tf.math.segment_sum on the result.",
}

_NO_SESSION = "No session: a module that was loaded is called, and gives values."
_RESTORED = "Leave it out for modules: hub.load() gives all variables and tables their values."

# By name in tf.compat.v1: what takes its place, with {m} for the module, and why.
BESIDE_MODULES = {
    "Session": ("", _NO_SESSION),
    "InteractiveSession": ("", _NO_SESSION),
    "train.MonitoredSession": ("", _NO_SESSION),
    "train.MonitoredTrainingSession": ("", _NO_SESSION),
    "train.SingularMonitoredSession": ("", _NO_SESSION),
    "global_variables_initializer": ("", _RESTORED),
    "initialize_all_variables": ("", _RESTORED),
    "initialize_all_tables": ("", _RESTORED),
    "tables_initializer": ("", _RESTORED),
    "losses.get_regularization_loss": (
        "tf.add_n([loss() for loss in {m}.regularization_losses])",
        "",
    ),
    "losses.get_regularization_losses": ("[loss() for loss in {m}.regularization_losses]", ""),
}
COLLECTIONS = {
    "REGULARIZATION_LOSSES": ("[loss() for loss in {m}.regularization_losses]", ""),
    "UPDATE_OPS": ("", "A call with training=True runs the update ops."),
    "TRAINABLE_VARIABLES": ("{m}.trainable_variables", ""),
    "GLOBAL_VARIABLES": ("{m}.variables", ""),
}
