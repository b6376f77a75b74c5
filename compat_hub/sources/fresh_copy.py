"""What to do about a module of which files are missing or damaged."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator

from compat_hub.errors import ModuleFormatError
from compat_hub.sources import archives
from compat_hub.sources.resolve import is_web_address


def fresh_copy(handle: str) -> str:
    """A sentence on where a complete copy of a module comes from.

    Args:
        handle: How messages name the module: what the user passed.
    """
    if is_web_address(handle):
        return (
            f"Remove it from the cache with `compat-hub cache clear {shlex.quote(handle)}` and "
            "load it again: then it is downloaded anew. Get a fresh copy of the module that way."
        )
    if archives.is_archive_name(handle):
        return (
            f"Get a fresh copy of the module: remove what was unpacked with `compat-hub cache "
            f"clear {shlex.quote(handle)}`, and load it again, or a complete archive."
        )
    return (
        "Get a fresh copy of the module: the whole folder from where it came from, with variables/ "
        "and assets/, or from its address on the web."
    )


@contextlib.contextmanager
def naming_fresh_copy(handle: str) -> Iterator[None]:
    """Makes errors about a module that is in the cache say how it comes anew.

    Args:
        handle: How messages name the module.
    """
    try:
        yield
    except ModuleFormatError as error:
        is_cached = is_web_address(handle) or archives.is_archive_name(handle)
        if is_cached and "compat-hub cache clear" not in str(error):
            error.args = (f"{error} {fresh_copy(handle)}",)
        raise
