"""The ops that get a gradient of compat_hub, since TensorFlow 2 has none that works for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import tensorflow as tf

from compat_hub.graphdef.passes.inline_functions import CUSTOM_GRADIENT_ATTR
from compat_hub.programs.gradients import block_cells, tensor_arrays

_GRADIENTS: Mapping[str, Callable[..., Any]] = {
    "GRUBlockCell": block_cells.gru_gradient,
    "LSTMBlockCell": block_cells.lstm_gradient,
    **dict.fromkeys(tensor_arrays.OPS, tensor_arrays.tensor_array_gradient),
}
# In a graph function there are lists in the place of TensorArrays.
IN_FUNCTIONS = _GRADIENTS.keys() - {*tensor_arrays.OPS}
IN_GRAPHS = frozenset(_GRADIENTS)


def gradient_name(op: str) -> str:
    """The name under which the gradient of an op is registered; written SavedModels have it."""
    return f"CompatHub_{op}"


def name_gradients(graph_def: Any, ops: Collection[str]) -> None:
    """Names the gradients of nodes of some ops at these nodes, in place."""
    for node in graph_def.node:
        if node.op in ops and CUSTOM_GRADIENT_ATTR not in node.attr:
            node.attr[CUSTOM_GRADIENT_ATTR].s = gradient_name(node.op).encode()


for _op, _gradient in _GRADIENTS.items():
    tf.RegisterGradient(gradient_name(_op))(_gradient)
