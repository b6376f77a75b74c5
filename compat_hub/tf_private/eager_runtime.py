"""The eager runtime: what records, which threads a fork lost, seeds (`tensorflow.python.eager`).

All of it was seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

import os
from typing import Any, TypeGuard

import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import (
    context,
    record,
)
from tensorflow.python.framework import (
    ops,
)


def seed_epoch() -> Any:
    """An object that is another one after each `tf.random.set_seed`, None before the first."""
    current: Any = context.context()
    return None if context.global_seed() is None else current._rng


def operation_seed() -> int:
    """The next seed that follows from `tf.random.set_seed`, as an eager random op takes it."""
    return context.internal_operation_seed()


def is_eager_tensor(value: Any) -> TypeGuard[tf.Tensor]:
    """Whether it is a tensor with a value, and nothing that is to be converted to one."""
    return type(value) is ops.EagerTensor


def may_record() -> bool:
    """Whether a tape, or a function that is being built, may record what runs."""
    return not context.executing_eagerly() or record.could_possibly_record()


def is_recording_stopped() -> bool:
    """Whether tapes look away, as while `tf.recompute_grad` notes which variables a call uses."""
    return pywrap_tfe.TFE_Py_TapeSetIsStopped()


class _Fork:
    """Notes a fork: the child process has none of the runtime's threads."""

    lost_threads = False

    @classmethod
    def in_child(cls) -> None:
        """Notes whether the parent had started it."""
        runtime = context._context
        cls.lost_threads = runtime is not None and runtime._initialized


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Fork.in_child)


def lost_threads() -> bool:
    """Whether functions would wait for ever for threads that only the parent process has."""
    return _Fork.lost_threads and ops.executing_eagerly_outside_functions()
