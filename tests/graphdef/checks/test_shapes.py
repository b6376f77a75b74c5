from __future__ import annotations

import pytest
import tensorflow as tf

from compat_hub.graphdef.checks.shapes import find_bad_shape, is_shape


@pytest.mark.parametrize("sizes", [[], [0], [2, 3], [2**62], [3, 0, 2], [1] * 254])
def test_what_can_be(sizes: list[int]) -> None:
    assert is_shape(sizes)


@pytest.mark.parametrize(
    "sizes", [[-1], [3, -2], [2**63], [2**32, 2**32], [2**40, 0, 2**40], [1] * 255]
)
def test_what_cannot(sizes: list[int]) -> None:
    assert not is_shape(sizes)


@pytest.mark.parametrize("size", [-1, 0, 2**31 - 1, -2, 2**31])
@pytest.mark.parametrize("where", ["node", "function", "list"])
def test_shapes_among_attributes(size: int, where: str) -> None:
    graph_def = tf.compat.v1.GraphDef()
    nodes = graph_def.library.function.add().node_def if where == "function" else graph_def.node
    node = nodes.add(name="n")
    attr = node.attr["_output_shapes" if where == "list" else "shape"]
    shape = attr.list.shape.add() if where == "list" else attr.shape
    shape.dim.add(size=3)
    shape.dim.add(size=size)
    is_bad = not -1 <= size < 2**31
    assert find_bad_shape(graph_def) == (
        f"the node 'n' has the shape [3, {size}]" if is_bad else None
    )
