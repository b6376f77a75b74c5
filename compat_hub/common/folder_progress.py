"""How much of a large model is written: what is in its folder so far."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from compat_hub.common.progress import progress_bar

_MEGABYTE = 2**20
_LARGE = 100 * _MEGABYTE  # written within a second
_INTERVAL_S = 0.2


def byte_size(variables: Iterable[Any]) -> int:
    """How many bytes `tf.Variable`s take, those of unknown shape not counted."""
    return sum((v.shape.num_elements() or 0) * v.dtype.size for v in variables)


@contextlib.contextmanager
def folder_progress(folder: str, expected: int) -> Iterator[None]:
    """Shows, for large models, how much the body has written into a folder.

    TensorFlow writes a checkpoint in one call, which does not report progress.

    Args:
        folder: The folder; it may not be there yet.
        expected: How many bytes there will be.
    """
    done = threading.Event()
    shown = expected >= _LARGE
    total = expected // _MEGABYTE
    with progress_bar("Writing weights, MB", total, shown=shown) as advance:
        watcher = threading.Thread(target=_watch, args=(folder, total, advance, done), daemon=True)
        # Listing the files of an object store takes long, and shows them when they are complete.
        is_watched = shown and "://" not in folder
        if is_watched:
            watcher.start()
        try:
            yield
        finally:
            done.set()
            if is_watched:
                watcher.join()


def _watch(folder: str, total: int, advance: Callable[[int], None], done: threading.Event) -> None:
    shown = 0
    while not done.wait(_INTERVAL_S):
        found = min(_size(folder) // _MEGABYTE, total)
        advance(max(found - shown, 0))
        shown = max(found, shown)
    advance(total - shown)


def _size(folder: str) -> int:
    """How many bytes the files in a folder have by now; they come and go."""
    size = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.path.getsize(os.path.join(path, name))
    return size
