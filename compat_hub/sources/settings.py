"""What the environment says of the cache, of downloads, of archives and of constants."""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import dataclass

from compat_hub.errors import ResolveError

LOAD_FORMATS = ("AUTO", "COMPRESSED", "UNCOMPRESSED")


def cache_folder() -> str:
    """The folder of the cache: `TFHUB_CACHE_DIR`, or `tfhub_modules` in the temporary folder.

    Example:
        ```python
        cache_folder()    # "/tmp/tfhub_modules"
        ```

    Returns:
        An absolute local path, or a path on another filesystem of `tf.io.gfile`.
    """
    found = os.environ.get("TFHUB_CACHE_DIR") or os.path.join(
        tempfile.gettempdir(), "tfhub_modules"
    )
    found = found.removeprefix("file://")
    return found.rstrip("/") if "://" in found else os.path.abspath(found)


def names_cache() -> bool:
    """Whether it is `TFHUB_CACHE_DIR` that says where the cache is: then others may write to it."""
    return bool(os.environ.get("TFHUB_CACHE_DIR"))


def load_format() -> str:
    """How modules of a hosting server are read: `TFHUB_MODEL_LOAD_FORMAT`, AUTO where not set.

    Raises:
        ResolveError: It is none of `LOAD_FORMATS`.
    """
    found = os.environ.get("TFHUB_MODEL_LOAD_FORMAT") or "AUTO"
    if found not in LOAD_FORMATS:
        raise ResolveError(
            f"The environment variable TFHUB_MODEL_LOAD_FORMAT is {found!r}. "
            f"Set it to {', '.join(LOAD_FORMATS[:-1])} or {LOAD_FORMATS[-1]}, or remove it."
        )
    return found


def checks_certificates() -> bool:
    """Whether a server has to prove who it is: `TFHUB_DISABLE_CERT_VALIDATION` is not `true`."""
    return os.environ.get("TFHUB_DISABLE_CERT_VALIDATION") != "true"


def wants_progress() -> bool | None:
    """Whether progress is shown, by `TFHUB_DOWNLOAD_PROGRESS`; None where it does not say."""
    found = os.environ.get("TFHUB_DOWNLOAD_PROGRESS", "")
    return found.lower() not in {"0", "false", "off", "no"} if found else None


def digest_file() -> str | None:
    """The file of known digests, `COMPAT_HUB_DIGESTS`."""
    return os.environ.get("COMPAT_HUB_DIGESTS") or None


@dataclass(frozen=True)
class WebLimits:
    """How long a download is tried.

    Attributes:
        timeout: Seconds without an answer, or with hardly a byte of it, until the server is taken
            to have stalled: `COMPAT_HUB_TIMEOUT`.
        retries: How often a download is tried again: `COMPAT_HUB_RETRIES`.
    """

    timeout: float
    retries: float

    @classmethod
    def from_environment(cls) -> WebLimits:
        """The limits that the environment sets, and defaults for the others."""
        return cls(_number("COMPAT_HUB_TIMEOUT", 20, 0.01), _number("COMPAT_HUB_RETRIES", 4, 0))


@dataclass(frozen=True)
class ArchiveLimits:
    """How large a module may be.

    Attributes:
        size: Bytes, of the archive and of what is in it: `COMPAT_HUB_MAX_BYTES`.
        entries: Files and folders: `COMPAT_HUB_MAX_FILES`.
        ratio: Bytes for each byte of the archive, once there are more than 64 MiB:
            `COMPAT_HUB_MAX_RATIO`.
    """

    size: float
    entries: float
    ratio: float

    @classmethod
    def from_environment(cls) -> ArchiveLimits:
        """The limits that the environment sets, and defaults for the others."""
        return cls(
            _number("COMPAT_HUB_MAX_BYTES", 32 * 2**30, 1),
            _number("COMPAT_HUB_MAX_FILES", 10_000, 1),
            _number("COMPAT_HUB_MAX_RATIO", 200, 1),
        )


def most_constant_bytes() -> float:
    """What constants of a graph may take in memory beyond what they have in the file.

    `COMPAT_HUB_MAX_CONSTANT_BYTES`; by default 256 MiB.
    """
    return _number("COMPAT_HUB_MAX_CONSTANT_BYTES", 2**28, 0)


def lock_timeout() -> float:
    """Seconds without progress until a download by another process is taken to be abandoned.

    `COMPAT_HUB_LOCK_TIMEOUT`; by default 600, as in tensorflow_hub.
    """
    return _number("COMPAT_HUB_LOCK_TIMEOUT", 600, 0.01)


def _number(name: str, default: float, least: float) -> float:
    text = os.environ.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value >= least:
        raise ResolveError(
            f"The environment variable {name} is {text!r}. "
            f"Set it to a number of at least {least:g}, or remove it."
        )
    return value
