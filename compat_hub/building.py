"""What TensorFlow raises while it builds a graph, as an error of the module."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf
from google.protobuf.message import DecodeError

from compat_hub.errors import HubError, ModuleFormatError

# For nodes that do not fit their ops, functions that are not there, and contexts and variables in
# the collections that do not fit the nodes.
_ERRORS = (
    *(AssertionError, AttributeError, LookupError, NotImplementedError, RecursionError),
    *(TypeError, ValueError, DecodeError, tf.errors.OpError),
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
