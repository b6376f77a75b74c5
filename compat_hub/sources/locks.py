"""One download of a module at a time, among processes of this library and of tensorflow_hub.

Two locks are held while a module comes. The kernel frees the first when its process dies, however
that happens; it stands between processes of this library. The second is the lock file of
tensorflow_hub, which nothing frees: it stands between machines, and between the two libraries.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time
import uuid
from collections.abc import Iterator

from compat_hub.errors import ResolveError
from compat_hub.sources import cache_layout, files, settings

_POLL = 0.1


@contextlib.contextmanager
def exclusive(folder: str, handle: str, wait: bool = True) -> Iterator[str]:
    """Waits until no other process downloads a module, and keeps others from it in the body.

    Example:
        ```python
        with exclusive("/tmp/tfhub_modules/0a1b...", "https://tfhub.dev/google/elmo/3") as uid:
            ...    # prepare the module in `cache_layout.temporary_folder(folder, uid)`
        ```

    Args:
        folder: Where the module is to be; the folder around it exists.
        handle: How messages name the module.
        wait: Whether to wait for another process, for as long as it makes progress.

    Yields:
        The uid of the lock, which names the temporary folder. That is removed afterwards.

    Raises:
        ResolveError: Another process holds the lock, and is not waited for or makes no progress.
        OSError: The cache cannot be written.
    """
    limit = settings.lock_timeout() if wait else 0
    with _between_own_processes(folder, handle, limit) as is_locked:
        uid = f"{cache_layout.OWNER}{uuid.uuid4().hex}"
        text = f"{socket.gethostname()}.{os.getpid()}.{uid}"
        lock = cache_layout.lock_file(folder)
        while not files.put_new(lock, text):
            _wait_for_other(folder, handle, is_locked, limit)
        try:
            _remove_remains(folder, uid)
            yield uid
        finally:
            with contextlib.suppress(OSError):
                files.remove(cache_layout.temporary_folder(folder, uid))
            with contextlib.suppress(OSError):
                if files.read(lock) == text:
                    files.remove(lock)


@contextlib.contextmanager
def _between_own_processes(folder: str, handle: str, limit: float) -> Iterator[bool]:
    """Yields whether there is a lock: not all filesystems have them."""
    if not files.is_local(folder):
        yield False
        return
    import filelock  # noqa: PLC0415

    path = cache_layout.process_lock_file(folder)
    lock = filelock.FileLock(path)
    try:
        _acquire(lock, folder, handle, limit)
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in {errno.ENOSYS, errno.ENOLCK}:
            raise
        yield False
        return
    try:
        yield True
    finally:
        # Whoever waits for the file that is removed here finds out that it has no name any more.
        # Before version 4, filelock itself removes it.
        if int(filelock.__version__.partition(".")[0]) >= 4:
            with contextlib.suppress(OSError):
                os.remove(path)
        lock.release()


def _acquire(lock: object, folder: str, handle: str, limit: float) -> None:
    import filelock  # noqa: PLC0415

    before = -1
    while True:
        try:
            lock.acquire(timeout=limit, poll_interval=_POLL)  # pyright: ignore[reportAttributeAccessIssue]
            return
        except filelock.Timeout:
            size = _size_of_remains(folder)
            if size == before or not limit:
                raise _is_busy(folder, handle, limit) from None
            before = size


def _is_busy(folder: str, handle: str, limit: float) -> ResolveError:
    progress = f" and got nowhere in {limit:g} seconds" if limit else ""
    return ResolveError(
        f"Module {handle!r} is being downloaded by another process{progress}. Wait for that "
        f"process, or end it; its number is in {cache_layout.lock_file(folder)!r}."
    )


def _wait_for_other(folder: str, handle: str, is_locked: bool, limit: float) -> None:
    """Returns once the lock file is gone: removed by its owner, or since the owner is gone."""
    lock = cache_layout.lock_file(folder)
    seen: tuple[str, int] | None = None
    since = time.monotonic()
    while True:
        try:
            text = files.read(lock)
        except FileNotFoundError:
            return
        state = text, _size_of_remains(folder)
        if state != seen:
            seen, since = state, time.monotonic()
        is_dead = _is_dead(text, is_locked)
        if not is_dead and not limit:
            raise _is_busy(folder, handle, limit)
        if is_dead or time.monotonic() - since > limit:
            with contextlib.suppress(OSError):
                if files.read(lock) == text:
                    files.remove(lock)
            return
        time.sleep(_POLL)


def _is_dead(text: str, is_locked: bool) -> bool:
    """Whether the process that wrote a lock file is known to be gone."""
    host, _, rest = text.rpartition(".")[0].rpartition(".")
    if host != socket.gethostname() or not (rest.isascii() and rest.isdigit()):
        return False
    if is_locked and text.rpartition(".")[2].startswith(cache_layout.OWNER):
        return True  # it would hold the lock that this process holds
    if os.name == "nt":  # where os.kill ends the process
        return False
    try:
        os.kill(int(rest), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False


def _remains(folder: str) -> list[str]:
    parent = folder.rpartition("/")[0]
    return [path for path in cache_layout.leftovers(parent, folder) if path.endswith(".tmp")]


def _size_of_remains(folder: str) -> int:
    total = 0
    for path in _remains(folder):
        with contextlib.suppress(OSError):
            total += sum(size for _, size in files.walk(path))
    return total


def _remove_remains(folder: str, uid: str) -> None:
    """Removes what processes that died have left of this library's temporary folders."""
    for path in _remains(folder):
        if cache_layout.OWNER in path and uid not in path:
            with contextlib.suppress(OSError):
                files.remove(path)
