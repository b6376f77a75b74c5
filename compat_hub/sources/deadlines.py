"""Connections on which an answer's headers have to be there by a time.

A socket's timeout is for each piece of data: a server that sends a byte now and then never meets
it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import requests.adapters


class DeadlineAdapter(requests.adapters.HTTPAdapter):
    """What a session of requests sends requests through.

    Args:
        seconds: How long it may take to connect, and again until the headers are there.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        super().__init__()

    # Which of the two is called depends on the version of requests.
    def get_connection(self, *args: Any, **kwargs: Any) -> Any:
        return self._limited(super().get_connection(*args, **kwargs))

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        return self._limited(super().get_connection_with_tls_context(*args, **kwargs))

    def _limited(self, pool: Any) -> Any:
        if not hasattr(pool.ConnectionCls, "compat_hub_deadline"):
            pool.ConnectionCls = _with_deadline(pool.ConnectionCls, self._seconds)
        return pool


def _with_deadline(base: Any, seconds: float) -> Any:
    class Connection(base):
        compat_hub_deadline = seconds

        def connect(self) -> Any:
            with _deadline(self, seconds):
                return super().connect()

        def getresponse(self, *args: Any, **kwargs: Any) -> Any:
            with _deadline(self, seconds):
                return super().getresponse(*args, **kwargs)

    return Connection


@contextlib.contextmanager
def _deadline(connection: Any, seconds: float) -> Iterator[None]:
    """Ends the connection when the time is over, and says that it was a timeout."""
    over = threading.Event()

    def end() -> None:
        over.set()
        with contextlib.suppress(AttributeError, OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if over.is_set():
            raise TimeoutError(f"nothing complete in {seconds:g} s") from error
        raise
    finally:
        timer.cancel()
    if over.is_set():
        raise TimeoutError(f"nothing complete in {seconds:g} s")
