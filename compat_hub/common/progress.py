"""How far a long piece of work is: a bar for a person, one line in a log."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


@contextlib.contextmanager
def progress_bar(title: str, total: int, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Shows progress on the standard error while the body runs.

    Args:
        title: What is being done.
        total: How many pieces there are.
        shown: Whether to show anything.

    Yields:
        A function to call with the number of pieces that are done further.
    """
    if not shown:
        yield lambda count: None
        return
    console = _console()
    if not console.is_terminal:
        console.print(f"{title}: {total:,}", soft_wrap=True)
        yield lambda count: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(title, total=total)
        yield lambda count: progress.advance(task, count)


class DownloadBar:
    """How far a download is: a bar with size and speed on a terminal, one line in a log.

    Args:
        title: What is downloaded.
        shown: Whether to show it: the bar, or the line on the standard error where that is no
            terminal. With None the bar is shown, and the line goes to the log.
    """

    def __init__(self, title: str, shown: bool | None = None) -> None:
        self._title = title
        self._shown = shown
        self._progress: Progress | None = None
        self._started = time.monotonic()
        self._done = 0

    def __enter__(self) -> DownloadBar:
        console = _console()
        if self._shown is not False and console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                console=console,
            )
            self._progress.start()
            self._task = self._progress.add_task(self._title, total=None)
        return self

    def update(self, done: int, total: int | None = None) -> None:
        """Shows how many bytes have come, and of how many."""
        self._done = done
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total)

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if self._progress is not None:
            self._progress.stop()
        elif error is None:
            seconds = time.monotonic() - self._started
            size, speed = decimal(self._done), decimal(int(self._done / max(seconds, 1e-3)))
            line = f"{self._title}: {size} in {seconds:.1f} s, {speed}/s"
            if self._shown:
                _console().print(line, soft_wrap=True)
            else:
                logging.getLogger("compat_hub").info("%s", line)


def _console() -> Console:
    # FORCE_COLOR, which notebooks set, makes a terminal of a pipe for colours, not for animation.
    return Console(
        file=sys.stderr,
        force_terminal=sys.stderr.isatty(),
        highlight=False,
        markup=False,
        emoji=False,
    )
