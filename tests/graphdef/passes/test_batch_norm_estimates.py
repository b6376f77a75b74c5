from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub import tf1
from compat_hub.graphdef.passes.batch_norm_estimates import leave_out_estimates

_EMPTY = "no_estimate"


def _normalized(training: bool, in_loop: bool = False, factor: float = 1.0) -> tf.Graph:
    with tf.Graph().as_default() as graph:
        x = tf1.placeholder(tf.float32, [2, 3, 3, 2], name="x")
        ones = tf.ones([2])

        def normalize(x: tf.Tensor) -> tf.Tensor:
            op = tf.raw_ops.FusedBatchNormV3
            args = {"scale": ones, "offset": ones, "mean": ones, "variance": ones}
            return op(x=x, is_training=training, exponential_avg_factor=factor, **args)[0]

        if in_loop:
            tf1.disable_control_flow_v2()
            try:
                tf.while_loop(lambda y: True, lambda y: (normalize(y),), (x,), name="y")
            finally:
                tf1.enable_control_flow_v2()
        else:
            tf.identity(normalize(x), name="y")
    return graph


def _estimates(graph_def: tf1.GraphDef) -> set[str]:
    functions = graph_def.library.function
    nodes = [*graph_def.node, *(node for f in functions for node in f.node_def)]
    (node,) = [node for node in nodes if node.op == "FusedBatchNormV3"]
    return set(node.input[3:5])


def test_the_statistics_of_the_batch_stay() -> None:
    x = np.random.default_rng(1).normal(size=[2, 3, 3, 2])
    found = []
    for leaves_out in (False, True):
        graph_def = _normalized(training=True).as_graph_def()
        if leaves_out:
            leave_out_estimates(graph_def)
            (name,) = _estimates(graph_def)
            assert name.endswith(_EMPTY)
        with tf.Graph().as_default(), tf1.Session() as session:
            (y,) = tf1.import_graph_def(graph_def, return_elements=["y:0"])
            found.append(session.run(y, {"import/x:0": x}))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    "options",
    [{"training": False}, {"training": True, "factor": 0.5}, {"training": True, "in_loop": True}],
)
def test_estimates_that_are_used_stay(options: dict[str, bool]) -> None:
    graph_def = _normalized(**options).as_graph_def()
    before = graph_def.SerializeToString(deterministic=True)
    leave_out_estimates(graph_def)
    assert graph_def.SerializeToString(deterministic=True) == before


@pytest.mark.filterwarnings("ignore:`tf.layers:UserWarning")
def test_in_a_function_and_in_a_module_that_is_made() -> None:
    @tf.function
    def function(x: tf.Tensor) -> tf.Tensor:
        ones = tf.ones([2])
        return tf.raw_ops.FusedBatchNormV3(
            x=x, scale=ones, offset=ones, mean=ones, variance=ones, is_training=True
        )[0]

    def module_fn() -> None:
        x = tf1.placeholder(tf.float32, [None, 3, 3, 2])
        compat_hub.add_signature(inputs=x, outputs=tf1.layers.batch_normalization(x, training=True))
        compat_hub.add_signature("function", x, function(x))

    spec = compat_hub.create_module_spec(module_fn)
    module = compat_hub.load(spec)
    x = tf.random.normal([4, 3, 3, 2], 5.0, 2.0)
    np.testing.assert_allclose(tf.reduce_mean(module(x), [0, 1, 2]), [0, 0], atol=1e-5)
    y = module(x, signature="function")
    np.testing.assert_allclose(tf.reduce_mean(y, [0, 1, 2]), [1, 1], atol=1e-5)
