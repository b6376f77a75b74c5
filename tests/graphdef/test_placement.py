from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from compat_hub.graphdef.placement import wait_for
from tests.graphdef.graphs import make_node

NODES: dict[str, Any] = {
    "x": make_node("x", "Placeholder", dtype=tf.float32),
    "enter": make_node("enter", "Enter", "x", T=tf.float32),
    "switch": make_node("switch", "Switch", "enter", "flag", T=tf.float32),
}


@pytest.mark.parametrize("tensor", ["x:0", "enter", "fed:1"])
def test_a_tensor_that_is_where_its_node_is(tensor: str) -> None:
    assert wait_for(tensor, NODES, "here") == (f"^{tensor.partition(':')[0]}", [])


@pytest.mark.parametrize(
    ("dtype", "expected"), [(None, tf.float32), (tf.variant.as_datatype_enum, tf.variant)]
)
def test_a_tensor_in_a_branch(dtype: Any, expected: tf.DType) -> None:
    wait, (identity,) = wait_for("switch:1", NODES, "here", dtype)
    assert wait == "^here"
    assert identity == make_node("here", "Identity", "switch:1", T=expected)
