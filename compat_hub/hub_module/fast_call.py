"""The shortest way through a signature, for calls of small ones that nobody records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.format.tensor_info import TensorInfo
from compat_hub.programs.graph_function import GraphFunction
from compat_hub.tf_private import eager_runtime


class FastCall:
    """A call with eager tensors for all inputs, which need no conversion.

    A small signature takes some microseconds. Naming, converting and checking the inputs one after
    the other takes as long; and where the program comes back to TensorFlow late, its threads are
    asleep, and to wake them takes several times as long.

    Args:
        function: What it runs, with one argument for each input.
        inputs: What these are, all dense.
        outputs: The names of what it returns first, all dense.
    """

    def __init__(
        self, function: GraphFunction, inputs: Mapping[str, TensorInfo], outputs: Sequence[str]
    ) -> None:
        self._function = function
        self._inputs = [(name, info.dtype, info.get_shape()) for name, info in inputs.items()]
        self._outputs = tuple(outputs)

    def __call__(self, values: Any) -> dict[str, tf.Tensor] | None:
        """The outputs by name, or None where the call has to go the long way.

        Args:
            values: A dict by input name, or the only input.
        """
        if eager_runtime.may_record():
            return None
        inputs = self._inputs
        if type(values) is not dict and len(inputs) == 1:
            values = {inputs[0][0]: values}
        if type(values) is not dict or len(values) != len(inputs):
            return None
        tensors = []
        for name, dtype, shape in inputs:
            value = values.get(name)
            if (
                not eager_runtime.is_eager_tensor(value)
                or value.dtype is not dtype
                or not shape.is_compatible_with(value.shape)
            ):
                return None
            tensors.append(value)
        return dict(zip(self._outputs, self._function(tensors), strict=False))
