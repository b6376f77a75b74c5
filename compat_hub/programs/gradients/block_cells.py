"""The fused recurrent cells, LSTMBlockCell and GRUBlockCell: gradients, and what they compute.

The ops, and kernels that do most of the work of their gradients, are in TensorFlow 2. The gradients
themselves were registered by tf.contrib, which is not. They are known to compat_hub alone: a graph
that leaves it has the ops that the cells are made of instead, whose gradients TensorFlow knows.
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

    The pass `inline_functions` puts the functions' bodies in the place of the calls.
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


def lstm_gradient(op: tf.Operation, *gradients: Any) -> tuple[Any, ...]:
    """The gradients of LSTMBlockCell's inputs.

    LSTMBlockCellGrad gives those of the gates and of the state before; the rest are matrix products
    with these, as in tensorflow/contrib/rnn/python/ops/lstm_ops.py of TensorFlow 1.15. Only the
    gradients of the outputs `cs` and `h` count, as there.
    """
    x, cell_before, h_before, weights, w_input, w_forget, w_output, bias = op.inputs
    i, cell, f, o, candidate, activated, h = op.outputs
    cell_gradient, h_gradient = _or_zeros(gradients[1], cell), _or_zeros(gradients[6], h)
    result = tf.raw_ops.LSTMBlockCellGrad(
        x=x,
        cs_prev=cell_before,
        h_prev=h_before,
        w=weights,
        wci=w_input,
        wcf=w_forget,
        wco=w_output,
        b=bias,
        i=i,
        cs=cell,
        f=f,
        o=o,
        ci=candidate,
        co=activated,
        cs_grad=cell_gradient,
        h_grad=h_gradient,
        use_peephole=op.get_attr("use_peephole"),
    )
    gates = result.dicfo  # the four gates beside each other: [batch, 4 * units]
    inputs = tf.concat([x, h_before], 1)
    inputs_gradient = tf.matmul(gates, weights, transpose_b=True)
    size = tf.shape(x)[1]
    return (
        inputs_gradient[:, :size],
        result.cs_prev_grad,
        inputs_gradient[:, size:],
        tf.matmul(inputs, gates, transpose_a=True),
        result.wci_grad,
        result.wcf_grad,
        result.wco_grad,
        tf.reduce_sum(gates, 0),
    )


def gru_gradient(op: tf.Operation, *gradients: Any) -> tuple[Any, ...]:
    """The gradients of GRUBlockCell's inputs.

    As in tensorflow/contrib/rnn/python/ops/gru_ops.py of TensorFlow 1.15: GRUBlockCellGrad gives
    those of the gates before their activations, and only the gradient of the output `h` counts.
    """
    x, h_before, w_gates, w_candidate, b_gates, b_candidate = op.inputs
    reset, update, candidate, h = op.outputs
    result = tf.raw_ops.GRUBlockCellGrad(
        x=x,
        h_prev=h_before,
        w_ru=w_gates,
        w_c=w_candidate,
        b_ru=b_gates,
        b_c=b_candidate,
        r=reset,
        u=update,
        c=candidate,
        d_h=_or_zeros(gradients[3], h),
    )
    inputs = tf.concat([x, h_before], 1)
    reset_inputs = tf.concat([x, h_before * reset], 1)
    return (
        result.d_x,
        result.d_h_prev,
        tf.matmul(inputs, result.d_r_bar_u_bar, transpose_a=True),
        tf.matmul(reset_inputs, result.d_c_bar, transpose_a=True),
        tf.reduce_sum(result.d_r_bar_u_bar, 0),
        tf.reduce_sum(result.d_c_bar, 0),
    )


def _or_zeros(gradient: Any, output: tf.Tensor) -> tf.Tensor:
    return tf.zeros_like(output) if gradient is None else tf.convert_to_tensor(gradient)
