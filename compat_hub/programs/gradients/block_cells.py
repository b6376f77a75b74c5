"""Gradients of the fused recurrent cells.

The ops LSTMBlockCell and GRUBlockCell, and kernels that do most of the work of their gradients, are
in TensorFlow 2. The gradients themselves were registered by tf.contrib, which is not.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from compat_hub.graphdef.passes.inline_functions import CUSTOM_GRADIENT_ATTR

_GRADIENTS = {
    "GRUBlockCell": "CompatHub_GRUBlockCell",
    "LSTMBlockCell": "CompatHub_LSTMBlockCell",
}


def add_block_cell_gradients(graph_def: Any) -> None:
    """Names the gradients of fused cells at their nodes, in place."""
    for node in graph_def.node:
        if node.op in _GRADIENTS and CUSTOM_GRADIENT_ATTR not in node.attr:
            node.attr[CUSTOM_GRADIENT_ATTR].s = _GRADIENTS[node.op].encode()


@tf.RegisterGradient(_GRADIENTS["LSTMBlockCell"])
def _lstm_block_cell_gradient(op: tf.Operation, *gradients: Any) -> tuple[Any, ...]:
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


@tf.RegisterGradient(_GRADIENTS["GRUBlockCell"])
def _gru_block_cell_gradient(op: tf.Operation, *gradients: Any) -> tuple[Any, ...]:
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
