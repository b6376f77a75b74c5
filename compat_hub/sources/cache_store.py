"""Modules put into the cache: the whole module under its name, or nothing."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator

from compat_hub.common.masking import masked
from compat_hub.errors import ResolveError
from compat_hub.sources import cache_layout, digests, files, locks, ownership, settings

_LOGGER = logging.getLogger("compat_hub")

# Prepares a module in an empty local folder: the folder within it that is the module, and the
# SHA-256 of each of the module's files by its path.
Prepare = Callable[[str], tuple[str, dict[str, str]]]


def cached(handle: str, prepare: Prepare, key: str | None = None) -> str:
    """The folder of a module in the cache, to which it is brought where it is not there yet.

    However many processes call this at once, one of them prepares the module.

    Example:
        ```python
        cached("https://tfhub.dev/google/elmo/3", download_and_unpack)
        ```

    Args:
        handle: How messages and the descriptor name the module.
        prepare: Called where the module is not in the cache.
        key: What the folder's name is made from, where that is not the handle.

    Returns:
        The module directory.

    Raises:
        ResolveError: The cache cannot be written; it is then as it was. Or it is where caches are
            by default, and others can write to it. What `prepare` raises is passed on.
    """
    cache = settings.cache_folder()
    folder = cache_layout.module_directory(cache, handle if key is None else key)
    handle = masked(handle)
    try:
        check_owners(folder, handle)
        if not cache_layout.is_filled(folder):
            _fill(cache, folder, handle, prepare)
        elif lost := cache_layout.lost_files(folder):
            _replace(cache, folder, handle, prepare, lost)
    except ResolveError:
        raise
    except OSError as error:
        raise ResolveError(
            f"Module {handle!r} cannot be put into the cache {cache!r}: {error}. {_advice(error)}"
        ) from error
    return folder


def _replace(cache: str, folder: str, handle: str, prepare: Prepare, lost: list[str]) -> None:
    """Brings a module again of which files are gone."""
    shown = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
    what = f"in the cache has lost files ({shown}; a temporary folder may be cleaned)"
    _LOGGER.warning("The module %r %s: it is fetched again.", handle, what)
    try:
        _fill(cache, folder, handle, prepare)
    except ResolveError as error:
        error.args = (
            f"{error} The copy of {handle!r} {what}, so it cannot be used: {folder!r}.",
            *error.args[1:],
        )
        raise


def check_owners(folder: str, handle: str) -> None:
    """Refuses a module in the default cache where others can have put it there.

    Args:
        folder: Where the module is in the cache, or would be.
        handle: How messages name it.

    Raises:
        ResolveError: Others can.
    """
    _check_cache()
    if not settings.names_cache():
        ownership.check_entry(folder, handle)


def _check_cache() -> None:
    if not settings.names_cache():
        ownership.check_cache(settings.cache_folder())


def _advice(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return "Make room on that disk, or set TFHUB_CACHE_DIR to a folder on another."
    return "Set TFHUB_CACHE_DIR to a folder that can be written."


def _fill(cache: str, folder: str, handle: str, prepare: Prepare) -> None:
    with _folders_made(cache), locks.exclusive(folder, handle) as uid:
        _check_cache()  # another process may have made it meanwhile
        if cache_layout.is_filled(folder) and not cache_layout.lost_files(folder):
            return
        temporary = cache_layout.temporary_folder(folder, uid)
        if files.is_local(cache):
            os.mkdir(temporary)
            content, parts = prepare(temporary)
            if not settings.names_cache():
                ownership.close_to_others(content)
            with _descriptors(folder, handle, parts):
                _rename(content, folder, f"{temporary}/lost")
            return
        work = tempfile.mkdtemp(prefix=cache_layout.OWNER)
        try:
            content, parts = prepare(work)
            with _descriptors(folder, handle, parts):
                _upload(content, folder, parts)
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _folders_made(path: str) -> Iterator[None]:
    """Makes a folder, and removes it again where the body fails and it is empty."""
    is_new = not files.exists(path)
    files.make_folders(path, 0o777 if settings.names_cache() else 0o755)
    try:
        yield
    except BaseException:
        if is_new and files.is_local(path):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        raise


@contextlib.contextmanager
def _descriptors(folder: str, handle: str, parts: dict[str, str]) -> Iterator[None]:
    """Writes the files beside a module, which are removed where the module does not come."""
    beside = {
        cache_layout.descriptor_file(folder): cache_layout.descriptor(handle),
        cache_layout.digest_file(folder): cache_layout.digest_text(
            digests.combine(parts), handle, parts
        ),
    }
    try:
        for path, text in beside.items():
            files.put(path, text, is_private=True)
        yield
    except BaseException:
        if not cache_layout.is_filled(folder):
            for path in beside:
                with contextlib.suppress(OSError):
                    files.remove(path)
        raise


def _rename(source: str, target: str, aside: str) -> None:
    """Gives a module its name; what is left of one that has it is put aside."""
    try:
        # An empty folder, or what is left of a module: what came meanwhile stays.
        if os.path.isdir(target) and (not os.listdir(target) or _is_remnant(source, target)):
            os.rename(target, aside)
        os.rename(source, target)
    except OSError:
        # tensorflow_hub takes over a lock that seems abandoned, and may have been quicker.
        if not cache_layout.is_filled(target):
            raise


def _is_remnant(source: str, target: str) -> bool:
    """Whether a folder lacks files that a whole module has."""
    return not {name for name, _ in files.walk(source)} <= {n for n, _ in files.walk(target)}


def _upload(source: str, target: str, paths: dict[str, str]) -> None:
    """Copies a module to a filesystem that cannot rename folders, what makes it a module last."""
    names = sorted(paths, key=lambda path: (path == "saved_model.pb", path))
    try:
        for name in names:
            files.copy(f"{source}/{name}", f"{target}/{name}")
    except BaseException:
        with contextlib.suppress(OSError):
            files.remove(target)
        raise


def remove(entry: cache_layout.Entry) -> None:
    """Removes a module from the cache, and the files beside it.

    Raises:
        ResolveError: It is being downloaded, or cannot be removed, or the cache is one that others
            can write to.
    """
    name = entry.handle or entry.path
    _check_cache()
    try:
        with locks.exclusive(entry.path, name, wait=False) as uid:
            if files.is_local(entry.path):
                # A folder that is removed file by file would be half a module meanwhile.
                temporary = cache_layout.temporary_folder(entry.path, uid)
                os.rename(entry.path, temporary)
                files.remove(temporary)
            else:
                files.remove(entry.path)
            for path in (
                cache_layout.descriptor_file(entry.path),
                cache_layout.digest_file(entry.path),
            ):
                files.remove(path)
    except ResolveError:
        raise
    except OSError as error:
        raise ResolveError(
            f"Module {name!r} cannot be removed from the cache: {error}. Check the permissions."
        ) from error


def remove_leftovers(cache: str) -> None:
    """Removes what downloads that were killed have left; not what one that runs works with.

    Raises:
        ResolveError: Something cannot be removed.
    """
    _check_cache()
    try:
        for folder in sorted({cache_layout.owner(path) for path in cache_layout.leftovers(cache)}):
            with (
                contextlib.suppress(ResolveError),  # another process is at it
                locks.exclusive(folder, folder, wait=False),
            ):
                for path in cache_layout.leftovers(cache, folder):
                    if not path.endswith(".lock"):
                        files.remove(path)
    except OSError as error:
        raise ResolveError(
            f"What is left of downloads in the cache {cache!r} cannot be removed: {error}. "
            "Check the permissions."
        ) from error
