"""Marks by which AutoGraph and tf.function treat a Python function.

All of it was seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf
from tensorflow.python.autograph.core import ag_ctx, converter
from tensorflow.python.autograph.impl import api as autograph
from tensorflow.python.eager import (
    context,
)

_T = TypeVar("_T")


def as_called_here(function: Callable[..., _T]) -> Callable[..., _T]:
    """The function for other threads, where it runs eagerly, and on the device of this one's scope.

    A thread that is new has no device scope, and builds graphs where the program has disabled
    eager execution.
    """
    runtime: Any = context.context()
    device = runtime.device_name or None

    def call(*args: Any) -> _T:
        with context.eager_mode(), tf.device(device):
            return function(*args)

    return call


def unconverted(method: Any) -> Any:
    """A method that AutoGraph leaves alone, and what it calls.

    `do_not_convert` does so in eager calls, too, which need it not, and where it takes longer than
    a small function does.
    """
    inside = tf.autograph.experimental.do_not_convert(method)

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        return (method if context.executing_eagerly() else inside)(*args, **kwargs)

    return autograph.autograph_artifact(call)


def call_converted(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls a function; in a graph AutoGraph converts it, whatever is around.

    So conditions on tensors become `tf.cond`, as in a layer of tf_keras. Keras 3 switches AutoGraph
    off for its layers.
    """
    if context.executing_eagerly():
        return function(*args, **kwargs)
    options = converter.ConversionOptions(recursive=True, user_requested=True)
    with ag_ctx.ControlStatusCtx(status=ag_ctx.Status.ENABLED, options=options):
        return autograph.converted_call(function, args, kwargs, options=options)
