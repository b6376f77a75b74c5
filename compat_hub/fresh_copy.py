"""What to do about a module of which files are missing or damaged."""

from __future__ import annotations

import shlex

from compat_hub._resolve import is_web_address
from compat_hub.cache import archives


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
