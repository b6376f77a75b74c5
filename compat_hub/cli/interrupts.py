"""What Ctrl-C does to a command."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

_STATUS = 128 + signal.SIGINT  # as a shell says it


@contextlib.contextmanager
def ended_by_interrupts() -> Iterator[None]:
    """Ends the process with one line and exit status 130 where the body is interrupted.

    Python drops a KeyboardInterrupt that comes while TensorFlow calls back into Python, such as to
    free an object. The body goes on then, and ends as if interrupted; a second Ctrl-C ends it at
    once.
    """
    count = 0

    def interrupt(*_: Any) -> None:
        nonlocal count
        count += 1
        if count > 1:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.raise_signal(signal.SIGINT)
        raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, interrupt) if is_main else None
    try:
        yield
    except KeyboardInterrupt:
        count = max(count, 1)
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before)
        if count:
            print("\nInterrupted.", file=sys.stderr)
            sys.exit(_STATUS)
