"""From a handle to the module directory."""

from __future__ import annotations

import os
import re

import tensorflow as tf

from compat_hub.errors import ResolveError

_WEB_URL = re.compile(r"https?://", re.IGNORECASE)


def resolve(handle: str | os.PathLike[str]) -> str:
    """Finds the module directory that a handle leads to.

    Example:
        ```python
        compat_hub.resolve("~/modules/fruit")    # "/home/me/modules/fruit"
        ```

    Args:
        handle: A path on any filesystem of `tf.io.gfile` (local, `ram://`, `gs://`, ...); `~` and
            `file://` are understood.

    Returns:
        The path of the folder, without a trailing slash.

    Raises:
        ResolveError: There is no such folder, or the handle is a web address: download and unpack
            such a module, and pass the folder.
    """
    text = os.fspath(handle) if isinstance(handle, str | os.PathLike) else None
    if not isinstance(text, str) or not text:
        raise ResolveError(f"A handle is a non-empty string or path, found {handle!r}.")
    if _WEB_URL.match(text):
        raise ResolveError(
            f"The handle {text!r} is a web address, and this version of compat_hub reads modules "
            "from filesystems only. Download and unpack the module, then pass its folder."
        )
    path = text.removeprefix("file://")
    if "://" not in path:
        path = os.path.expanduser(path)
    path = path.rstrip("/") or path
    try:
        found = tf.io.gfile.isdir(path)
        exists = found or tf.io.gfile.exists(path)
    except (tf.errors.OpError, UnicodeError) as error:
        raise ResolveError(f"The handle {text!r} cannot be looked up: {error}") from error
    if not found:
        what = "is a file, not a folder" if exists else "does not exist"
        raise ResolveError(
            f"The handle {text!r} leads to {path!r}, which {what}. "
            "Pass the folder that holds tfhub_module.pb."
        )
    return path
