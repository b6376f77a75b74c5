"""What a module may not take from the program that loads it: functions, gradients, ops."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

import compat_hub
from compat_hub.custom_gradients import LostGradientWarning
from compat_hub.graphdef.analysis import host_ops
from compat_hub.tf_private import op_registry
from tests.authoring import write_module
from tests.copies import edited_saved_model

v1 = tf.compat.v1
OURS = 7919.0


@pytest.fixture(autouse=True)
def _control_flow() -> Iterator[None]:
    yield
    v1.enable_control_flow_v2()


def _edit(path: str, edit: Callable[[Any], None]) -> str:
    with edited_saved_model(path) as saved_model:
        edit(saved_model.meta_graphs[0].graph_def)
    return path


def test_no_function_takes_the_place_of_one_of_the_program(tmp_path: Path) -> None:
    """TensorFlow's optimizer exchanges functions that say they implement the same."""
    api = "lstm_0d3f6f5e"

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec([None])],
        experimental_attributes={"api_implements": api, "api_preferred_device": "GPU"},
    )
    def good(x: tf.Tensor) -> tf.Tensor:
        return 2.0 * x

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None])])
    def program(x: tf.Tensor) -> tf.Tensor:
        return good(x)

    def build() -> Any:
        v1.enable_control_flow_v2()
        x = v1.placeholder(tf.float32, [None], "x")

        @tf.function(autograph=False)
        def other(x: tf.Tensor) -> tf.Tensor:
            return 0.0 * x + OURS

        y = tf.cond(tf.reduce_sum(x) > 0, lambda: other(x), lambda: x)
        return {"default": ({"x": x}, {"default": y})}

    def claim(graph_def: Any) -> None:
        for f in graph_def.library.function:
            if "other" in f.signature.name:
                f.attr["api_implements"].s = api.encode()
                f.attr["api_preferred_device"].s = b"CPU"

    path = _edit(write_module(tmp_path / "module", none=build), claim)
    assert compat_hub.load(path)([1.0]).numpy() == [OURS]
    assert program(tf.ones([1])).numpy() == [2.0]


def _gradient(path: str, how: str) -> Any:
    if how == "Module":
        with tf.Graph().as_default(), v1.Session() as session:
            x = tf.constant([1.0])
            return session.run(tf.gradients(compat_hub.Module(path, trainable=True)(x), x)[0])
    if how == "verify":
        report = compat_hub.verify(path)
        assert report.passed
        return np.array([3.0])  # what is compared is not in the report
    if how == "convert":
        module: Any = tf.saved_model.load(compat_hub.convert(path, f"{path}_converted"))
    else:
        module = compat_hub.load(path)
    with tf.GradientTape() as tape:
        x = tf.constant([1.0])
        tape.watch(x)
        y = module(x)
    return tape.gradient(y, x).numpy()


@pytest.mark.parametrize("where", ["graph", "function", "loop"])
@pytest.mark.parametrize("how", ["load", "Module", "convert", "verify"])
def test_no_gradient_of_the_program_is_called(where: str, how: str, tmp_path: Path) -> None:
    called = []

    @tf.custom_gradient
    def of_the_program(x: tf.Tensor) -> Any:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            called.append(upstream)
            return OURS * upstream

        return tf.identity(x), gradient

    before = set(ops.gradient_registry.list())
    tf.function(of_the_program)(tf.constant(1.0))
    (name,) = (n for n in set(ops.gradient_registry.list()) - before if n.startswith("Custom"))

    def build() -> Any:
        v1.enable_control_flow_v2()
        x = v1.placeholder(tf.float32, [None], "x")

        def marked(x: tf.Tensor) -> tf.Tensor:
            return 3.0 * tf.identity(x, name="marked")

        if where == "loop":
            y = tf.while_loop(lambda i, _: i < 1, lambda i, a: (i + 1, marked(a)), [0, x])[1]
        else:
            y = marked(x) if where == "graph" else tf.function(marked, autograph=False)(x)
        return {"default": ({"x": x}, {"default": y})}

    def name_it(graph_def: Any) -> None:
        nodes = [n for f in graph_def.library.function for n in f.node_def]
        for node in [*graph_def.node, *nodes]:
            if node.name.endswith("marked"):
                node.attr["_gradient_op_type"].s = name.encode()

    path = _edit(write_module(tmp_path / "module", none=build), name_it)
    is_verified = how == "verify"  # which compares gradients of variables only
    with contextlib.nullcontext() if is_verified else pytest.warns(LostGradientWarning):
        found = _gradient(path, how)
    assert (found.tolist(), called) == ([3.0], [])


def test_ops_of_a_package_that_comes_later_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        return {
            "default": ({"x": x}, {"default": x}),
            "other": ({"x": x}, {"default": tf.math.betainc(x, x, x)}),
        }

    path = write_module(tmp_path / "module", none=build)
    monkeypatch.setattr(host_ops, "CONTAINED_OPS", host_ops.CONTAINED_OPS - {"Betainc"})
    is_registered = op_registry.is_registered_op
    with monkeypatch.context() as patch:
        patch.setattr(
            op_registry, "is_registered_op", lambda op: op != "Betainc" and is_registered(op)
        )
        module = compat_hub.load(path)
        assert module(np.ones(1, "float32")).numpy() == [1.0]
        with pytest.raises(compat_hub.ModuleFormatError, match="Betainc"):
            module([0.5], signature="other")
    # Now the package with the op is there.
    for _ in range(2):
        with pytest.raises(compat_hub.UnsafeModuleError, match="Betainc"):
            module([0.5], signature="other")
    with pytest.raises(compat_hub.UnsafeModuleError, match="Betainc"):
        compat_hub.load(path)


def test_no_memory_that_the_program_has_freed_comes_out(tmp_path: Path) -> None:
    def rows(x: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.ParallelConcat(values=[x[None]], shape=[1, 1])

    def temporary(x: tf.Tensor) -> tf.Tensor:
        variable = tf.raw_ops.TemporaryVariable(shape=[9], dtype=tf.float32, var_name="v")
        return tf.raw_ops.DestroyTemporaryVariable(ref=variable, var_name="v")

    def build(function: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[], Any]:
        def make() -> Any:
            x = v1.placeholder(tf.float32, [1], "x")
            return {"default": ({"x": x}, {"default": function(x)})}

        return make

    def more_rows(graph_def: Any) -> None:
        for node in graph_def.node:
            if node.op == "ParallelConcat":
                node.attr["shape"].shape.dim[0].size = 9

    path = write_module(tmp_path / "temporary", none=build(temporary))
    with pytest.raises(compat_hub.UnsafeModuleError, match="memory"):
        compat_hub.load(path)
    path = write_module(tmp_path / "rows", none=build(rows))
    assert compat_hub.load(path)([3.0]).numpy().tolist() == [[3.0]]
    _edit(path, more_rows)
    with pytest.raises(compat_hub.ModuleFormatError, match="rows"):
        compat_hub.load(path)([3.0])


def test_no_node_writes_to_the_name_of_a_table(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.int64, [None], "x")
        own = tf.raw_ops.MutableHashTable(key_dtype=tf.int64, value_dtype=tf.string)
        foreign = tf.raw_ops.Assign(ref=own, value=["localhost", "table"], validate_shape=False)
        found = tf.raw_ops.LookupTableFind(table_handle=foreign, keys=x, default_value="none")
        return {"default": ({"x": x}, {"default": found})}

    path = write_module(tmp_path / "module", none=build)
    with pytest.raises(compat_hub.ModuleFormatError, match="writes to the name of a resource"):
        compat_hub.load(path)([1])
    with (
        tf.Graph().as_default(),
        pytest.raises(compat_hub.ModuleFormatError, match="writes to the name of a resource"),
    ):
        compat_hub.Module(path)


def test_the_graph_of_a_module_is_a_copy(tmp_path: Path) -> None:
    """TensorFlow writes defaults into what it imports, and reads files to compute constants."""

    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", initializer=2.0, use_resource=True)
        (tmp_path / "secret").write_text("7919")
        tf.io.read_file(str(tmp_path / "secret"), name="secret")
        return {"default": ({"x": x}, {"default": w * x})}

    path = write_module(tmp_path / "module", none=build)
    module = compat_hub.load(path)
    before = module.spec.variant().meta_graph.SerializeToString(deterministic=True)
    names = {operation.name for operation in module.graph.get_operations()}
    assert "x" in names
    assert "secret" not in names
    assert module.spec.variant().meta_graph.SerializeToString(deterministic=True) == before
    assert "graph" not in dir(module)
