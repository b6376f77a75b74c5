"""Asset files as state: their paths are arguments of graph functions."""

from __future__ import annotations

import tensorflow as tf

from compat_hub.programs.state_tensor import StateTensor


class StateAsset(StateTensor):
    """The path of an asset file as an argument of graph functions."""

    def __init__(self, path: str) -> None:
        self.asset = tf.saved_model.Asset(path)
        if not tf.executing_eagerly():  # what writes the graph as a SavedModel takes it along
            keys = tf.compat.v1.GraphKeys
            tf.compat.v1.add_to_collection(keys.ASSET_FILEPATHS, self.asset.asset_path)

    def spec(self) -> tf.TensorSpec:
        """A string scalar."""
        return tf.TensorSpec([], tf.string)

    def tensor(self) -> tf.Tensor:
        """The path, a string scalar."""
        return self.asset.asset_path
