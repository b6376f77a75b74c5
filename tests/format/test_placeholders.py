from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef

import compat_hub
from compat_hub.format.placeholders import complete_input
from compat_hub.format.tensor_info import TensorInfo
from tests.copies import ModuleCopy


def _shape_of(declared: Any, placed: Any, op: str = "Placeholder") -> Any:
    """The shape of an input whose signature and whose node have these shapes."""
    node = NodeDef(name="x", op=op)
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    if placed != "none":
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(placed).as_proto())
    info = TensorInfo(tf.TensorSpec(declared, tf.float32), ("x:0",))
    shape = complete_input("images", info, {"x": node}).get_shape()
    return None if shape.rank is None else shape.as_list()


@pytest.mark.parametrize(
    ("declared", "placed", "expected"),
    [
        (None, [None, 4], [None, 4]),
        (None, None, None),
        (None, "none", None),
        # Before version 22 of graphs, for any shape.
        (None, [], None),
        ([None, 4], [], [None, 4]),
        ([None, 4], None, [None, 4]),
        # Other batches than that of the placeholder.
        ([None, 4], [1, 4], [None, 4]),
        ([1, 4], [None, 4], [1, 4]),
    ],
)
def test_shapes(declared: Any, placed: Any, expected: Any) -> None:
    assert _shape_of(declared, placed) == expected
    assert _shape_of(declared, placed, "PlaceholderWithDefault") == expected


def test_any_other_tensor_can_be_fed() -> None:
    assert _shape_of(None, [3], "Identity") is None
    assert _shape_of([4], [3], "Identity") == [4]


def test_a_value_of_too_few_dimensions(tmp_path: Path) -> None:
    copy = ModuleCopy("fused_bn_v1_frozen", tmp_path / "module")
    with copy.meta_graph() as meta_graph:
        images = meta_graph.signature_def["default"].inputs["images"]
        images.tensor_shape.Clear()
        images.tensor_shape.unknown_rank = True
    module = compat_hub.load(copy.path)
    # First, since oneDNN's convolution would end the process.
    assert module.get_input_info_dict()["images"].get_shape().rank == 4
    with pytest.raises(compat_hub.HubError, match="expected float32"):
        module({"images": tf.ones([4])})


def test_a_value_of_too_few_dimensions_where_nothing_tells_the_rank() -> None:
    def module_fn() -> None:
        x = tf.compat.v1.placeholder(tf.float32)
        filters = tf.ones([2, 2, 3, 4])
        y = tf.nn.conv2d(x, filters, 1, "VALID")
        compat_hub.add_signature(inputs=x, outputs=y)

    module = compat_hub.load(compat_hub.create_module_spec(module_fn))
    x = tf.ones([1, 3, 3, 3])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = module(x)
    np.testing.assert_array_equal(y, tf.fill([1, 2, 2, 4], 12.0))
    gradient: Any = tape.gradient(y, x)
    assert gradient[0, 1, 1, 0] == 16
    unknown: Any = None
    any_rank = [tf.TensorSpec(unknown, tf.float32)]
    for call in module, tf.function(module, input_signature=any_rank):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[4\] is not compatible"):
            call(tf.ones([4]))
