"""The file operations that the cache needs, on any filesystem, with OSErrors for all that fails.

TensorFlow is imported for paths that are not local. Of those some filesystems have no folders, and
take every beginning of a path for one: to `ram://` "a/mod" exists, and holds "2", where there is
"a/mod2". So what is there is told from the entries of the folder around it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from typing import Any


def is_local(path: str) -> bool:
    """Whether a path is one of this machine's own filesystem."""
    return "://" not in path


@contextlib.contextmanager
def _gfile() -> Iterator[Any]:
    import tensorflow as tf  # noqa: PLC0415

    try:
        yield tf.io.gfile
    except tf.errors.OpError as error:
        kind = FileNotFoundError if isinstance(error, tf.errors.NotFoundError) else OSError
        raise kind(error.message) from error


def is_folder(path: str) -> bool:
    """Whether there is a folder."""
    if is_local(path):
        return os.path.isdir(path)
    with _gfile() as gfile:
        return gfile.isdir(path) and exists(path)


def exists(path: str) -> bool:
    """Whether there is a file or folder."""
    if is_local(path):
        return os.path.lexists(path)
    parent, _, name = path.rpartition("/")
    with _gfile() as gfile:
        return gfile.exists(path) and (parent.endswith("/") or name in names_in(parent))


def names_in(path: str) -> list[str]:
    """The names in a folder, sorted; none where there is no such folder."""
    try:
        if is_local(path):
            return sorted(os.listdir(path))
        with _gfile() as gfile:
            names = (name.rstrip("/") for name in gfile.listdir(path))
            return sorted(name for name in names if gfile.exists(f"{path}/{name}"))
    except FileNotFoundError:
        return []


def make_folders(path: str, mode: int = 0o777) -> None:
    """Makes a folder, with such permissions at most, and those above it."""
    if is_local(path):
        os.makedirs(path, mode, exist_ok=True)
        return
    with _gfile() as gfile:
        gfile.makedirs(path)


def read(path: str) -> str:
    """The text in a file."""
    if is_local(path):
        _check_plain(path)
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    with _gfile() as gfile, gfile.GFile(path, "rb") as file:
        return file.read().decode("utf-8", "replace")


def _check_plain(path: str) -> None:
    """Raises an OSError for a FIFO or a device, which may never end, or never begin."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "It is not a plain file", path)


def put(path: str, text: str, is_private: bool = False) -> None:
    """Writes a file, whole or not at all, in place of what was there.

    Args:
        path: The file.
        text: What it is to hold.
        is_private: Whether only its owner may read it, where the filesystem knows owners.
    """
    _put(path, text, replace=True, mode=0o600 if is_private else 0o666)


def put_new(path: str, text: str) -> bool:
    """Writes a file, whole or not at all, unless there is one: then it returns False."""
    return _put(path, text, replace=False)


def _put(path: str, text: str, replace: bool, mode: int = 0o666) -> bool:
    parent, _, name = path.rpartition("/")
    temporary = f"{parent}/tmp{uuid.uuid4().hex}.{name}"
    try:
        if not is_local(path):
            with _gfile() as gfile:
                with gfile.GFile(temporary, "wb") as file:
                    file.write(text.encode())
                if not replace and gfile.exists(path):
                    return False
                gfile.rename(temporary, path, overwrite=replace)
            return True

        def opened(name: str, flags: int) -> int:
            return os.open(name, flags, mode)

        with open(temporary, "x", encoding="utf-8", opener=opened) as file:
            file.write(text)
        if replace:
            os.replace(temporary, path)
            return True
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:  # a filesystem without hard links
            if os.path.lexists(path):
                return False
            os.rename(temporary, path)
        return True
    finally:
        with contextlib.suppress(OSError):
            remove(temporary)


def remove(path: str) -> None:
    """Removes a file or a folder with all that is in it, where there is one."""
    with contextlib.suppress(FileNotFoundError):
        if not is_local(path):
            with _gfile() as gfile:
                if not is_folder(path):
                    gfile.remove(path)
                    return
                for name, _ in list(walk(path)):
                    gfile.remove(f"{path}/{name}")
                if gfile.isdir(path) and is_folder(path):  # some keep a folder without files
                    gfile.rmtree(path)
        elif os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.remove(path)


def walk(folder: str) -> Iterator[tuple[str, int]]:
    """The files in a folder and below: path relative to it, with slashes, and size in bytes."""
    if is_local(folder):
        for parent, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(parent, name)
                with contextlib.suppress(FileNotFoundError):
                    is_there = os.path.exists(path)  # a link may lead nowhere
                    size = (os.stat if is_there else os.lstat)(path).st_size
                    yield os.path.relpath(path, folder).replace(os.sep, "/"), size
        return
    with _gfile() as gfile:
        for parent, _, names in gfile.walk(folder):
            for name in names:
                path = f"{parent.rstrip('/')}/{name}"
                if gfile.exists(path):
                    yield path.removeprefix(folder).strip("/"), gfile.stat(path).length


def copy(source: str, target: str) -> None:
    """Copies a file to where none is, and makes the folders above it."""
    make_folders(target.rpartition("/")[0])
    if is_local(source) and is_local(target):
        shutil.copyfile(source, target)
        return
    with _gfile() as gfile:
        gfile.copy(source, target)


def open_to_read(path: str) -> Any:
    """A file object with the bytes of a file."""
    if is_local(path):
        _check_plain(path)
        return open(path, "rb")
    with _gfile() as gfile:
        return gfile.GFile(path, "rb")
