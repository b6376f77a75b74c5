from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.eager import context

from compat_hub.tf_private import (
    bare_functions,
)


def _bare(graph_def: Any, fetches: list[str], targets: list[str]) -> bare_functions.BareFunction:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None])
        handle = tf.compat.v1.placeholder(tf.resource, [])
    return bare_functions.BareFunction(
        "a name",
        graph,
        [x, handle],
        graph_def,
        "scope",
        {"x:0": x, "v:0": handle},
        fetches,
        targets,
    )


def test_an_unrecorded_call() -> None:
    def body(x: tf.Tensor, y: tf.Tensor) -> list[tf.Tensor]:
        return [tf.raw_ops.CheckNumerics(tensor=x, message="odd"), y]

    specs = [tf.TensorSpec([None]), tf.TensorSpec([], tf.string)]
    function = tf.compat.v1.wrap_function(body, specs)
    arguments = [tf.constant([1.0, 2.0]), tf.constant("a")]
    found = bare_functions.call_unrecorded(function, arguments)
    assert [value.numpy() for value in found[1:]] == [b"a"]
    np.testing.assert_array_equal(found[0], [1.0, 2.0])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)odd.*node.*CheckNumerics"):
        bare_functions.call_unrecorded(function, [tf.constant([np.nan]), arguments[1]])


def test_a_function_without_python_objects() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        handle = tf.compat.v1.placeholder(tf.resource, [], "v")
        value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)
        checked = tf.raw_ops.CheckNumerics(tensor=x, message="odd")
        tf.identity_n([checked * value, x + value], name="both")
        with tf.control_dependencies([value]):
            tf.raw_ops.AssignAddVariableOp(resource=handle, value=tf.ones([]), name="count")
    graph_def = graph.as_graph_def()
    nodes = [n for n in graph_def.node if n.name not in {"x", "v"}]
    del graph_def.node[:]
    graph_def.node.extend(nodes)
    function = _bare(graph_def, ["both:1", "x:0", "both:0", "both:1"], ["count"])
    variable = tf.Variable(2.0)
    arguments = [tf.constant([1.0, 3.0]), variable.handle]
    found = bare_functions.call_unrecorded(function, arguments)
    assert [f.numpy().tolist() for f in found] == [[3, 5], [1, 3], [2, 6], [3, 5]]
    assert variable.numpy() == 3.0
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"(?s)odd.*node scope/CheckNumerics"):
        bare_functions.call_unrecorded(function, [tf.constant([np.nan]), variable.handle])
    runtime: Any = context.context()
    name = function.op_name
    assert runtime.has_function(name)
    del function
    gc.collect()
    assert not runtime.has_function(name)
    graph_def.node[-1].input[0] = "nowhere"
    with pytest.raises(ValueError, match="nowhere"):
        _bare(graph_def, ["both:1"], [])


@pytest.mark.parametrize("fusible", [True, False])
def test_options_of_a_call(fusible: bool) -> None:
    def rewriting(config: Any) -> Any:
        attrs = bare_functions._lean_attrs(config.SerializeToString(), "executor", fusible)
        values = dict(zip(attrs[::2], attrs[1::2], strict=True))
        assert values["executor_type"] == "executor"
        found = config_pb2.ConfigProto.FromString(values["config_proto"])
        return found.graph_options.rewrite_options

    config = config_pb2.ConfigProto(device_count={"CPU": 1, "GPU": 0})
    lean = rewriting(config)
    assert lean.disable_meta_optimizer is not fusible
    assert (lean.remapping == lean.ON) is fusible
    assert (lean.arithmetic_optimization == lean.OFF) is fusible
    config.device_count["GPU"] = 1
    assert rewriting(config) == type(lean)()
    config.device_count["GPU"] = 0
    config.graph_options.rewrite_options.auto_mixed_precision = lean.ON
    assert rewriting(config) == config.graph_options.rewrite_options
