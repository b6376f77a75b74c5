"""The interface of variables, tables and assets as arguments of graph functions."""

from __future__ import annotations

import tensorflow as tf


class StateTensor:
    """A tensor that a module's state gives: a variable's handle, say."""

    def spec(self) -> tf.TensorSpec:
        """The spec of `tensor()`, which need not exist yet."""
        raise NotImplementedError

    def tensor(self) -> tf.Tensor:
        """One such tensor, with its dtype and its handle data."""
        raise NotImplementedError

    def argument(self, writes: bool) -> tf.Tensor:
        """The tensor to pass to a call in this context: eager, a tf.function, a replica."""
        del writes
        return self.tensor()

    def prepare(self, placeholder: tf.Tensor) -> None:
        """Tells the placeholder that will receive `tensor()` what it needs to know."""

    def accessed(self, watched: bool = True) -> None:
        """Reports to surrounding functions that a call uses it, and to tapes if it is watched."""

    def written(self) -> None:
        """Makes what a call has written to `argument()` known to all replicas."""
