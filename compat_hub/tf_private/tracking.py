"""The children of trackable objects (`tensorflow.python.trackable`).

All of it was seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

from typing import Any

from tensorflow.python.trackable import base as tracking_base
from tensorflow.python.trackable import data_structures as tracking_structures


def untracked(method: Any) -> Any:
    """Keeps what a Keras layer's method assigns to attributes out of its weights and children."""
    return tracking_base.no_automatic_dependency_tracking(method)


def track(owner: Any, value: Any, name: str) -> None:
    """Makes an object, or a list of them, a part of another that checkpoints and SavedModels see.

    A Keras layer also takes the variables of what is assigned to its attributes for its weights.
    """
    tracked = tracking_structures.wrap_or_unwrap(value)
    if isinstance(tracked, tracking_base.Trackable):
        owner._track_trackable(tracked, name)
