"""A module's state in a program's graph; the programs of tests/tf1 compare the names with TF1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.v1.graph.instance_state import InstanceState
from compat_hub.v1.graph.state_graph import import_state, reserve_scope
from tests.records import FIXTURES, Record

v1 = tf.compat.v1
KEYS = v1.GraphKeys


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def _import(
    name: str, tags: Any = None, trainable: bool = False, scope: str = "m"
) -> InstanceState:
    spec = compat_hub.load_module_spec(FIXTURES / name / "module")
    return import_state(spec, spec.variant(tags), reserve_scope(scope), trainable)


def _run(tensors: Any) -> Any:
    with v1.Session() as session:
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        return session.run(tensors)


def _names(key: str) -> list[str]:
    return [each.name for each in v1.get_collection(key)]


def test_scopes_are_unique(graph: tf.Graph) -> None:
    for expected in ("a", "a_1"):
        assert reserve_scope("a") == expected
        with tf.name_scope("a") as found:
            assert found == f"{expected}/"
    with v1.variable_scope(None, default_name="a") as scope:
        assert scope.name == "a_2"
    with tf.name_scope("outer"):
        assert reserve_scope("b") == "b"
    with v1.variable_scope("variables"), tf.name_scope("names"):
        assert reserve_scope("b") == "variables/b"
    assert not graph.get_operations()


@pytest.mark.usefixtures("graph")
def test_a_scope_that_ops_are_in() -> None:
    with tf.name_scope("a"):
        tf.constant(1.0)
    with pytest.raises(compat_hub.GraphError, match=r"'a' is free.*Pass another `name`"):
        reserve_scope("a")
    with v1.variable_scope("v", auxiliary_name_scope=False):
        assert reserve_scope("a") == "v/a"


@pytest.mark.parametrize("fixture", ["fruit", "reference", "partitioned", "sharded", "bfloat16"])
@pytest.mark.usefixtures("graph")
def test_variables_restore_themselves(fixture: str) -> None:
    record = Record(FIXTURES / fixture)
    state = _import(fixture)
    assert v1.global_variables()
    found = _run(dict(state.variable_map))
    for name, value in record.variables(0).items():
        whole = np.concatenate(found[name]) if isinstance(found[name], list) else found[name]
        np.testing.assert_array_equal(whole, value)
    for value in state.variable_map.values():
        for variable in value if isinstance(value, list) else [value]:
            assert variable.name.startswith("m/")


@pytest.mark.usefixtures("graph")
def test_one_variable_initialized_alone() -> None:
    state = _import("fruit")
    first, second = list(state.variable_map.values())[:2]
    with v1.Session() as session:
        session.run(first.initializer)
        uninitialized = session.run(v1.report_uninitialized_variables([first, second]))
    assert uninitialized.tolist() == [second.op.name.encode()]


@pytest.mark.usefixtures("graph")
def test_parts_are_in_order() -> None:
    state = _import("partitioned")
    parts = next(v for v in state.variable_map.values() if isinstance(v, list))
    assert len(parts) > 1
    assert [v.name for v in parts] == sorted(v.name for v in parts)
    offsets = [v._save_slice_info.var_offset[0] for v in parts]
    assert offsets == sorted(offsets)


@pytest.mark.parametrize("trainable", [False, True])
@pytest.mark.usefixtures("graph")
def test_collections(trainable: bool) -> None:
    spec = compat_hub.load_module_spec(FIXTURES / "image_bn" / "module")
    state = _import("image_bn", {"train"}, trainable)
    variant = spec.variant("train")
    assert sorted(_names(KEYS.GLOBAL_VARIABLES)) == sorted(
        f"m/{v.name}:0" for v in variant.variables
    )
    expected = sorted(f"m/{v.name}:0" for v in variant.variables if v.trainable and trainable)
    assert sorted(_names(KEYS.TRAINABLE_VARIABLES)) == expected
    assert len(v1.losses.get_regularization_losses()) == (
        len(variant.regularization_losses) if trainable else 0
    )
    assert v1.get_collection(KEYS.UPDATE_OPS) == []  # an application brings them
    if trainable:
        assert np.isfinite(_run(v1.losses.get_regularization_loss()))
    assert set(state.variable_map) == {v.key for v in variant.variables}


@pytest.mark.usefixtures("graph")
def test_tables_and_assets() -> None:
    state = _import("text_table")
    assert len(_names(KEYS.TABLE_INITIALIZERS)) == 1
    paths = _run(v1.get_collection(KEYS.ASSET_FILEPATHS))
    assert [tf.io.gfile.exists(path) for path in paths] == [True]
    assert any(t.dtype == tf.resource for t in state.tensors.values())


@pytest.mark.parametrize("fixture", ["fruit", "reference", "text_table"])
def test_two_instances_are_apart(fixture: str, graph: tf.Graph) -> None:
    first, second = _import(fixture), _import(fixture)
    assert not {t.name for t in first.tensors.values()} & {t.name for t in second.tensors.values()}
    shared = [
        op.get_attr("shared_name")
        for op in graph.get_operations()
        if "shared_name" in op.node_def.attr and op.get_attr("shared_name")
    ]
    assert len(shared) == len(set(shared))
    for name, found in first.variable_map.items():
        variable, other = (
            v[0] if isinstance(v, list) else v for v in (found, second.variable_map[name])
        )
        zeros = tf.zeros_like(variable)
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            session.run(variable.assign(zeros))
            assert session.run(tf.reduce_any(other != zeros))


@pytest.mark.usefixtures("graph")
def test_values_are_there_for_reference_variables_only() -> None:
    assert not _import("fruit").values
    state = _import("reference")
    assert state.values
    for name, value in state.values.items():
        assert value.dtype == state.tensors[name].dtype.base_dtype
        assert value.dtype != state.tensors[name].dtype


@pytest.mark.usefixtures("graph")
def test_the_programs_own_variables_are_not_the_modules() -> None:
    mine = v1.get_variable("m_1/w", [])
    with v1.variable_scope("m_1"):
        v1.get_variable("other", [])
    state = _import("fruit", scope="other_scope")
    assert all(v is not mine for v in state.variable_map.values())
    assert len(v1.global_variables()) == 2 + len(state.variable_map)


def _initializers(first: float) -> Callable[[], None]:
    def module_fn() -> None:
        a = v1.get_variable("a", initializer=[first])
        b = v1.get_variable("b", initializer=2.0 * a.initial_value)
        compat_hub.add_signature(outputs=a + b)

    return module_fn


@pytest.mark.usefixtures("graph")
def test_without_a_checkpoint_its_own_initializers_run() -> None:
    spec = compat_hub.create_module_spec(_initializers(3.0))
    state = import_state(spec, spec.variant(), reserve_scope("m"), False)
    assert _run(state.variable_map["b"]).tolist() == [6.0]


@pytest.mark.parametrize("damage", ["lacks", "shape", "dtype", "missing"])
def test_a_checkpoint_that_does_not_fit(damage: str, copy_of) -> None:
    copy = copy_of("fruit")
    with copy.checkpoint() as values:
        name = min(values)
        value = values.pop(name)
        if damage == "shape":
            values[name] = value[:1]
        elif damage == "dtype":
            values[name] = value.astype("float64")
    if damage == "missing":
        copy.file("variables/variables.index").unlink()
    spec = compat_hub.load_module_spec(copy.path)
    expected = "cannot be opened" if damage == "missing" else f"the variable {name!r}"
    with tf.Graph().as_default() as graph:
        with pytest.raises(compat_hub.ModuleFormatError, match=f"Module .*: .*{expected}"):
            import_state(spec, spec.variant(), reserve_scope("m"), False)
        assert not graph.get_operations()


def test_a_missing_asset(copy_of) -> None:
    copy = copy_of("text_table")
    spec = compat_hub.load_module_spec(copy.path)
    (file,) = spec.variant().assets.values()
    copy.file(f"assets/{file}").unlink()
    with tf.Graph().as_default() as graph:
        with pytest.raises(compat_hub.ModuleFormatError, match=f"asset file .*{file}' is missing"):
            import_state(spec, spec.variant(), reserve_scope("m"), False)
        assert not graph.get_operations()
