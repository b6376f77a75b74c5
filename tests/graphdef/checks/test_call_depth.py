"""How deep functions call each other."""

from __future__ import annotations

import pytest
import tensorflow as tf

from compat_hub.graphdef.checks.call_depth import find_deep_call


def _chain(depth: int, by_op: bool, width: int = 1) -> tf.compat.v1.GraphDef:
    graph_def = tf.compat.v1.GraphDef()
    for k in range(depth):
        function = graph_def.library.function.add()
        function.signature.name = f"f{k}"
        for n in range(width if k else 0):
            node = function.node_def.add(name=f"n{n}", op="PartitionedCall")
            if by_op:
                node.op = f"f{k - 1}"
            else:
                node.attr["f"].func.name = f"f{k - 1}"
        function.node_def.add(name="other", op="NoOp")
    return graph_def


@pytest.mark.parametrize("by_op", [True, False])
@pytest.mark.parametrize("width", [1, 2])
def test_chains(by_op: bool, width: int) -> None:
    assert find_deep_call(_chain(64, by_op, width)) is None
    message = find_deep_call(_chain(65, by_op, width)) or ""
    assert "'f64' calls others, and these more, over 65 levels" in message
    assert find_deep_call(_chain(3000, by_op, width)) is not None


def test_many_functions_that_do_not_call_each_other() -> None:
    graph_def = tf.compat.v1.GraphDef()
    for k in range(200):
        graph_def.library.function.add().signature.name = f"f{k}"
    assert find_deep_call(graph_def) is None
