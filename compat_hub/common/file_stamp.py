"""Whether files are still what they were."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

# Within so many nanoseconds a file may change twice without its times telling.
_CLOCK = 100_000_000


def file_stamp(paths: Iterable[str]) -> tuple[tuple[int, ...], ...] | None:
    """What changes when one of these local files does, or when another takes its place.

    Example:
        ```python
        before = file_stamp(["module/saved_model.pb"])
        unchanged = before is not None and file_stamp(["module/saved_model.pb"]) == before
        ```

    Args:
        paths: The files.

    Returns:
        A stamp to compare, or None where that would not tell: the file is not on the local
        filesystem, is missing, or was changed a moment ago.
    """
    stamps = []
    for path in paths:
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) < _CLOCK:
            return None
        stamps.append(
            (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        )
    return tuple(stamps)
