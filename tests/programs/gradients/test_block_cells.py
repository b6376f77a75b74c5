"""The expanded cells against the fused ops and the kernels of their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from compat_hub.graphdef.passes.inline_functions import inline_calls
from compat_hub.programs.gradients.block_cells import expand_block_cells
from compat_hub.programs.gradients.table import IN_FUNCTIONS, name_gradients
from compat_hub.tf_private import op_registry
from tests.graphdef.graphs import make_graph, make_node, placeholder

_BATCH, _INPUTS, _UNITS = 3, 4, 5


def _values(*shapes: list[int], scale: float) -> list[tf.Tensor]:
    random = np.random.default_rng(1)
    return [tf.constant(scale * random.normal(size=shape), tf.float32) for shape in shapes]


_LSTM = (
    ["x", "cs_prev", "h_prev", "w", "wci", "wcf", "wco", "b"],
    [
        [_BATCH, _INPUTS],
        [_BATCH, _UNITS],
        [_BATCH, _UNITS],
        [_INPUTS + _UNITS, 4 * _UNITS],
        *([[_UNITS]] * 3),
        [4 * _UNITS],
    ],
)
_GRU = (
    ["x", "h_prev", "w_ru", "w_c", "b_ru", "b_c"],
    [
        [_BATCH, _INPUTS],
        [_BATCH, _UNITS],
        [_INPUTS + _UNITS, 2 * _UNITS],
        [_INPUTS + _UNITS, _UNITS],
        [2 * _UNITS],
        [_UNITS],
    ],
)


def _graph(op: str, names: list[str], attrs: dict[str, Any]) -> Any:
    node = make_node("cell", op, *names, T=tf.float32, **attrs)
    for name in ("forget_bias", "cell_clip"):
        if name in node.attr:
            node.attr[name].f = attrs[name]
    return make_graph(*map(placeholder, names), node)


def _function(graph_def: Any, names: list[str], outputs: list[int]) -> Callable[..., Any]:
    def run(*tensors: tf.Tensor) -> Any:
        return tf.graph_util.import_graph_def(
            graph_def,
            input_map={f"{n}:0": t for n, t in zip(names, tensors, strict=True)},
            return_elements=[f"cell:{k}" for k in outputs],
            name="",
        )

    specs = [tf.TensorSpec(None, tf.float32)] * len(names)
    return tf.compat.v1.wrap_function(run, specs)


def _pair(
    op: str, names: list[str], attrs: dict[str, Any], outputs: list[int]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The fused cell, and the one of ordinary ops."""
    fused = _graph(op, names, attrs)
    name_gradients(fused, IN_FUNCTIONS)
    expanded = _graph(op, names, attrs)
    expand_block_cells(expanded)
    expanded = inline_calls(expanded, op_registry.op_def, lambda *_: "")
    assert op not in {node.op for node in expanded.node}
    assert not any(node.op.startswith("CompatHub") for node in expanded.node)
    return _function(fused, names, outputs), _function(expanded, names, outputs)


def _check(
    op: str,
    cell: tuple[list[str], list[list[int]]],
    attrs: dict[str, Any],
    outputs: int,
    scale: float,
    differentiated: list[int],
) -> list[tf.Tensor]:
    names, shapes = cell
    values = _values(*shapes, scale=scale)
    fused, expanded = _pair(op, names, attrs, list(range(outputs)))
    found = [function(*values) for function in (fused, expanded)]
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    gradients = []
    for function in fused, expanded:
        with tf.GradientTape() as tape:
            tape.watch(values)
            results = function(*values)
            factors = _values(*(r.shape for r in results), scale=1.0)
            loss = tf.add_n([tf.reduce_sum(results[k] * factors[k]) for k in differentiated])
        gradients.append(tape.gradient(loss, values, unconnected_gradients="zero"))
    for name, a, b in zip(names, *gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=name)
    return found[0]


@pytest.mark.parametrize("peephole", [False, True], ids=["plain", "peephole"])
@pytest.mark.parametrize("clip", [-1.0, 0.4, 3.0])
def test_lstm(peephole: bool, clip: float) -> None:
    attrs = {"forget_bias": 0.5, "cell_clip": clip, "use_peephole": peephole}
    # The op's outputs are i, cs, f, o, ci, co, h; the gradients are those of cs and h.
    outputs = _check("LSTMBlockCell", _LSTM, attrs, 7, 1.0, [1, 6])
    largest = float(tf.reduce_max(tf.abs(outputs[1])))
    assert largest == pytest.approx(clip) if clip == 0.4 else largest > 0.4


def test_lstm_with_the_defaults_of_the_op() -> None:
    # As where a tool stripped the attributes that have their default: bias 1, clipped at 3.
    outputs = _check("LSTMBlockCell", _LSTM, {"use_peephole": False}, 7, 3.0, [1, 6])
    assert float(tf.reduce_max(tf.abs(outputs[1]))) == pytest.approx(3.0)


def test_gru() -> None:
    _check("GRUBlockCell", _GRU, {}, 4, 1.0, [3])


def test_cells_of_one_kind_share_a_function() -> None:
    names, _ = _GRU
    cells = [make_node(f"cell_{k}", "GRUBlockCell", *names, T=tf.float32) for k in range(3)]
    graph_def = make_graph(*map(placeholder, names), *cells)
    expand_block_cells(graph_def)
    assert len(graph_def.library.function) == 1
    assert {n.op for n in graph_def.node[-3:]} == {graph_def.library.function[0].signature.name}


def test_cells_of_other_attributes_do_not() -> None:
    names, _ = _LSTM
    graph_def = make_graph(*map(placeholder, names))
    for peephole in False, True, False:
        node = make_node("", "LSTMBlockCell", *names, T=tf.float32, use_peephole=peephole)
        node.name = f"cell_{len(graph_def.node)}"
        graph_def.node.append(node)
    expand_block_cells(graph_def)
    ops = [n.op for n in graph_def.node[-3:]]
    assert len(graph_def.library.function) == 2
    assert ops[0] == ops[2] != ops[1]


def test_cells_in_functions_are_expanded_too() -> None:
    names, _ = _GRU
    graph_def = make_graph(placeholder("x"))
    function = graph_def.library.function.add()
    function.signature.name = "step"
    function.node_def.append(make_node("cell", "GRUBlockCell", *names, T=tf.float32))
    expand_block_cells(graph_def)
    assert not any(node.op.endswith("BlockCell") for node in function.node_def)
    assert any(node.op == "MatMul" for node in function.node_def)
