"""Writing a module directory: all of it under its final name, or nothing."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import tensorflow as tf

from compat_hub.errors import PathExistsError, ResolveError
from compat_hub.format import protos
from compat_hub.sources.partial_folders import kept, partial_name, remove_abandoned
from compat_hub.sources.plain_files import check_kind, local_path

MODULE_PROTO = "tfhub_module.pb"


def write_module_directory(
    path: str | bytes | os.PathLike[str],
    saved_model: Any,
    assets: Mapping[str, str],
    save_variables: Callable[[str], None] | None,
) -> str:
    """Writes a module in TF1 Hub format.

    Args:
        path: The folder to make, on any filesystem of `tf.io.gfile`; it may be there and empty.
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
def new_folder(path: str | bytes | os.PathLike[str], takes_empty: bool = True) -> Iterator[str]:
    """A temporary folder, which gets the name `path` once its content is complete.

    Where the body raises, nothing is left of it. On the local filesystem the folder is renamed,
    also where there is an empty one of that name. An object store cannot rename one: there its
    files are moved one by one, each `saved_model.pb` last, without which no loader takes a folder
    for a model. So are they where the empty folder has to stay the one that it is.

    What writers that were killed have left beside is removed.

    Args:
        path: The folder.
        takes_empty: Whether it may be there and empty.

    Raises:
        PathExistsError: There is something at that path already, and it is not an empty folder.
        ResolveError: The filesystem refuses.
    """
    final = _normalize(path)
    stays = takes_empty and _has_to_stay(final)
    parent, name = (f"{final}/", "content") if stays else _split(final)
    folder = f"{parent}{partial_name(name)}"
    try:
        remove_abandoned(parent)
        _check_is_free(final)
        _check_is_new(final, takes_empty)
        with _made(folder, final):
            yield folder
            if stays:
                _check_is_free(final, {os.path.basename(folder)})
                _move_files(folder, final)
            else:
                _check_is_free(final)
                _check_is_new(final, takes_empty)
                _rename(folder, final)
    except tf.errors.OpError as error:
        raise _cannot_write(final, error.message) from error
    finally:
        with contextlib.suppress(tf.errors.OpError):
            if tf.io.gfile.exists(folder):
                tf.io.gfile.rmtree(folder)


@contextlib.contextmanager
def _made(folder: str, final: str) -> Iterator[None]:
    if not _is_local(folder):
        tf.io.gfile.makedirs(folder)
        yield
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(kept(folder))
        except OSError as error:
            raise _cannot_write(final, error) from error
        yield


def _cannot_write(final: str, error: object) -> ResolveError:
    return ResolveError(
        f"The folder {final!r} cannot be written: {error}. "
        "Check the path, the permissions and the free space."
    )


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
    local = local_path(text)
    if local is not None and os.path.islink(local):
        prefix = text.removesuffix(local)
        return prefix + os.path.realpath(local)  # a link cannot become a folder
    return text


def _split(path: str) -> tuple[str, str]:
    """What comes before the last component, the slash included, and that component."""
    parent, slash, name = path.rpartition("/")
    return parent + slash, name


def _is_local(path: str) -> bool:
    return local_path(path) is not None


def _has_to_stay(path: str) -> bool:
    """Whether a folder is there that another cannot take the place of.

    That is a mount point, the program's current folder, or a folder of another user.
    """
    local = local_path(path)
    if local is None or not os.path.isdir(local):
        return False
    is_own = not hasattr(os, "geteuid") or os.stat(local).st_uid == os.geteuid()
    return os.path.ismount(local) or os.path.samefile(local, os.curdir) or not is_own


def _rename(source: str, target: str) -> None:
    """Renames a folder.

    Raises:
        PathExistsError: Somebody else has made the target since it was looked for.
        ResolveError: The filesystem refuses.
    """
    local, new = local_path(source), local_path(target)
    if local is None or new is None:
        try:
            _move_files(source, target)
        except tf.errors.AlreadyExistsError as error:
            raise _path_exists(target) from error
        return
    try:
        if os.path.isdir(new):
            os.chmod(local, stat.S_IMODE(os.stat(new).st_mode))  # of the empty one, which goes
        os.rename(local, new)
    except OSError as error:
        if os.path.lexists(new):
            raise _path_exists(target) from error
        raise _cannot_write(target, error) from error


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
        # Other files there belong to another process that writes to the same path.
        with contextlib.suppress(tf.errors.OpError):
            for file in moved:
                tf.io.gfile.remove(os.path.join(target, file))
            if not any(files for _, _, files in tf.io.gfile.walk(target)):
                tf.io.gfile.rmtree(target)
        raise


def _check_is_free(path: str, besides: Collection[str] = ()) -> None:
    if tf.io.gfile.exists(path) and not _is_empty_folder(path, besides):
        raise _path_exists(path)


def _check_is_new(path: str, takes_empty: bool) -> None:
    local = local_path(path)
    if not takes_empty and local is not None and os.path.lexists(local):
        raise _path_exists(path)


def _is_empty_folder(path: str, besides: Collection[str]) -> bool:
    """Whether there is a folder with nothing in it, or with nothing besides some names.

    To some filesystems a path exists if another begins with it. To `ram://` "a/mod" is a folder,
    and has the entry "2", where there is "a/mod2".
    """
    if not tf.io.gfile.isdir(path):
        return False
    entries = {entry.strip("/") for entry in tf.io.gfile.listdir(path)}
    return not any(tf.io.gfile.exists(f"{path}/{entry}") for entry in entries - set(besides))


def _path_exists(path: str) -> PathExistsError:
    return PathExistsError(
        f"There is already something at {path!r}, and it was left as it is. "
        "Write to a path that does not exist yet or to an empty folder, or remove what is there."
    )


def _write(path: str, message: Any) -> None:
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(message.SerializeToString(deterministic=True))
