"""Modules with the names that rewriting gives, and resources that wait for other nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.python.framework import function

import compat_hub
from tests.authoring import write_module
from tests.copies import edited_saved_model
from tests.safety.uses import found_in

v1 = tf.compat.v1
SECRET = "7919"


@pytest.fixture(autouse=True)
def _control_flow() -> Iterator[None]:
    yield
    v1.enable_control_flow_v2()


def _edit(path: str, edit: Callable[[Any], None]) -> None:
    with edited_saved_model(path) as saved_model:
        edit(saved_model.meta_graphs[0].graph_def)


def _rename(graph_def: Any, old: str, new: str) -> None:
    for node in graph_def.node:
        node.name = new if node.name == old else node.name
        node.input[:] = [new if source == old else source for source in node.input]


def _asset(folder: Path) -> tf.Tensor:
    (folder / "words").write_text("own")
    asset = tf.constant(str(folder / "words"), name="asset")
    v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
    return asset


def _export(folder: Path, module_fn: Callable[[], None]) -> str:
    with tf.Graph().as_default(), v1.Session() as session:
        module = compat_hub.Module(compat_hub.create_module_spec(module_fn))
        session.run(v1.global_variables_initializer())
        module.export(folder / "module", session)
    return str(folder / "module")


def _found(path: str, folder: Path) -> list[str]:
    (folder / "secret").write_text(SECRET)
    return found_in(path, folder, SECRET, folder / "marker")


@pytest.mark.parametrize("name", ["call/path", "length/read_0"])
def test_a_node_that_a_call_or_a_read_becomes(name: str, tmp_path: Path) -> None:
    def module_fn() -> None:
        v1.disable_control_flow_v2()
        x = v1.placeholder(tf.float32, [None], "x")
        read = tf.raw_ops.ReadFile(filename=tf.identity(_asset(tmp_path), name="donor"))

        @function.Defun(tf.float32)
        def call(x: tf.Tensor) -> tf.Tensor:
            path = tf.identity(tf.constant(str(tmp_path / "secret")), name="path")
            return x + tf.cast(tf.strings.length(path), tf.float32)

        secret = v1.get_variable("w", initializer=str(tmp_path / "secret"), use_resource=False)
        length = tf.raw_ops.StringLength(input=secret._variable, name="length")
        y = v1.cond(x[0] > 0, lambda: x + 1.0, lambda: x - 1.0) + tf.cast(length, tf.float32)
        outputs = {"default": y + call(x, name="call"), "read": read}
        compat_hub.add_signature(inputs={"x": x}, outputs=outputs)

    path = _export(tmp_path, module_fn)
    _edit(path, lambda graph_def: _rename(graph_def, "donor", name))
    with pytest.raises(compat_hub.ModuleFormatError, match=rf"two nodes .* '{name}'"):
        compat_hub.load(path)([1.0], as_dict=True)
    assert _found(path, tmp_path) == []


def test_a_function_that_a_branch_becomes(tmp_path: Path) -> None:
    def module_fn() -> None:
        x = v1.placeholder(tf.float32, [None], "x")
        asset = _asset(tmp_path)
        v1.disable_control_flow_v2()
        read = v1.cond(
            x[0] > 0,
            lambda: tf.raw_ops.ReadFile(filename=asset),
            lambda: tf.constant("no"),
            name="cc",
        )
        v1.enable_control_flow_v2()
        secret, flag = tf.constant(str(tmp_path / "secret")), x[0] > -7
        other = v1.cond(
            x[0] > -5,
            lambda: tf.where(flag, secret, secret),
            lambda: tf.where(flag, secret, tf.identity(secret)),
        )
        handle, flow = tf.raw_ops.TensorArrayV3(size=1, dtype=tf.float32)
        stuck = tf.raw_ops.TensorArrayGradV3(handle=handle, flow_in=flow, source="g")
        with tf.control_dependencies([stuck.flow_out]):
            other = tf.identity(other)
        compat_hub.add_signature(
            inputs={"x": x}, outputs={"default": x, "read": read, "other": other}
        )

    def edit(graph_def: Any) -> None:
        for node in graph_def.node:
            if node.op == "ReadFile":
                node.input[:] = ["asset", "^cc/switch_t"]
            if node.op in {"If", "StatelessIf"}:
                old, node.attr["then_branch"].func.name = (
                    node.attr["then_branch"].func.name,
                    "cc_Merge_if_true",
                )
        for inner in graph_def.library.function:
            if inner.signature.name == old:
                inner.signature.name = "cc_Merge_if_true"

    path = _export(tmp_path, module_fn)
    _edit(path, edit)
    with pytest.raises(compat_hub.ModuleFormatError, match=r"two functions .* 'cc_Merge_if_true'"):
        compat_hub.load(path)([1.0], as_dict=True)
    assert _found(path, tmp_path) == []


def _iterator(marker: Path, name: str, writes: bool = False) -> tf.Tensor:
    @function.Defun()
    def factory() -> tf.Tensor:
        write = [tf.raw_ops.WriteFile(filename=str(marker), contents="evil")] if writes else []
        with tf.control_dependencies(write):
            start = tf.constant(0, tf.int64)
        kind: Any = {"output_types": [tf.int64], "output_shapes": [[]]}
        step = tf.constant(1, tf.int64)
        return tf.raw_ops.RangeDataset(start=start, stop=start + 9, step=step, **kind)

    factory.add_to_graph(v1.get_default_graph())
    return tf.raw_ops.OneShotIterator(
        dataset_factory=factory, output_types=[tf.int64], output_shapes=[[]], shared_name=name
    )


@pytest.mark.parametrize("used", ["trick", "another"])
def test_an_iterator_that_waits_for_a_node_with_a_function(used: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"

    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        _iterator(marker, "donor", writes=True)
        _iterator(marker, "trick")
        (element,) = tf.raw_ops.IteratorGetNext(
            iterator=_iterator(marker, used), output_types=[tf.int64], output_shapes=[[]]
        )
        return {"default": ({"x": x}, {"default": x + tf.cast(element, tf.float32)})}

    def edit(graph_def: Any) -> None:
        iterators = {}
        for node in graph_def.node:
            if node.op == "OneShotIterator":
                iterators.setdefault(node.attr["shared_name"].s, node)
        donor = iterators[b"donor"]
        donor.op = "NoOp"
        for name in ("shared_name", "container"):
            donor.attr.pop(name, None)
        iterators[b"trick"].input.append(f"^{donor.name}")

    path = write_module(tmp_path / "module", none=build)
    _edit(path, edit)
    assert _found(path, tmp_path) == []
    assert compat_hub.load(path)([1.0]).numpy() == [1.0]
