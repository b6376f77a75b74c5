"""The protocol of TensorFlow Hub's servers: which request gives a module."""

from __future__ import annotations

import os
import urllib.parse

from compat_hub.common.masking import masked
from compat_hub.errors import ResolveError
from compat_hub.sources import archives, settings
from compat_hub.sources import download as web
from compat_hub.sources.kaggle import copy_from_kaggle, kaggle_name

_REFUSALS = (web.NotServedError, archives.NotAnArchiveError)


def prepare_module(handle: str, work: str) -> tuple[str, dict[str, str]]:
    """Downloads the archive of a module and unpacks it.

    Args:
        handle: An address, of a module on a hosting server or of an archive.
        work: An empty local folder.

    Returns:
        The folder within `work` that is the module, and the SHA-256 of each of its files.

    Raises:
        ResolveError: The module cannot be downloaded, or its archive is none, damaged or unsafe.
    """
    module = os.path.join(work, "module")
    limits = settings.ArchiveLimits.from_environment()
    archive = os.path.join(work, "archive")
    url = ""
    try:
        url = _download(handle, archive, limits.size)
        os.mkdir(module)
        with open(archive, "rb") as file:
            parts = archives.unpack(file, module, masked(handle), limits)
        os.remove(archive)
    except _REFUSALS as error:
        name = kaggle_name(getattr(error, "url", url)) or kaggle_name(handle)
        if name is None:
            raise
        copied = os.path.join(work, "copied")
        return copied, copy_from_kaggle(name, handle, copied, str(error))
    return module, parts


def ask_folder(handle: str) -> str:
    """The folder, on a filesystem of `tf.io.gfile`, that a hosting server names for a module.

    Raises:
        ResolveError: The server does not answer with such a folder.
    """
    location = web.ask_location(_with_format(handle, "uncompressed"), handle)
    scheme = location.partition("://")[0].lower()
    if scheme in {"http", "https", "file"}:
        raise ResolveError(
            f"The server of {masked(handle)!r} was asked for the location of a folder, gs:// or "
            f"the like, and answered {location!r}. "
            "Set TFHUB_MODEL_LOAD_FORMAT to COMPRESSED, or remove it."
        )
    return location.rstrip("/")


def is_archive_address(handle: str) -> bool:
    """Whether an address ends as those of archives do, apart from its query."""
    return archives.is_archive_name(urllib.parse.urlsplit(handle).path)


def _download(handle: str, path: str, largest: float) -> str:
    try:
        return web.download(_with_format(handle, "compressed"), path, handle, largest)
    except web.NotServedError:
        # A file server of whatever kind may not stand a query that it does not know.
        if not is_archive_address(handle) or _with_format(handle, "compressed") == handle:
            raise
    return web.download(handle, path, handle, largest)


def _with_format(handle: str, value: str) -> str:
    """The address with the query that asks for a format, behind the query that it has."""
    address, hash_mark, fragment = handle.partition("#")
    wanted = f"tf-hub-format={value}"
    path, _, query = address.partition("?")
    if wanted in query.split("&"):
        return handle
    query = f"{query}&{wanted}" if query else wanted
    return f"{path}?{query}{hash_mark}{fragment}"
