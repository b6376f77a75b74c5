"""How far a long piece of work is: a bar for a person, one line in a log."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


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
    console = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.print(f"{title}: {total:,}", soft_wrap=True)
        yield lambda count: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(title, total=total)
        yield lambda count: progress.advance(task, count)
