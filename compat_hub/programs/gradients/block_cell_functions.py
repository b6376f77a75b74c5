"""The fused recurrent cells as functions of ordinary ops.

The gradients of LSTMBlockCell and GRUBlockCell are known to compat_hub alone. A graph that leaves
it has the ops that the cells are made of instead, whose gradients TensorFlow knows.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compat_hub.graphdef.passes.ops_to_functions import substitute
from compat_hub.programs.missing_ops.functions import Computation, as_library, dtype_of

_OUTPUTS = {
    "GRUBlockCell": ["r", "u", "c", "h"],
    "LSTMBlockCell": ["i", "cs", "f", "o", "ci", "co", "h"],
}


def expand_block_cells(graph_def: Any) -> None:
    """Makes fused cells calls of functions in the graph's library, in place.

    `graph.inline` puts the functions' bodies in the place of the calls.
    """
    substitute(graph_def, _function_of)


def _function_of(node: Any) -> Any:
    if node.op not in _OUTPUTS:
        return None
    dtype = dtype_of(node)
    names, ranks, compute = (_lstm if node.op == "LSTMBlockCell" else _gru)(node.attr)
    specs = [
        tf.TensorSpec([None] * rank, dtype, name) for name, rank in zip(names, ranks, strict=True)
    ]
    return as_library(Computation(specs, _OUTPUTS[node.op], compute))


def _lstm(attr: Any) -> tuple[list[str], list[int], Any]:
    """The formulas are those in the op's documentation: tf.raw_ops.LSTMBlockCell."""
    peephole = attr["use_peephole"].b
    # TensorFlow's defaults, where a graph without default values leaves these out.
    forget_bias = attr["forget_bias"].f if "forget_bias" in attr else 1.0
    clip = attr["cell_clip"].f if "cell_clip" in attr else 3.0

    def cell(x: Any, before: Any, h: Any, w: Any, wci: Any, wcf: Any, wco: Any, b: Any) -> Any:
        gates = tf.nn.bias_add(tf.matmul(tf.concat([x, h], 1), w), b)
        i, candidate, f, o = tf.split(gates, 4, axis=1)
        f += tf.cast(forget_bias, f.dtype)
        if peephole:
            i, f = i + before * wci, f + before * wcf
        i, f, candidate = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(candidate)
        state = candidate * i + before * f
        if clip > 0:  # the op's gradient does not see the clipping
            bound = tf.cast(clip, state.dtype)
            state += tf.stop_gradient(tf.clip_by_value(state, -bound, bound) - state)
        o = tf.sigmoid(o + state * wco if peephole else o)
        activated = tf.tanh(state)
        return i, state, f, o, candidate, activated, activated * o

    names = ["x", "cs_prev", "h_prev", "w", "wci", "wcf", "wco", "b"]
    return names, [2, 2, 2, 2, 1, 1, 1, 1], cell


def _gru(_: Any) -> tuple[list[str], list[int], Any]:
    """The formulas are those in the op's documentation: tf.raw_ops.GRUBlockCell."""

    def cell(x: Any, h: Any, w_gates: Any, w_candidate: Any, b_gates: Any, b_candidate: Any) -> Any:
        gates = tf.nn.bias_add(tf.matmul(tf.concat([x, h], 1), w_gates), b_gates)
        reset, update = tf.split(tf.sigmoid(gates), 2, axis=1)
        inputs = tf.concat([x, h * reset], 1)
        candidate = tf.tanh(tf.nn.bias_add(tf.matmul(inputs, w_candidate), b_candidate))
        return reset, update, candidate, (1 - update) * candidate + update * h

    return ["x", "h_prev", "w_ru", "w_c", "b_ru", "b_c"], [2, 2, 2, 2, 1, 1], cell
