"""Writing a module directory: all of it under its final name, or nothing."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from compat_hub import protos
from compat_hub._plain_files import check_kind
from compat_hub.errors import PathExistsError, ResolveError

MODULE_PROTO = "tfhub_module.pb"


def write_module_directory(
    path: str | bytes | os.PathLike[str],
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
            _check_asset(source, os.fsdecode(path))
            target = os.path.join(folder, tf.saved_model.ASSETS_DIRECTORY, name)
            tf.io.gfile.makedirs(os.path.dirname(target))
            tf.io.gfile.copy(source, target)
        if save_variables is not None:
            variables = os.path.join(folder, tf.saved_model.VARIABLES_DIRECTORY)
            tf.io.gfile.makedirs(variables)
            save_variables(os.path.join(variables, tf.saved_model.VARIABLES_FILENAME))
        _write(os.path.join(folder, tf.saved_model.SAVED_MODEL_FILENAME_PB), saved_model)
        module_def = protos.ModuleDef(format=protos.ModuleDef.FORMAT_V3)
        _write(os.path.join(folder, MODULE_PROTO), module_def)
    return os.fsdecode(path)


def _check_asset(source: str, path: str) -> None:
    check_kind(f"The module that was to be written to {path!r}", source)
    try:
        if tf.io.gfile.exists(source) and not tf.io.gfile.isdir(source):
            return
        reason = "is missing"
    except tf.errors.OpError as error:
        reason = f"cannot be looked up: {error.message}"
    raise ResolveError(
        f"The asset file {source!r} of the module that was to be written to {path!r} {reason}. "
        "Put it back, or make the spec anew with the file where it is now."
    )


@contextlib.contextmanager
def new_folder(path: str | bytes | os.PathLike[str]) -> Iterator[str]:
    """A temporary folder, which gets the name `path` once its content is complete.

    Where the body raises, nothing is left of it. On the local filesystem the folder is renamed. An
    object store cannot rename one: there its files are moved one by one, each `saved_model.pb`
    last, without which no loader takes a folder for a model.

    Raises:
        PathExistsError: There is something at that path already.
        ResolveError: The filesystem refuses.
    """
    final = _normalize(path)
    parent, name = _split(final)
    folder = f"{parent}.tmp-{uuid.uuid4().hex}-{name}"
    try:
        _check_is_free(final)
        tf.io.gfile.makedirs(folder)
        yield folder
        _check_is_free(final)
        _rename(folder, final)
    except tf.errors.OpError as error:
        raise ResolveError(
            f"The folder {final!r} cannot be written: {error.message}. "
            "Check the path, the permissions and the free space."
        ) from error
    finally:
        with contextlib.suppress(tf.errors.OpError):
            if tf.io.gfile.exists(folder):
                tf.io.gfile.rmtree(folder)


def _normalize(path: str | bytes | os.PathLike[str]) -> str:
    """The path as `resolve` will understand it: without a slash at its end, `~` expanded."""
    if not isinstance(path, str | bytes | os.PathLike):
        raise ResolveError(f"A path to write to is a string or a path, found {path!r}.")
    text = os.fsdecode(path)
    if "://" not in text:
        text = os.path.expanduser(text)
    text = text.rstrip("/")
    if not text or text.endswith(":"):
        raise ResolveError(
            f"The path {os.fsdecode(path)!r} names no folder that can be made. Pass one that does."
        )
    if set("*?[") & set(text):
        raise ResolveError(
            f"The path {text!r} has one of the characters *, ? and [, which TensorFlow takes for a "
            "pattern in the path of a checkpoint: it could not read what is written there. Pass a "
            "path without them."
        )
    return text


def _split(path: str) -> tuple[str, str]:
    """What comes before the last component, the slash included, and that component."""
    parent, slash, name = path.rpartition("/")
    return parent + slash, name


def _is_local(path: str) -> bool:
    return "://" not in path or path.startswith("file://")


def _rename(source: str, target: str) -> None:
    """Renames a folder.

    Raises:
        PathExistsError: Somebody else has made the target since it was looked for.
    """
    try:
        if _is_local(target):
            tf.io.gfile.rename(source, target)
        else:
            _move_files(source, target)
    except tf.errors.AlreadyExistsError as error:
        raise _path_exists(target) from error
    except tf.errors.FailedPreconditionError as error:
        if _is_local(target) and tf.io.gfile.exists(target):
            raise _path_exists(target) from error
        raise


def _move_files(source: str, target: str) -> None:
    files = [
        os.path.relpath(os.path.join(folder, name), source)
        for folder, _, names in tf.io.gfile.walk(source)
        for name in names
    ]
    last = tf.saved_model.SAVED_MODEL_FILENAME_PB
    files.sort(key=lambda file: (os.path.basename(file) == last, file))
    moved: list[str] = []
    try:
        for file in files:
            tf.io.gfile.makedirs(os.path.dirname(os.path.join(target, file)))
            tf.io.gfile.rename(os.path.join(source, file), os.path.join(target, file))
            moved.append(file)
    except tf.errors.OpError:
        # What is there besides is of somebody who writes to the same path.
        with contextlib.suppress(tf.errors.OpError):
            for file in moved:
                tf.io.gfile.remove(os.path.join(target, file))
            if not any(files for _, _, files in tf.io.gfile.walk(target)):
                tf.io.gfile.rmtree(target)
        raise


def _check_is_free(path: str) -> None:
    if tf.io.gfile.exists(path) and (_is_local(path) or not _is_only_a_prefix(path)):
        raise _path_exists(path)


def _is_only_a_prefix(path: str) -> bool:
    """Whether nothing is at a path, which to some filesystems exists if another begins with it.

    To `ram://` "a/mod" exists, and has the entry "2", where there is "a/mod2".
    """
    if not tf.io.gfile.isdir(path):
        return False
    entries = (entry.strip("/") for entry in tf.io.gfile.listdir(path))
    if any(tf.io.gfile.exists(f"{path}/{entry}") for entry in entries):
        return False
    parent, name = _split(path)
    try:
        return name not in {entry.rstrip("/") for entry in tf.io.gfile.listdir(parent)}
    except tf.errors.NotFoundError:  # ram:// itself is no folder
        return True


def _path_exists(path: str) -> PathExistsError:
    return PathExistsError(
        f"There is already something at {path!r}, and it was left as it is. "
        "Write to a path that does not exist yet, or remove what is there."
    )


def _write(path: str, message: Any) -> None:
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(message.SerializeToString(deterministic=True))
