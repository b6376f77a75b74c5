"""Writing a module directory: all of it under its final name, or nothing."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from compat_hub import protos
from compat_hub.errors import PathExistsError, ResolveError

MODULE_PROTO = "tfhub_module.pb"


def write_module_directory(
    path: str | os.PathLike[str],
    saved_model: Any,
    assets: Mapping[str, str],
    save_variables: Callable[[str], None] | None,
) -> str:
    """Writes a module in TF1 Hub format.

    Args:
        path: The folder to make, on any filesystem of `tf.io.gfile`.
        saved_model: The `SavedModel` message, its assets named by their file names.
        assets: Where each asset file is now, by its file name in the assets folder.
        save_variables: Writes the checkpoint under the prefix that it is given; None where the
            module has no variables.

    Returns:
        The path.

    Raises:
        PathExistsError: There is something at that path already.
        ResolveError: An asset file is missing, or the folder cannot be written.
    """
    with new_folder(path) as folder:
        for name, source in sorted(assets.items()):
            target = os.path.join(folder, tf.saved_model.ASSETS_DIRECTORY, name)
            tf.io.gfile.makedirs(os.path.dirname(target))
            try:
                tf.io.gfile.copy(source, target)
            except tf.errors.NotFoundError as error:
                raise ResolveError(
                    f"The asset file {source!r} of the module that was to be written to "
                    f"{os.fspath(path)!r} is missing. Put it back, or make the spec anew with the "
                    "file where it is now."
                ) from error
        if save_variables is not None:
            variables = os.path.join(folder, tf.saved_model.VARIABLES_DIRECTORY)
            tf.io.gfile.makedirs(variables)
            save_variables(os.path.join(variables, tf.saved_model.VARIABLES_FILENAME))
        _write(os.path.join(folder, tf.saved_model.SAVED_MODEL_FILENAME_PB), saved_model)
        module_def = protos.ModuleDef(format=protos.ModuleDef.FORMAT_V3)
        _write(os.path.join(folder, MODULE_PROTO), module_def)
    return os.fspath(path)


@contextlib.contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[str]:
    """A temporary folder, which gets the name `path` once its content is complete.

    Where the body raises, nothing is left of it. On the local filesystem the folder is renamed. An
    object store cannot rename one: there its files are moved one by one, `saved_model.pb` last,
    without which no loader takes the folder for a model.

    Raises:
        PathExistsError: There is something at that path already.
        ResolveError: The filesystem refuses.
    """
    final = os.fspath(path).rstrip("/") or os.fspath(path)
    parent, name = os.path.split(final)
    folder = os.path.join(parent, f".tmp-{uuid.uuid4().hex}-{name}")
    _check_is_free(final)
    try:
        tf.io.gfile.makedirs(folder)
        yield folder
        _check_is_free(final)
        if _is_local(final):
            tf.io.gfile.rename(folder, final)
        else:
            _move_files(folder, final)
    except tf.errors.OpError as error:
        raise ResolveError(
            f"The folder {final!r} cannot be written: {error.message}. "
            "Check the path, the permissions and the free space."
        ) from error
    finally:
        with contextlib.suppress(tf.errors.OpError):
            if tf.io.gfile.exists(folder):
                tf.io.gfile.rmtree(folder)


def _is_local(path: str) -> bool:
    return "://" not in path or path.startswith("file://")


def _move_files(source: str, target: str) -> None:
    files = [
        os.path.relpath(os.path.join(folder, name), source)
        for folder, _, names in tf.io.gfile.walk(source)
        for name in names
    ]
    files.sort(key=lambda name: (name == tf.saved_model.SAVED_MODEL_FILENAME_PB, name))
    try:
        for name in files:
            tf.io.gfile.makedirs(os.path.dirname(os.path.join(target, name)))
            tf.io.gfile.rename(os.path.join(source, name), os.path.join(target, name))
    except tf.errors.OpError:
        tf.io.gfile.rmtree(target)
        raise


def _check_is_free(path: str) -> None:
    if not tf.io.gfile.exists(path):
        return
    parent, name = os.path.split(path)
    # To some filesystems a path exists if any other one begins with it.
    if not _is_local(path) and not parent.endswith(("/", ":")):
        entries = {entry.rstrip("/") for entry in tf.io.gfile.listdir(parent)}
        if name not in entries:
            return
    raise PathExistsError(
        f"There is already something at {path!r}, and it was left as it is. "
        "Write to a path that does not exist yet, or remove what is there."
    )


def _write(path: str, message: Any) -> None:
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(message.SerializeToString(deterministic=True))
