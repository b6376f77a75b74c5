"""Every use of a private name of tf_keras.

All of it was seen in TensorFlow 2.16.2 and 2.21.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow.python.saved_model import save_context
from tensorflow.python.util import tf_inspect

from compat_hub.keras_layers.weights_file import find_local
from compat_hub.tf_private.tracking import untracked


def has_training_argument(function: Any) -> bool:
    """Whether a callable takes `training`; `inspect` does not see through loaded functions."""
    for found in (function, function.__call__):
        try:
            spec = tf_inspect.getfullargspec(found)
        except TypeError:  # an object, whose __call__ comes next
            continue
        if "training" in (*spec.args, *spec.kwonlyargs):
            return True
    return False


def weights_file() -> Any:
    """The HDF5 file that weights are being read from, None where it is not known."""
    return getattr(find_local("tf_keras.src.saving.saving_lib", "weights_store"), "h5_file", None)


def older_file() -> Any:
    """The `.h5` file that layers are being made for, None where there is none."""
    return find_local("tf_keras.src.saving.legacy.hdf5_format", "f")


class AdoptedWeights:
    """What a Keras layer inherits from to have weights that it did not make.

    `add_weight` would put each into checkpoints once more, under the name that it has by chance.
    """

    @untracked
    def adopt_weights(
        self, trainable: Mapping[str, tf.Variable], frozen: Mapping[str, tf.Variable]
    ) -> None:
        """Makes variables weights of the layer; called again, it says anew which of them train.

        The weights that a subclass made stay, behind those.
        """
        before = getattr(self, "_adopted_weights", {}).values()
        ids = {id(v) for v in before}
        own = [
            [v for v in weights if id(v) not in ids]
            for weights in (self._trainable_weights, self._non_trainable_weights)
        ]
        self._adopted_weights = {**trainable, **frozen}
        self._trainable_weights = [*trainable.values(), *own[0]]
        self._non_trainable_weights = [*frozen.values(), *own[1]]

    def added_weights(self) -> list[tf.Variable]:
        """The weights that the layer has besides, as a subclass adds them."""
        known = {id(v) for v in self._adopted_weights.values()}
        weights = self._trainable_weights + self._non_trainable_weights
        return [v for v in weights if id(v) not in known]

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> dict[str, Any]:
        """Adds the weights to what is in a SavedModel.

        Where Keras loads one without the layer's class, the variables among the layer's attributes
        become its weights, and train if they say so.
        """
        parent: Any = super()
        children = parent._trackable_children(save_type, **kwargs)
        if save_type == "savedmodel":
            # No attribute has such a name.
            children.update({f"{name}:0": v for name, v in self._adopted_weights.items()})
            for variable in self._trainable_weights:
                _TrainableVote.cast(variable, True)
            for variable in self._non_trainable_weights:
                _TrainableVote.cast(variable, False)
        return children

    def _lookup_dependency(self, name: str, *args: Any) -> Any:
        """Finds the weights when a SavedModel is loaded into the layer."""
        parent: Any = super()
        found = parent._lookup_dependency(name, *args)
        return self._adopted_weights.get(name.removesuffix(":0")) if found is None else found


class _TrainableVote:
    """Whether the SavedModel that is being written has a variable as a trainable one.

    It does if some layer trains it. The variable itself cannot tell: a layer may freeze variables
    that the module trains. It takes the place of the variable's own method for one save.
    """

    def __init__(self, variable: Any) -> None:
        self.variable = variable
        self.save = save_context.get_save_options()
        self.trains = False

    @classmethod
    def cast(cls, variable: Any, trains: bool) -> None:
        """Adds a layer's vote."""
        if not save_context.in_save_context():
            return
        vote = vars(variable).get("_write_object_proto")
        if vote is None or vote.save is not save_context.get_save_options():
            vote = variable._write_object_proto = cls(variable)
        vote.trains |= trains

    def __call__(self, proto: Any, options: Any) -> None:
        del self.variable._write_object_proto
        self.variable._write_object_proto(proto, options)
        if options is self.save and not self.trains:
            proto.variable.trainable = False
