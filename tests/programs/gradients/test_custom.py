from __future__ import annotations

import gc
import warnings
import weakref

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub import keras2
from compat_hub.graphdef.passes.inline_functions import CUSTOM_GRADIENT_ATTR, inline_calls
from compat_hub.programs.gradients.custom import (
    LostGradientWarning,
    bind_gradients,
    drop_gradients_in_functions,
    function_gradients,
    replace_lost_gradients,
)
from compat_hub.tf_private import gradient_registry, op_registry
from tests.graphdef.graphs import FLOAT, make_function, make_graph, make_node, placeholder
from tests.records import FIXTURES

X = np.random.default_rng(1).normal(size=[4, 4]).astype("float32")


def _load(fixture: str) -> compat_hub.HubModule:
    return compat_hub.load(FIXTURES / fixture / "module")


def _dense(module: compat_hub.HubModule, layer: str, x: tf.Tensor) -> tf.Tensor:
    return x @ module.variable_map[f"{layer}/kernel"] + module.variable_map[f"{layer}/bias"]


def _gradients(module: compat_hub.HubModule, call) -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(call()))
    return tape.gradient(loss, list(module.trainable_variables))


def test_a_gradient_that_the_format_does_not_store_is_the_derivative() -> None:
    module = _load("custom_gradient")
    with pytest.warns(LostGradientWarning, match="tf.custom_gradient") as caught:
        found = _gradients(module, lambda: module(X))
    assert repr(module.spec.handle) in str(caught[0].message)

    def again() -> tf.Tensor:
        hidden = tf.nn.softplus(tf.nn.silu(_dense(module, "dense", X)))
        return _dense(module, "dense_1", hidden)

    for a, b in zip(found, _gradients(module, again), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_inference_does_not_warn_of_it() -> None:
    module = _load("custom_gradient")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        module(X)
        tf.function(module)(X)
        layer = keras2.KerasLayer(module)
        layer(X)


def test_a_gradient_of_that_name_in_this_program_is_not_taken(copy_of) -> None:
    # The names that TensorFlow makes up start anew in each program.
    @tf.RegisterGradient("CustomGradient-of-this-program")
    def _(*_: object) -> None:
        raise AssertionError("the gradient of something else")

    copy = copy_of("custom_gradient")
    with copy.meta_graph() as meta_graph:
        for node in meta_graph.graph_def.node:
            if "_gradient_op_type" in node.attr:
                node.attr["_gradient_op_type"].s = b"CustomGradient-of-this-program"
    module = compat_hub.load(copy.path)
    with pytest.warns(LostGradientWarning):
        assert all(g is not None for g in _gradients(module, lambda: module(X)))


def test_functions_with_gradient_functions_of_their_own() -> None:
    # "halved" is the sine with half the upstream gradient, in the other module the cosine with
    # twice the gradient; "bent" has none of its own.
    halved = _load("functions")
    doubled = _load("functions_clash")

    @tf.custom_gradient
    def half_sine(x: tf.Tensor):
        return tf.sin(x), lambda upstream: 0.5 * upstream

    @tf.custom_gradient
    def double_cosine(x: tf.Tensor):
        return tf.cos(x), lambda upstream: 2.0 * upstream

    def first() -> tf.Tensor:
        a, b = _dense(halved, "dense", X), _dense(halved, "dense_1", X)
        return _dense(halved, "dense_2", half_sine(tf.square(tf.nn.silu(a)) + 3.0 * b))

    def second() -> tf.Tensor:
        a, b = _dense(doubled, "dense", X), _dense(doubled, "dense_1", X)
        return _dense(doubled, "dense_2", double_cosine(tf.exp(-a * a) - b))

    for module, call in ((halved, first), (doubled, second)):
        expected = _gradients(module, call)
        for found in (
            _gradients(module, lambda: module(X)),  # noqa: B023
            _gradients(module, lambda: tf.function(module)(X)),  # noqa: B023
        ):
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


# For graphs that leave compat_hub -----------------------------------------------------------------


def _with_gradient(name: str) -> object:
    node = make_node(name, "Identity", "x", T=tf.float32)
    node.attr[CUSTOM_GRADIENT_ATTR].s = b"CustomGradient-7"
    return node


def test_a_lost_gradient_is_dropped_with_a_warning_where_the_graph_leaves() -> None:
    graph_def = make_graph(placeholder("x"), _with_gradient("y"))
    with pytest.warns(LostGradientWarning, match="In somewhere: .*'y' for one"):
        replace_lost_gradients(graph_def, "somewhere", portable=True)
    assert CUSTOM_GRADIENT_ATTR not in graph_def.node[1].attr


def test_gradients_in_functions_are_dropped_with_a_warning() -> None:
    body = make_function("body", {"x": FLOAT}, {"y": ("z:output:0", FLOAT)}, _with_gradient("z"))
    graph_def = make_graph(placeholder("x"), _with_gradient("y"), functions=[body])
    with pytest.warns(LostGradientWarning, match="In somewhere: 1 calls in loops .*'z' for one"):
        drop_gradients_in_functions(graph_def, "somewhere")
    (node,) = graph_def.library.function[0].node_def
    assert CUSTOM_GRADIENT_ATTR not in node.attr
    assert CUSTOM_GRADIENT_ATTR in graph_def.node[1].attr  # a SavedModel keeps those


def test_no_warning_where_there_is_nothing_to_lose() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drop_gradients_in_functions(make_graph(placeholder("x"), _with_gradient("y")), "somewhere")


def _graph_with_calls() -> object:
    """Two calls of "triple", whose gradient function gives ten times the upstream gradient."""
    ten = make_node("ten", "Const", dtype=tf.float32, value=np.float32(10))
    three = make_node("three", "Const", dtype=tf.float32, value=np.float32(3))
    functions = [
        make_function(
            "triple",
            {"x": FLOAT},
            {"y": ("m:z:0", FLOAT)},
            three,
            make_node("m", "Mul", "x", "three:output:0", T=tf.float32),
        ),
        make_function(
            "gradient",
            {"x": FLOAT, "dy": FLOAT},
            {"dx": ("m:z:0", FLOAT)},
            ten,
            make_node("m", "Mul", "dy", "ten:output:0", T=tf.float32),
        ),
    ]
    return make_graph(
        placeholder("x"),
        make_node("a", "triple", "x"),
        make_node("b", "triple", "a"),
        functions=functions,
        triple="gradient",
    )


def test_bound_gradients_know_their_call() -> None:
    graph_def = _graph_with_calls()
    inlined = inline_calls(graph_def, op_registry.op_def, function_gradients(graph_def, "digest"))
    with tf.Graph().as_default() as graph:
        (y,) = tf.graph_util.import_graph_def(inlined, return_elements=["b:0"], name="")
        x = graph.get_tensor_by_name("x:0")
        before = {gradient_registry.gradient_name(op) for op in graph.get_operations()} - {None}
        assert len(before) == 1
        bind_gradients(graph)
        after = [gradient_registry.gradient_name(op) for op in graph.get_operations()]
        bound = [name for name in after if name is not None]
        assert len(bound) == len(set(bound)) == 2
        assert not before & set(bound)
        (gradient,) = tf.gradients(y, x)
        with tf.compat.v1.Session(graph=graph) as session:
            assert session.run([y, gradient], {x: 2.0}) == [18.0, 100.0]


def test_a_bound_gradient_does_not_keep_its_graph() -> None:
    graph_def = _graph_with_calls()
    inlined = inline_calls(graph_def, op_registry.op_def, function_gradients(graph_def, "digest"))
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(inlined, name="")
        bind_gradients(graph)
    reference = weakref.ref(graph)
    del graph
    gc.collect()
    assert reference() is None
