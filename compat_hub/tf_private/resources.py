"""Resources of the runtime as Python objects (`tensorflow.python.trackable.resource`).

TensorFlow asks such an object what to do by methods with private names. Here they call methods with
names of our own, which subclasses in other rooms have. All of it was seen in TensorFlow 2.16.2 and
2.21.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow.python.trackable import resource as tracking_resource

# `TrackableResource` is public; tf_keras' `Model.export` lists those of this class, or of
# `tf.lookup`, and no others.
_Base: Any = tracking_resource.RestoredResource


class ResourceObject(_Base):
    """A resource that TensorFlow creates at its first use, and in each loaded SavedModel."""

    def create_handle(self) -> tf.Tensor:
        """Makes the resource and gives its handle."""
        raise NotImplementedError

    def fill(self) -> None:
        """Gives the resource its content; in a loaded SavedModel this runs after its creation."""
        raise NotImplementedError

    def _create_resource(self) -> tf.Tensor:
        return self.create_handle()

    def _initialize(self) -> None:
        self.fill()


class ResourceWithContent(ResourceObject):
    """A resource whose content is in checkpoints and SavedModels."""

    def content(self) -> dict[str, tf.Tensor]:
        """The tensors that the resource consists of, by name."""
        raise NotImplementedError

    def set_content(self, content: Mapping[str, tf.Tensor]) -> Any:
        """Replaces the content by what `content` gave; gives the op."""
        raise NotImplementedError

    def _serialize_to_tensors(self) -> dict[str, tf.Tensor]:
        return self.content()

    def _restore_from_tensors(self, restored_tensors: Mapping[str, tf.Tensor]) -> Any:
        return self.set_content(restored_tensors)
