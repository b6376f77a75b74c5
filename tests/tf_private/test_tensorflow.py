"""The private names of TensorFlow still do what compat_hub needs of them."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tensorflow.core.protobuf import config_pb2, saved_model_pb2
from tensorflow.python.eager import context

from compat_hub.keras_layers import tf_keras_private
from compat_hub.tf_private import (
    autograph_marks,
    bare_functions,
    eager_runtime,
    gradient_registry,
    graph_internals,
    op_registry,
    saved_models,
    tracking,
    variable_internals,
)
from tests.records import FIXTURES


def test_type_specs() -> None:
    data = (FIXTURES / "ragged_io/module/saved_model.pb").read_bytes()
    (meta_graph,) = saved_model_pb2.SavedModel.FromString(data).meta_graphs
    proto = meta_graph.signature_def["default"].inputs["ragged"].composite_tensor.type_spec
    found = saved_models.decode_type_spec(proto)
    assert found == tf.RaggedTensorSpec([None, None], tf.float32, 1, tf.int64)


def test_the_registry_of_ops() -> None:
    assert op_registry.is_registered_op("MatMul")
    assert op_registry.is_registered_op("VariableV2")
    assert not op_registry.is_registered_op("Frobnicate")
    assert op_registry.op_def("MatMul").output_arg[0].name == "product"
    assert op_registry.op_def("Frobnicate") is None


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("HashTableV2", True),
        ("MutableHashTableV2", True),
        ("FIFOQueueV2", True),
        ("VarHandleOp", False),
        ("HashTable", False),  # a reference
        ("LookupTableFindV2", False),
        ("RandomUniform", False),
        ("MatMul", False),
        ("Frobnicate", False),
    ],
)
def test_ops_that_make_resources(op: str, expected: bool) -> None:
    assert op_registry.makes_resource(op) is expected


def test_a_placeholder_with_handle_data_has_gradients_and_shapes() -> None:
    variable = tf.Variable([[1.0, 2.0]])

    def body(handle: tf.Tensor) -> tf.Tensor:
        graph_internals.copy_handle_data(variable.handle, handle)
        value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)
        assert value.shape == [1, 2]
        return value * value

    function = tf.compat.v1.wrap_function(body, [tf.TensorSpec([], tf.resource)])
    with tf.GradientTape(watch_accessed_variables=True) as tape:
        variable_internals.variable_accessed(variable)
        loss = tf.reduce_sum(function(variable.handle))
    assert [v.ref() for v in tape.watched_variables()] == [variable.ref()]
    assert tape.gradient(loss, variable).numpy().tolist() == [[2.0, 4.0]]


class _WithTraining:
    def __call__(self, x: Any, training: bool = False) -> Any:
        return x


class _Without:
    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return x


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (_WithTraining(), True),
        (_Without(), False),
        (lambda x, training: x, True),
        (lambda x, *, training=None: x, True),
        (lambda x: x, False),
        (lambda x, **kwargs: x, False),
        (tf.function(lambda x, training=False: x), True),
        (tf.function(lambda x: x), False),
    ],
)
def test_the_training_argument(function: Any, expected: bool) -> None:
    assert tf_keras_private.has_training_argument(function) is expected


def test_the_training_argument_of_a_loaded_function(tmp_path) -> None:
    class Loadable(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([]), tf.TensorSpec([], tf.bool)])
        def __call__(self, x: tf.Tensor, training: tf.Tensor) -> tf.Tensor:
            return x

    tf.saved_model.save(Loadable(), str(tmp_path))
    assert tf_keras_private.has_training_argument(tf.saved_model.load(str(tmp_path)))


def test_untracked_attributes() -> None:
    class Layer(tf_keras.layers.Layer):
        def __init__(self, hidden: Any, seen: Any) -> None:
            super().__init__()
            self.hide(hidden)
            self.seen = seen

        @tracking.untracked
        def hide(self, hidden: Any) -> None:
            self.hidden = hidden

    hidden, seen = tf.Variable(1.0), tf.Variable(2.0)
    layer = Layer(hidden, seen)
    assert [v.ref() for v in layer.weights] == [seen.ref()]
    assert layer.hidden is hidden


def test_who_may_record() -> None:
    assert not eager_runtime.may_record()
    with tf.GradientTape():
        assert eager_runtime.may_record()
    seen = []
    tf.function(lambda: seen.append(eager_runtime.may_record()))()
    with tf.autodiff.ForwardAccumulator(tf.ones([]), tf.ones([])):
        seen.append(eager_runtime.may_record())
    assert seen == [True, True]


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


def test_a_method_that_autograph_leaves_alone() -> None:
    class Owner:
        @autograph_marks.unconverted
        def method(self, x: tf.Tensor) -> bool:
            """What it does."""
            return x is not None and not _is_converting()

    def _is_converting() -> bool:
        from tensorflow.python.autograph.core import ag_ctx

        return ag_ctx.control_status_ctx().status == ag_ctx.Status.ENABLED

    found = [Owner().method(tf.ones([]))]

    @tf.function
    def traced(x: tf.Tensor) -> tf.Tensor:
        found.append(Owner().method(x))
        return x

    traced(tf.ones([]))
    assert found == [True, True]
    assert Owner.method.__doc__ == "What it does."


def test_errors_of_gradients() -> None:
    with tf.Graph().as_default():
        x = tf.eye(2)
        with pytest.raises(LookupError) as caught:
            tf.gradients(tf.math.real(tf.linalg.logm(tf.complex(x, x))), [x])
        assert gradient_registry.is_of_gradients(caught.value)
        with pytest.raises(ValueError, match="shape") as caught:
            tf.reshape(x, [3])
        assert not gradient_registry.is_of_gradients(caught.value)
