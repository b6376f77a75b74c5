"""`convert`: a module in TF1 Hub format written as a SavedModel of TensorFlow 2."""

from __future__ import annotations

import os
from collections.abc import Sequence

from compat_hub.errors import InputTypeError, ModuleFormatError
from compat_hub.format.spec import (
    ModuleSpec,
    Tags,
    is_module_directory,
    is_saved_model,
    load_module_spec,
)
from compat_hub.format.tf1_models.make_spec import spec_of_saved_model
from compat_hub.hub_module.hub_module import HubModule
from compat_hub.hub_module.load import load
from compat_hub.sources.resolve import resolve
from compat_hub.state.module_state import Missing


def convert(
    handle: str | os.PathLike[str] | ModuleSpec | HubModule,
    path: str | os.PathLike[str],
    *,
    signatures: Sequence[str] | None = None,
    tags: Tags = None,
    missing: Missing = "error",
) -> str:
    """Converts a module in TF1 Hub format to a SavedModel of TensorFlow 2.

    What is written is what `HubModule.save` writes. Neither compat_hub nor the module is needed to
    load it.

    Its signatures are the module's, and `serving_default`, which is `default` or the only one. An
    input with a default keeps it; `NAME_with_options` takes these inputs, too.

    Examples:
        >>> compat_hub.convert("path/to/module", "path/to/saved_model")
        'path/to/saved_model'
        >>> model = tf.saved_model.load("path/to/saved_model")
        >>> model(tf.ones([5, 7])).shape
        TensorShape([5, 8])
        >>> pets = model.signatures["fruit_to_pet"](apples=tf.ones([5, 4]), oranges=tf.ones([5, 3]))
        >>> print(pets["cats"].shape, pets["dogs"].shape)
        (5, 2) (5, 3)

    Args:
        handle: The module: what `compat_hub.load` takes, or a loaded one.
        path: The folder to make, on any filesystem of `tf.io.gfile`. It may be there and empty.
        signatures: Names of the signatures to write, all of the inference variant when None. With
            names, only the variables that they need are written.
        tags: Which graph variant to write alone, as of `compat_hub.load`. None is `set()` for
            inference with `{"train"}` for training calls, or the only variant that there is.
        missing: What becomes of variables that the module's checkpoint does not have, as of
            `compat_hub.load`. With `"error"`, what is whole is written, and an
            `IncompleteModuleWarning` says what was left out.

    Returns:
        The path.

    Raises:
        ResolveError: The handle leads to no folder, or `path` cannot be written.
        ModuleFormatError: The folder holds no module in TF1 Hub format that can be read.
        CheckpointError: Files of the checkpoint are missing or damaged, or nothing is whole, or
            not what `signatures` names.
        UnknownNameError: There is no such signature or variant, or none for inference. Where the
            module has several others, choose one with `tags`.
        UnsafeModuleError: The module's graph would touch the host. If you trust its source, pass
            `compat_hub.load(handle, allow_host_access=True)`.
        InputTypeError: `signatures` is not a list of names; or the module is loaded already, and
            `tags` or `missing` say how.
        PathExistsError: There is something at `path` already.
    """
    if isinstance(handle, HubModule):
        if tags is not None or missing != "error":
            raise InputTypeError(
                "`tags` and `missing` say how a module is loaded, and this one is. Pass them to "
                "compat_hub.load()."
            )
        module = handle
    else:
        if isinstance(handle, ModuleSpec):
            spec = handle
        else:
            folder = resolve(handle)
            found = spec_of_saved_model(handle, folder, tags)
            if found is None:
                _check_format(handle, folder)
                spec = load_module_spec(handle)
            else:
                spec, tags = found, None
        if tags is None and len(spec.variants) == 1:
            (tags,) = spec.variants
        module = load(spec, tags=tags, missing=missing)
    return module.save(path, signatures=signatures)


def _check_format(handle: str | os.PathLike[str], folder: str) -> None:
    """Refuses a SavedModel of TensorFlow 2 before it is loaded, which runs its initializer."""
    if not is_module_directory(folder) and is_saved_model(folder):
        raise ModuleFormatError(
            f"{os.fspath(handle)!r} is a plain SavedModel of TensorFlow 2: there is nothing "
            "to convert. tf.saved_model.load() and compat_hub.load() take it as it is."
        )
