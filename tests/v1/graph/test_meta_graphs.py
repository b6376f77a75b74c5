"""What is changed in a variant's MetaGraph before a program's graph imports it."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

import compat_hub
from compat_hub.format.spec import ModuleSpec
from compat_hub.format.variant import GraphVariant
from compat_hub.programs.meta_graph_passes import initialize_from_checkpoint
from compat_hub.v1.graph.meta_graphs import (
    forget_state,
    prefix_shared_names,
    prepare,
    state_nodes,
)
from tests.copies import node
from tests.records import FIXTURES

v1 = tf.compat.v1


def _everything(variant: GraphVariant) -> Any:
    """A copy of its MetaGraph."""
    meta_graph = type(variant.meta_graph)()
    meta_graph.CopyFrom(variant.meta_graph)
    return meta_graph


def _spec(name: str) -> ModuleSpec:
    return compat_hub.load_module_spec(FIXTURES / name / "module")


def test_what_was_read_is_not_changed() -> None:
    spec = _spec("text_table")
    variant = spec.variant()
    before = variant.meta_graph.SerializeToString(deterministic=True)
    meta_graph = prepare(spec, variant, {})
    prefix_shared_names(meta_graph, "scope")
    initialize_from_checkpoint(meta_graph, variant, "prefix")
    forget_state(meta_graph, {"x:0": tf.constant(1.0)})
    assert variant.meta_graph.SerializeToString(deterministic=True) == before


def test_assets_are_where_the_module_is() -> None:
    spec = _spec("text_two_assets")
    meta_graph = prepare(spec, spec.variant(), {})
    assert len(spec.variant().assets) > 1
    for tensor, file in spec.variant().assets.items():
        (path,) = node(meta_graph, tensor.partition(":")[0]).attr["value"].tensor.string_val
        assert path.decode() == f"{spec.path}/assets/{file}"
        assert tf.io.gfile.exists(path)


def test_devices_are_dropped(copy_of) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        for each in meta_graph.graph_def.node:
            each.device = "/device:GPU:7"
    spec = compat_hub.load_module_spec(copy.path)
    assert b"GPU" not in prepare(spec, spec.variant(), {}).graph_def.SerializeToString()


def _conditional(factor: float) -> ModuleSpec:
    def module_fn() -> None:
        x = v1.placeholder(tf.float32, [])

        @tf.function
        def scaled(x: Any) -> Any:
            return tf.cond(x > 0, lambda: factor * x, lambda: x)

        compat_hub.add_signature(inputs=x, outputs=scaled(x))

    return compat_hub.create_module_spec(module_fn)


def _library(spec: ModuleSpec) -> set[str]:
    library = prepare(spec, spec.variant(), {}).graph_def.library
    return {function.signature.name for function in library.function}


def test_calls_become_what_they_compute() -> None:
    spec = _conditional(2.0)
    meta_graph = prepare(spec, spec.variant(), {})
    ops = [n.op for n in meta_graph.graph_def.node]
    assert "StatelessIf" in ops
    assert not {"PartitionedCall", "StatefulPartitionedCall"} & set(ops)
    assert len(_library(spec)) == 2


@pytest.mark.parametrize(
    ("fixture", "stay"),
    [("partitioned_control_flow", False), ("function_loop_twice", True), ("functions", True)],
)
def test_calls_stay_beside_loops_of_tf1_and_own_gradients(fixture: str, stay: bool) -> None:
    spec = _spec(fixture)
    names = spec.variant().function_names
    ops = {
        n.op.rpartition("__")[0] or n.op for n in prepare(spec, spec.variant(), {}).graph_def.node
    }
    assert bool(ops & {*names, "PartitionedCall", "StatefulPartitionedCall"}) == stay


def test_functions_of_two_modules_have_different_names() -> None:
    first, second = _library(_conditional(2.0)), _library(_conditional(3.0))
    assert first
    assert not first & second


def test_functions_of_two_imports_have_different_names() -> None:
    # Their gradients define more functions under names that follow from theirs.
    spec = _conditional(4.0)
    assert not _library(spec) & _library(spec)


def test_collections() -> None:
    spec = _spec("image_bn")
    kept = {"variables": None, "update_ops": ["one"], "never_there": None}
    meta_graph = prepare(spec, spec.variant("train"), kept)
    assert set(meta_graph.collection_def) == {"variables", "update_ops"}
    assert meta_graph.collection_def["update_ops"].node_list.value == ["one"]


def test_shared_names() -> None:
    spec = _spec("text_table")
    before = prepare(spec, spec.variant(), {})
    after = prepare(spec, spec.variant(), {})
    prefix_shared_names(after, "a/b")
    changed = 0
    for old, new in zip(before.graph_def.node, after.graph_def.node, strict=True):
        name = old.attr["shared_name"].s if "shared_name" in old.attr else b""
        if name:
            assert new.attr["shared_name"].s == b"a/b/" + name
            changed += 1
        else:
            assert new == old
    assert changed


def test_each_variable_reads_its_own_part_of_the_checkpoint() -> None:
    spec = _spec("partitioned")
    variant = spec.variant()
    meta_graph = _everything(variant)
    initialize_from_checkpoint(meta_graph, variant, "the/prefix")
    restores = {n.name: n for n in meta_graph.graph_def.node if n.op == "RestoreV2"}
    read = set()
    for info in variant.variables:
        restore = restores[f"checkpoint_initializer/{info.name}"]
        values = [node(meta_graph, i).attr["value"].tensor.string_val[:] for i in restore.input]
        assert values[0] == [b"the/prefix"]
        assert values[1] == [info.key.encode()]
        assert values[2] == [(info.slice.spec if info.slice else "").encode()]
        assert restore.attr["dtypes"].list.type == [info.dtype.as_datatype_enum]
        read.add((*values[1], *values[2]))
    assert len(read) == len(variant.variables)
    with tf.Graph().as_default() as graph:
        v1.train.import_meta_graph(meta_graph)
        for variable in v1.global_variables():
            assert variable.initializer.inputs[1].op.type == "RestoreV2"
            assert variable.initial_value.op is variable.initializer.inputs[1].op
        assert len(graph.get_collection("variables")) == len(variant.variables)


def test_a_scope_that_the_module_has_already() -> None:
    # A module in a module has the nodes that restored the inner one.
    spec = _spec("fruit")
    variant = spec.variant()
    meta_graph = _everything(variant)
    taken = f"checkpoint_initializer/{variant.variables[0].name}"
    meta_graph.graph_def.node.add(name=taken, op="NoOp")
    initialize_from_checkpoint(meta_graph, variant, "prefix")
    names = [n.name for n in meta_graph.graph_def.node]
    assert len(names) == len(set(names))
    assert node(meta_graph, f"{taken}_").op == "RestoreV2"


def test_a_variable_that_nothing_initializes(copy_of) -> None:
    copy = copy_of("fruit")
    with copy.meta_graph() as meta_graph:
        assign = next(n for n in meta_graph.graph_def.node if n.op == "AssignVariableOp")
        assign.name += "_renamed"
    spec = compat_hub.load_module_spec(copy.path)
    with pytest.raises(compat_hub.ModuleFormatError, match=r"no op that assigns its initial value"):
        initialize_from_checkpoint(_everything(spec.variant()), spec.variant(), "prefix")


def test_state() -> None:
    variant = _spec("text_table").variant()
    found = set(state_nodes(variant))
    assert {info.name for info in variant.variables} <= found
    assert {n.op for n in variant.nodes.values() if n.name in found} >= {"VarHandleOp"}
    assert any("HashTable" in variant.nodes[name].op for name in found)
    assert not any(variant.nodes[name].input for name in found)


def test_state_becomes_placeholders() -> None:
    spec = _spec("reference")
    variant = spec.variant()
    meta_graph = prepare(spec, variant, {})
    with tf.Graph().as_default():
        name = variant.variables[0].name
        variable = v1.get_variable("v", [1], use_resource=False)
        forget_state(meta_graph, {f"{name}:0": variable.op.outputs[0]})
    forgotten = node(meta_graph, name)
    assert forgotten.op == "Placeholder"
    assert set(forgotten.attr) == {"dtype"}
    assert forgotten.attr["dtype"].type == tf.float32.as_datatype_enum
