"""A module within a layer's config: all of its folder but the values of its variables."""

from __future__ import annotations

import atexit
import base64
import binascii
import gzip
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from typing import Any

from compat_hub.errors import ConfigError
from compat_hub.sources.archives import unpack
from compat_hub.sources.plain_files import check_tree
from compat_hub.sources.settings import ArchiveLimits

_GRAPH = "saved_model.pb"
# By the archive's digest: a folder for all layers, which is there until the process ends.
_unpacked: dict[str, str] = {}


def pack(folder: str, allow_links: bool = False) -> str:
    """The text for a config. Weights files have the values of the variables."""
    check_tree(f"The module {folder!r}", folder, allow_links)
    buffer = io.BytesIO()
    # Without times and owners: one module gives one text.
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for root, folders, files in os.walk(folder):
            folders[:] = sorted(set(folders) - {"variables"} if root == folder else folders)
            for name in sorted(files):
                path = os.path.join(root, name)
                info = tarfile.TarInfo(os.path.relpath(path, folder))
                info.size = os.path.getsize(path)
                with open(path, "rb") as file:
                    archive.addfile(info, file)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def unpacked(text: Any, where: str) -> str:
    """The folder that a text of `pack` makes: that of the module, without its checkpoint.

    Raises:
        ConfigError: The text is something else.
        ResolveError: The archive in it is damaged or unsafe.
    """
    try:
        archive = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ConfigError(
            f"The module in the config of {where} cannot be read: {error}. The file is damaged."
        ) from error
    digest = hashlib.sha256(archive).hexdigest()
    if digest not in _unpacked:
        folder = tempfile.mkdtemp(prefix="compat_hub_")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        handle = f"the module in the config of {where}"
        unpack(io.BytesIO(archive), folder, handle, ArchiveLimits.from_environment())
        _unpacked[digest] = folder
    return _unpacked[digest]


def is_same_graph(folder: str, text: Any, where: str) -> bool:
    """Whether a folder has the graph of the module in a config."""
    try:
        with open(os.path.join(folder, _GRAPH), "rb") as file:
            found = file.read()
        with open(os.path.join(unpacked(text, where), _GRAPH), "rb") as file:
            return file.read() == found
    except OSError:
        return False
