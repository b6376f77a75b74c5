"""From a handle to the module directory."""

from __future__ import annotations

import os
import re

from compat_hub.common.masking import masked
from compat_hub.errors import ResolveError
from compat_hub.sources import archives, cache_layout, cache_store, digests, files, settings
from compat_hub.sources.handle_hints import hint_for_address, hint_for_file, hint_for_path
from compat_hub.sources.plain_files import check_kind

_WEB_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_MASK = "***"

# What this process was given, by what messages and configs have instead.
_unmasked: dict[str, str] = {}


def resolve(handle: str | os.PathLike[str], *, allow_links: bool = False) -> str:
    """Finds the module directory that a handle leads to.

    What comes from the web, and what is in an archive, is put into the cache that tensorflow_hub
    also uses: the folder `TFHUB_CACHE_DIR`, by default `tfhub_modules` in the temporary folder.
    What is there is not downloaded again.

    Examples:
        >>> compat_hub.resolve("path/to/module")
        'path/to/module'
        >>> unpacked = compat_hub.resolve("path/to/module.tar.gz")
        >>> compat_hub.load_module_spec(unpacked).get_signature_names()
        ['default', 'fruit_to_pet']

    Args:
        handle: One of these:

            - a path of a folder, on any filesystem of `tf.io.gfile` (local, `ram://`, `gs://`,
              ...); `~` and `file://` are understood,
            - a path of a `.tar`, `.tar.gz` or `.tgz` archive of a module,
            - a web address of such an archive, or of a module on a server that speaks the protocol
              of TensorFlow Hub, as `https://tfhub.dev` and `https://www.kaggle.com/models` do.
        allow_links: Whether the files of which a digest is computed, where `COMPAT_HUB_DIGESTS` has
            one, may be behind links that lead out of the folder.

    Returns:
        The path of the folder, without a trailing slash.

    Raises:
        ResolveError: The handle leads to nothing, the download fails, the archive is none, damaged
            or unsafe, the cache cannot be written, or the module's digest is not the one in the
            file that `COMPAT_HUB_DIGESTS` names.
        UnsafeModuleError: A digest is to be computed, and a link leads out of the folder.
    """
    text = os.fspath(handle) if isinstance(handle, str | os.PathLike) else None
    if not isinstance(text, str) or not text:
        raise ResolveError(f"A handle is a non-empty string or path, found {handle!r}.")
    if "\0" in text:
        raise ResolveError(f"The handle {text!r} has a null character in it, which no path has.")
    path = _resolve_address(text) if _WEB_ADDRESS.match(text) else _resolve_path(text)
    file = settings.digest_file()
    if file is not None:
        expected = digests.read_known(file).get(masked(text))
        if expected is not None:
            digests.check(text, path, expected, f"its digest in {file!r}", allow_links)
    return path


def is_web_address(handle: str) -> bool:
    """Whether a handle is one that the web answers."""
    return _WEB_ADDRESS.match(handle) is not None


def is_here(handle: str) -> bool:
    """Whether a handle leads to this machine: a path, or a module that is in the cache already."""
    if not is_web_address(handle):
        scheme, mark, _ = _without_file_scheme(handle).partition("://")
        return not mark or scheme.lower() in {"file", "ram"}
    if _MASK in handle and handle not in _unmasked:
        return True  # it is looked up in the cache, and nowhere else
    if settings.load_format() == "UNCOMPRESSED":
        return False  # a server is asked each time
    folder = cache_layout.module_directory(settings.cache_folder(), _unmasked.get(handle, handle))
    return cache_layout.is_filled(folder) and not cache_layout.lost_files(folder)


def _resolve_address(handle: str) -> str:
    # Neither is needed for a module that is in the cache: requests takes a while to import.
    def prepare(work: str) -> tuple[str, dict[str, str]]:
        from compat_hub.sources import tfhub_servers  # noqa: PLC0415

        return tfhub_servers.prepare_module(handle, work)

    if any(c.isspace() or not c.isprintable() for c in handle):
        shown = "".join("_" if c.isspace() or not c.isprintable() else c for c in handle)
        raise ResolveError(
            f"The handle {masked(shown)!r} is not a web address: it has white space or control "
            "characters in it. Check it for a slip."
        )
    shown = masked(handle)
    if shown != handle:
        _unmasked[shown] = handle
    elif _MASK in handle and handle not in _unmasked:
        return _known_by_mask(handle)
    handle = _unmasked.get(handle, handle)
    if settings.load_format() == "UNCOMPRESSED":
        from compat_hub.sources import tfhub_servers  # noqa: PLC0415

        if not tfhub_servers.is_archive_address(handle):
            return _check_folder(handle, tfhub_servers.ask_folder(handle))
    try:
        return cache_store.cached(handle, prepare)
    except ResolveError as error:
        hint = hint_for_address(handle)
        if hint is not None:
            error.args = (f"{error} {hint}", *error.args[1:])
        raise


def _known_by_mask(handle: str) -> str:
    """The module in the cache for a handle that is known without its password only."""
    for entry in cache_layout.entries(settings.cache_folder()):
        if entry.handle == handle:
            cache_store.check_owners(entry.path, handle)
            return entry.path
    raise ResolveError(
        f"The handle {handle!r} has {_MASK} in the place of a password, which files and messages "
        "do not have, and no module in the cache came by such a handle. Pass the handle with its "
        f"password; where a Keras model is loaded, by custom_objects={{{handle!r}: the handle}}."
    )


def _resolve_path(handle: str) -> str:
    path = _without_file_scheme(handle)
    if "://" not in path:
        path = os.path.expanduser(path)
    if archives.is_archive_name(path) and _is_file(handle, path):
        return _unpack(handle, path)
    return _check_folder(handle, path.rstrip("/") or path)


def _without_file_scheme(handle: str) -> str:
    """What `tf.io.gfile` is given. It may have a scheme again."""
    return handle.removeprefix("file://")


def _is_file(handle: str, path: str) -> bool:
    found = _look_up(handle, path)
    return found == "file"


def _check_folder(handle: str, path: str) -> str:
    found = _look_up(handle, path)
    if found != "folder":
        what = "is a file, not a folder" if found == "file" else "does not exist"
        hint = hint_for_file(path) if found == "file" else hint_for_path(handle)
        suffixes = ", ".join(archives.SUFFIXES)
        hint = hint or f"Pass the folder that holds tfhub_module.pb, or a {suffixes} file."
        raise ResolveError(f"The handle {handle!r} leads to {path!r}, which {what}. {hint}")
    return path


def _look_up(handle: str, path: str) -> str | None:
    import tensorflow as tf  # noqa: PLC0415

    try:
        if tf.io.gfile.isdir(path):
            return "folder"
        return "file" if tf.io.gfile.exists(path) else None
    except (tf.errors.OpError, UnicodeError) as error:
        raise ResolveError(f"The handle {handle!r} cannot be looked up: {error}") from error


def _unpack(handle: str, path: str) -> str:
    """The module in an archive, which is unpacked to the cache."""
    import tensorflow as tf  # noqa: PLC0415

    def prepare(work: str) -> tuple[str, dict[str, str]]:
        module = os.path.join(work, "module")
        os.mkdir(module)
        check_kind(f"The archive {handle!r}", path)
        with files.open_to_read(path) as archive:
            limits = settings.ArchiveLimits.from_environment()
            return module, archives.unpack(archive, module, handle, limits)

    if path.startswith("gs://"):
        return _module_within(
            cache_store.cached(handle, prepare)
        )  # by its name, as in tensorflow_hub
    if files.is_local(path):
        path = os.path.abspath(path)
    # Another archive of the same name is another module.
    stat = tf.io.gfile.stat(path)
    return _module_within(
        cache_store.cached(handle, prepare, f"{path}#{stat.length},{stat.mtime_nsec}")
    )


def _module_within(folder: str) -> str:
    """The module in what was unpacked: some archives hold a module's folder, not its content."""
    names = files.names_in(folder)
    if len(names) == 1 and not _has_module(folder) and _has_module(f"{folder}/{names[0]}"):
        return f"{folder}/{names[0]}"
    return folder


def _has_module(folder: str) -> bool:
    return cache_layout.MODULE_FILES & set(files.names_in(folder)) != set()
