"""What TensorFlow raises while it builds a graph or its gradient, as an error of the module.

And where it would raise nothing and wait for ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf
from google.protobuf.message import DecodeError

from compat_hub.errors import GraphError, HubError, ModuleFormatError
from compat_hub.tf_private import eager_runtime, gradient_registry

# For nodes that do not fit their ops, functions that are not there, and contexts and variables in
# the collections that do not fit the nodes.
_ERRORS = (
    *(AssertionError, AttributeError, LookupError, NotImplementedError, RecursionError),
    *(TypeError, ValueError, DecodeError, tf.errors.OpError),
)


def check_process() -> None:
    """Checks that TensorFlow can run functions in this process.

    Raises:
        GraphError: It cannot: the process was forked from one that had used TensorFlow.
    """
    if eager_runtime.lost_threads():
        raise GraphError(
            "This process was forked from one that had used TensorFlow, whose threads a fork does "
            "not have: a call would wait for ever. Start processes by 'spawn', with "
            'multiprocessing.get_context("spawn"), and call compat_hub.load() in the child; or '
            "fork before anything of TensorFlow runs, the loading of modules included."
        )


@contextlib.contextmanager
def building(where: str) -> Iterator[None]:
    """Makes errors those of the module whose graph is built; `where` is how messages name it.

    Raises:
        ModuleFormatError: TensorFlow cannot build the graph.
    """
    try:
        yield
    except HubError:
        raise
    except _ERRORS as error:
        raise ModuleFormatError(
            f"In {where}: TensorFlow {tf.__version__} cannot build the graph "
            f"({type(error).__name__}): {error}. If other modules work, this one is damaged; get a "
            "fresh copy of it."
        ) from error


@contextlib.contextmanager
def differentiating(where: str) -> Iterator[None]:
    """Makes errors those of the module, if TensorFlow raises them while it builds a gradient.

    A call under a tape builds it. What the call itself raises passes, and so does the LookupError
    that TensorFlow raises for an op without a gradient.

    Args:
        where: How messages name the module.

    Raises:
        ModuleFormatError: TensorFlow cannot build the gradient.
    """
    try:
        yield
    except HubError:
        raise
    except _ERRORS as error:
        if type(error) is LookupError or not gradient_registry.is_of_gradients(error):
            raise
        raise ModuleFormatError(
            f"In {where}: TensorFlow {tf.__version__} cannot build the gradient of the graph "
            f"({type(error).__name__}): {error}. Call it outside of a gradient tape, or use a "
            "layer with trainable=False. If other modules train, this one is damaged; get a fresh "
            "copy of it."
        ) from error
