"""The shortest way through a signature: eager tensors in, eager tensors out, and no tape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from compat_hub.format.tensor_info import TensorInfo
from compat_hub.programs.graph_function import GraphFunction
from compat_hub.tf_private import eager_runtime


class FastCall:
    """A call with eager tensors for all inputs, which need no conversion.

    A small signature takes some microseconds, and so do naming, converting and checking its inputs.
    If the program returns to TensorFlow late, TensorFlow's threads have gone to sleep, and waking
    them takes several times as long as the call.

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
