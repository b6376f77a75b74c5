"""Missing ops of which TensorFlow 1.15 has no record: it states wrong static shapes for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf import saved_model_pb2

import compat_hub
from compat_hub.programs.missing_ops.images import _resample
from compat_hub.programs.missing_ops.table import can_replace, replace_missing_ops
from tests.authoring import write_module

_DATA = np.arange(1, 13).reshape(4, 3)
_SLICES = [[0, 1], [1, 1], [0, 2], [2, 99], [3, 1]]
_INF = float("inf")


def _compute(op: str, dtype: tf.DType, indices: Any, axis: int) -> list[Any]:
    graph_def = tf.compat.v1.GraphDef()
    node = graph_def.node.add(name="y", op=op, input=["data", "indices", "axis"])
    node.attr["T"].type = dtype.as_datatype_enum
    node.attr["Tindices"].type = tf.int32.as_datatype_enum
    assert replace_missing_ops(graph_def)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        given = {
            "data": tf.constant(_DATA, dtype),
            "indices": tf.constant(indices, tf.int32),
            "axis": tf.constant(axis, tf.int64),
        }
        (y,) = tf.graph_util.import_graph_def(graph_def, given, ["y:0"])
        return session.run(y).tolist()


# The values are those of TensorFlow 1.15.
@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("Sum", [[1, 2, 3], [0] * 3, [5, 7, 9], [17, 19, 21], [0] * 3]),
        ("Prod", [[1, 2, 3], [1] * 3, [4, 10, 18], [70, 88, 108], [1] * 3]),
        ("Max", [[1, 2, 3], [-_INF] * 3, [4, 5, 6], [10, 11, 12], [-_INF] * 3]),
        ("Min", [[1, 2, 3], [_INF] * 3, [1, 2, 3], [7, 8, 9], [_INF] * 3]),
    ],
)
def test_reduced_slices(op: str, expected: list[Any]) -> None:
    assert _compute(f"ReduceSlice{op}", tf.float32, _SLICES, 0) == expected


def test_reduced_slices_along_another_axis() -> None:
    expected = [[1, 0, 3], [4, 0, 9], [7, 0, 15], [10, 0, 21]]
    assert _compute("ReduceSliceSum", tf.float32, _SLICES[:3], 1) == expected


def test_slices_that_follow_each_other() -> None:
    assert _compute("ReduceSliceSum", tf.float32, [0, 2, 3], 0) == [[5, 7, 9], [7, 8, 9]]


def test_the_most_of_no_integers() -> None:
    found = _compute("ReduceSliceMax", tf.int32, _SLICES[:2], 0)
    assert found == [[1, 2, 3], [tf.int32.min] * 3]


def test_a_gradient_through_an_op_in_a_loop_that_is_a_function(tmp_path: Path) -> None:
    def build() -> Any:
        images = tf.compat.v1.placeholder(tf.float32, [1, 2, 2, 2], "images")
        scale = tf.compat.v1.get_variable("scale", initializer=tf.constant(0.3), use_resource=True)
        moved = tf.while_loop(
            lambda k, _: k < 2,
            lambda k, p: (k + 1, tf.raw_ops.AddV2(x=images, y=p, name="Look") * scale),
            [0, tf.ones([1, 2, 2, 2])],
        )[1]
        return {"default": ({"images": images}, {"default": moved})}

    path = Path(write_module(tmp_path / "module", none=build)) / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    functions = message.meta_graphs[0].graph_def.library.function
    looks = [n for f in functions for n in f.node_def if n.op == "AddV2" and "Look" in n.name]
    for node in looks:
        node.op = "Resampler"
    for function in functions:
        for node in function.node_def:
            node.input[:] = [i.replace("Look:z:0", "Look:output:0") for i in node.input]
    path.write_bytes(message.SerializeToString())
    assert looks
    module = compat_hub.load(path.parent)
    images = tf.reshape(tf.range(8.0), [1, 2, 2, 2])
    (scale,) = module.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        expected = tf.ones([1, 2, 2, 2])
        for _ in range(2):
            expected = _resample(images, expected) * scale
        found = module(images)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(found, scale), tape.gradient(expected, scale), 1e-6)


def test_an_op_that_is_there_stays() -> None:
    graph_def = tf.compat.v1.GraphDef(node=[NodeDef(name="y", op="MatMul")])
    assert not replace_missing_ops(graph_def)
    assert not can_replace("MatMul")
