"""Gradients that nodes name: those of other ops, of the program, of tf.contrib, and of nobody."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.graphdef.passes.inline_functions import CUSTOM_GRADIENT_ATTR
from compat_hub.programs.gradients.custom import LostGradientWarning, replace_lost_gradients
from tests.graphdef.graphs import make_graph, make_node, placeholder
from tests.records import FIXTURES

MODULE = FIXTURES / "named_gradients" / "module"
X = np.random.default_rng(1).normal(size=[4, 6, 6, 2]).astype("float32")


def _gradient_of_square(gradient: str, register: bool) -> np.ndarray:
    """Of a node Square at 1 and 2 whose author gave it a gradient by name."""
    node = make_node("y", "Square", "x", T=tf.float32)
    node.attr[CUSTOM_GRADIENT_ATTR].s = gradient.encode()
    graph_def = make_graph(placeholder("x"), node)
    replace_lost_gradients(graph_def, f"the graph of {gradient}")
    if register:  # after the module has been loaded
        tf.RegisterGradient(gradient)(lambda _, upstream: 7.0 * upstream)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.constant([1.0, 2.0])
        (y,) = tf.graph_util.import_graph_def(
            graph_def, input_map={"x:0": x}, return_elements=["y:0"]
        )
        return session.run(tf.gradients(y, x)[0])


def test_the_gradient_of_another_op() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(_gradient_of_square("Identity", register=False), [1, 1])


def test_a_gradient_that_the_program_registers() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = _gradient_of_square("SevenTimesOfTheTests", register=True)
    np.testing.assert_array_equal(found, [7, 7])


def test_one_that_nobody_registers_is_that_of_the_op() -> None:
    with pytest.warns(LostGradientWarning, match="Square nodes .*'y'.* 'NobodyHasThis'.*Square is"):
        found = _gradient_of_square("NobodyHasThis", register=False)
    np.testing.assert_array_equal(found, [2, 4])


def _gradients(call, variables: list[tf.Variable]) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(call()))
    return [g.numpy() for g in tape.gradient(loss, variables)]


def test_a_straight_through_estimator_outlives_conversion(tmp_path: Path) -> None:
    module = compat_hub.load(MODULE)
    with warnings.catch_warnings():
        warnings.simplefilter("error", LostGradientWarning)
        expected = _gradients(lambda: module(X), list(module.trainable_variables))
    with pytest.warns(LostGradientWarning, match="FusedBatchNormV3 nodes .* a SavedModel cannot"):
        loaded = tf.saved_model.load(module.save(str(tmp_path / "model")))
    assert max(np.abs(g).max() for g in expected) > 0
    found = _gradients(lambda: loaded(X), list(loaded.trainable_variables))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_names_are_kept_in_a_module_around_it(tmp_path: Path) -> None:
    def build() -> None:
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None, 6, 6, 2])
        inner = compat_hub.Module(str(MODULE), trainable=True, tags={"train"})
        compat_hub.add_signature(inputs=x, outputs=inner(x))

    spec = compat_hub.create_module_spec(build)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        outer = compat_hub.Module(spec)
        session.run(tf.compat.v1.global_variables_initializer())
        outer.export(str(tmp_path / "outer"), session)
    (variant,) = compat_hub.load_module_spec(str(tmp_path / "outer")).variants.values()
    names = {
        node.attr[CUSTOM_GRADIENT_ATTR].s
        for node in variant.meta_graph.graph_def.node
        if CUSTOM_GRADIENT_ATTR in node.attr
    }
    assert names == {b"Identity", b"Relu6", b"FoldFusedBatchNormGrad"}
