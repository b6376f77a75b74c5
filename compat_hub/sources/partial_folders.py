"""Folders in which something is being written, and what is left of them where a writer was killed.

The kernel knows whether a writer still lives: it holds a lock on its folder, which goes when the
process goes, however that happens. On a filesystem without locks, every writer counts as alive.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterator
from types import ModuleType

from compat_hub.sources.plain_files import local_path

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None

_NAME = re.compile(r"\.tmp-(?P<host>[0-9a-f]{8})[0-9a-f]{24}-.+")


def partial_name(name: str) -> str:
    """What a folder is called while that which becomes `name` is written in it.

    The beginning tells the machine: locks of another may not reach this one.
    """
    return f".tmp-{_host()}{uuid.uuid4().hex[:24]}-{name}"


@contextlib.contextmanager
def kept(folder: str) -> Iterator[None]:
    """Makes a local folder, and keeps `remove_abandoned` from it in the body, renamed or not."""
    path = local_path(folder)
    if path is None:
        raise ValueError(f"{folder!r} is not local")
    while True:
        os.makedirs(path, exist_ok=True)
        lock = _lock(path, exclusive=False)
        if _is_there(path, lock):  # or else it was taken to be abandoned just now
            break
        if lock is not None:
            os.close(lock)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def remove_abandoned(parent: str) -> list[str]:
    """Removes the folders of writers on this machine that are gone.

    Args:
        parent: The folder in which they wrote; nothing is done where it is not local, or not there.

    Returns:
        The paths of the folders that were removed.
    """
    path = local_path(parent)
    if path is None or fcntl is None:
        return []
    removed = []
    with contextlib.suppress(OSError), os.scandir(path or ".") as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match and match["host"] == _host() and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    if _remove_if_abandoned(entry.path):
                        removed.append(entry.path)
    return sorted(removed)


def _remove_if_abandoned(path: str) -> bool:
    lock = _lock(path, exclusive=True)
    if lock is None:
        return False
    try:
        shutil.rmtree(path)
    finally:
        os.close(lock)
    return True


def _lock(path: str, exclusive: bool) -> int | None:
    """The descriptor that holds a lock on a folder; None where another does, or there are none."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        # Whoever removes the folder holds the other lock for a moment only.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB if exclusive else fcntl.LOCK_SH)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _is_there(path: str, descriptor: int | None) -> bool:
    if descriptor is None:
        return os.path.isdir(path)
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
