"""Gradients under names of compat_hub's own, each registered once in a process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import tensorflow as tf

registered: dict[str, Callable[..., Any]] = {}
_lock = threading.RLock()  # a gradient function may call one with a gradient of its own


class LostGradientWarning(UserWarning):
    """A node's own gradient is not in the module; the derivative of what it computes is used."""


def register(name: str, make: Callable[[], Callable[..., Any]]) -> None:
    """Registers a gradient, once in a process."""
    with _lock:
        if name in registered:
            return
        registered[name] = lambda *_: None  # what make() needs may need this one
        registered[name] = tf.RegisterGradient(name)(make())
