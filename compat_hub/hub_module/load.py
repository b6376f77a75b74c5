"""`load`: from a handle to a HubModule, or to what TensorFlow loads from a plain SavedModel."""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf

from compat_hub.errors import ResolveError
from compat_hub.format.spec import (
    ModuleSpec,
    Tags,
    is_module_directory,
    is_saved_model,
    load_module_spec,
    normalize_tags,
    read_module_spec,
)
from compat_hub.format.tf1_models.make_spec import spec_of_saved_model
from compat_hub.hub_module.hub_module import HubModule
from compat_hub.sources import digests
from compat_hub.sources.fresh_copy import naming_fresh_copy
from compat_hub.sources.plain_files import check_saved_model
from compat_hub.sources.resolve import resolve
from compat_hub.state.module_state import Missing
from compat_hub.tf_private import graph_internals


def load(
    handle: str | os.PathLike[str] | ModuleSpec,
    tags: Tags = None,
    options: tf.saved_model.LoadOptions | None = None,
    *,
    allow_host_access: bool = False,
    allow_links: bool = False,
    sha256: str | None = None,
    missing: Missing = "error",
) -> Any:
    """Loads a module: one in TF1 Hub format, or a plain SavedModel.

    Examples:
        >>> module = compat_hub.load("path/to/text_module")
        >>> module(["hello", "world"]).shape
        TensorShape([2, 4])
        >>> compat_hub.load("path/to/module", tags={"train"}).tags
        frozenset({'train'})

    Args:
        handle: What `compat_hub.resolve` takes: a path of a folder or archive, or a web address.
            Or a `ModuleSpec`.
        tags: Which graph variant to pin every call to: a set, a list or one string. None keeps
            every variant available.
        options: As for `tf.saved_model.load`. For a module in TF1 Hub format only
            `experimental_io_device` has a meaning: the device that reads the checkpoint.
        allow_host_access: Whether the module's graph may touch the host: read and write files
            other than its own assets, call Python, reach the network. A `ModuleSpec` may allow it
            already. A SavedModel of TensorFlow 2 is not looked into.
        allow_links: Whether files of the module may be behind links that lead out of its folder,
            as in stores that are laid out with links. A `ModuleSpec` may allow it already.
        sha256: The digest that the module has to have, in hexadecimal digits: one over the names
            and contents of all its files, which `compat-hub cache verify` prints. It is computed
            anew for each call.
        missing: What becomes of variables that the module's checkpoint does not have, as where it
            was exported from a variant with fewer. With `"error"` they are not among the module's
            variables, and a call that needs one raises; all other calls work. With `"initial"` they
            have the initial values of the graph.

    Returns:
        A `HubModule`, also of a SavedModel that TensorFlow 1 wrote, as `compat_hub.load_tf1` makes
        it. For one of TensorFlow 2: what `tf.saved_model.load` returns.

    Raises:
        ResolveError: The handle leads to no module, or to one with another digest.
        ModuleFormatError: The folder holds no module that can be read, or this TensorFlow lacks
            ops that all signatures need.
        CheckpointError: Files of the checkpoint are missing or damaged, or it lacks variables that
            all signatures need.
        UnknownNameError: The module has no variant with these tags.
        UnsafeModuleError: The module's graph would touch the host, or a file of it is behind a
            link that leads out of its folder.
    """
    if isinstance(handle, ModuleSpec):
        if sha256 is not None:
            raise ResolveError(
                f"Module {handle.handle!r}: a ModuleSpec was read before its digest was known. "
                "With sha256, pass the handle that the spec was read from."
            )
        spec = load_module_spec(
            handle, allow_host_access=allow_host_access, allow_links=allow_links
        )
    else:
        path = resolve(handle, allow_links=allow_links)
        if sha256 is not None:
            source = "the expected one (sha256)"
            digests.check(os.fspath(handle), path, sha256, source, allow_links)
        if not is_module_directory(path) and is_saved_model(path):
            check_saved_model(f"The SavedModel {os.fspath(handle)!r}", path, allow_links)
            found = spec_of_saved_model(
                handle,
                path,
                tags,
                allow_host_access=allow_host_access,
                allow_links=allow_links,
            )
            if found is None:
                plain_tags = None if tags is None else sorted(normalize_tags(tags))
                return tf.saved_model.load(path, tags=plain_tags, options=options)
            spec, tags = found, None  # the tags have chosen the graph
        else:
            spec = read_module_spec(os.fspath(handle), path, allow_host_access, allow_links)
    pinned = None if tags is None else normalize_tags(tags)
    io_device = options.experimental_io_device if options else None
    outside = graph_internals.outside_of_functions()
    with outside, tf.device(io_device), naming_fresh_copy(spec.handle):
        module = HubModule(spec, pinned, missing)
    graph_internals.keep_with_functions(module)
    return module
