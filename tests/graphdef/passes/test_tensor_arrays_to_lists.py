"""TensorArrays that cannot become TensorLists."""

from __future__ import annotations

import pytest
import tensorflow as tf

from compat_hub.graphdef.passes.tensor_arrays_to_lists import TensorArrayError, to_tensor_lists


def test_an_array_without_a_size() -> None:
    graph_def = tf.compat.v1.GraphDef()
    graph_def.node.add(name="a", op="TensorArrayV3", input=["^other"])
    graph_def.node.add(name="other", op="NoOp")
    with pytest.raises(TensorArrayError, match="'a' of type 'TensorArrayV3'"):
        to_tensor_lists(graph_def)
