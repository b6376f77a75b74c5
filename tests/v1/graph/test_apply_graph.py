"""A signature applied in a program's graph."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.v1.authoring.signatures import ColocationWarning
from tests.records import FIXTURES
from tests.v1.modules import WEIGHTS, X, control_flow, linear_spec, run, words

v1 = tf.compat.v1
KEYS = v1.GraphKeys


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def _flag(value: bool) -> Any:
    return v1.placeholder_with_default(value, [])


def _in_cond(module: Any) -> Any:
    return tf.cond(_flag(True), lambda: module(X), lambda: tf.zeros([2, 2]))


def _in_cond_not_taken(module: Any) -> Any:
    return tf.cond(_flag(False), lambda: module(X), lambda: tf.zeros([2, 2]))


def _in_case(module: Any) -> Any:
    branches = [(_flag(False), lambda: tf.zeros([2, 2])), (_flag(True), lambda: module(X))]
    return v1.case(branches, exclusive=False)


def _loop(module: Any, steps: int = 2) -> Any:
    shapes = [tf.TensorShape([]), tf.TensorShape([None, 2])]
    return tf.while_loop(
        lambda i, _: i < steps, lambda i, y: (i + 1, module(y)), [tf.constant(0), X], shapes
    )[1]


def _in_a_loop_in_cond(module: Any) -> Any:
    return tf.cond(_flag(True), lambda: _loop(module), lambda: tf.zeros([2, 2]))


def _in_cond_in_a_loop(module: Any) -> Any:
    return _loop(lambda y: tf.cond(y[0, 0] < 20, lambda: module(y), lambda: y))


def _in_map_fn(module: Any) -> Any:
    return tf.map_fn(lambda row: module(row[None])[0], tf.constant(X))


def _in_scan(module: Any) -> Any:
    return tf.scan(lambda y, _: module(y), tf.zeros([2]), X)[-1]


def _in_a_function(module: Any) -> Any:
    return tf.function(lambda x: module(x))(tf.constant(X))  # noqa: PLW0108


# How often each applies the module, one application after another.
PLACES = {
    _in_cond: 1,
    _in_cond_not_taken: 0,
    _in_case: 1,
    _loop: 2,
    _in_a_loop_in_cond: 2,
    _in_cond_in_a_loop: 2,
    _in_map_fn: 1,
    _in_scan: 2,
    _in_a_function: 1,
}
ONES = np.ones([2, 2], np.float32)
VALUES = [np.zeros([2, 2]), X @ WEIGHTS, X @ WEIGHTS @ WEIGHTS]
GRADIENTS = [
    np.zeros([2, 2]),
    X.T @ ONES,
    X.T @ ONES @ WEIGHTS.T + (X @ WEIGHTS).T @ ONES,
]


@pytest.mark.parametrize("use_resource", [True, False], ids=["resource", "reference"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.usefixtures("graph")
def test_in_control_flow(use_resource: bool, version: int) -> None:
    module = compat_hub.Module(linear_spec(use_resource))
    with control_flow(version):
        outputs = {place.__name__: place(module) for place in PLACES}
        w = module.variable_map["w"]
        gradients = {name: tf.gradients(y, w)[0] for name, y in outputs.items()}
        outputs, gradients = run([outputs, gradients])
    for place, count in PLACES.items():
        name = place.__name__
        np.testing.assert_array_equal(outputs[name], VALUES[count], name)
        np.testing.assert_array_equal(gradients[name], GRADIENTS[count], name)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("use_resource", [True, False])
@pytest.mark.usefixtures("graph")
def test_in_a_dataset(version: int, use_resource: bool) -> None:
    with control_flow(version):
        module = compat_hub.Module(linear_spec(use_resource))
        text = compat_hub.Module(compat_hub.create_module_spec(words))
        dataset = tf.data.Dataset.from_tensors(X).map(lambda x: (module(x), text(["red"])))
        iterator = v1.data.make_initializable_iterator(dataset)
        following = iterator.get_next()
        with v1.Session() as session:
            session.run([v1.global_variables_initializer(), v1.tables_initializer()])
            session.run(iterator.initializer)
            y, ids = session.run(following)
    np.testing.assert_array_equal(y, X @ WEIGHTS)
    assert ids.tolist() == [1]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("use_resource", [True, False])
def test_update_ops(version: int, use_resource: bool, graph: tf.Graph) -> None:
    with control_flow(version):
        module = compat_hub.Module(linear_spec(use_resource), trainable=True)
        assert graph.get_collection(KEYS.UPDATE_OPS) == []
        outputs = [module(X), module(2 * X)]
        updates = graph.get_collection(KEYS.UPDATE_OPS)
        assert len(updates) == 2
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            session.run(outputs)
            assert session.run(module.variable_map["seen"]) == 0.0
            session.run(updates)
            assert session.run(module.variable_map["seen"]) == 3 * X.sum()


@pytest.mark.usefixtures("graph")
def test_update_ops_in_a_branch() -> None:
    with control_flow(1):
        module = compat_hub.Module(linear_spec(), trainable=True)

        def branch() -> Any:
            y = module(X)
            (update,) = v1.get_collection(KEYS.UPDATE_OPS)
            with tf.control_dependencies([update]):
                return tf.identity(y)

        flag = _flag(True)
        y = tf.cond(flag, branch, lambda: tf.zeros([2, 2]))
        seen = module.variable_map["seen"]
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            session.run(y, {flag: False})
            assert session.run(seen) == 0.0
            session.run(y)
            assert session.run(seen) == X.sum()


@pytest.mark.usefixtures("graph")
def test_reference_variables_that_a_function_cannot_update() -> None:
    module = compat_hub.Module(linear_spec(use_resource=False), trainable=True)
    with (
        control_flow(2),
        pytest.raises(
            compat_hub.GraphError,
            match=r"the node 'update' of type 'AssignAdd' needs.*'seen:0' itself.* or with "
            r"trainable=False.*disable_control_flow_v2",
        ),
    ):
        _in_cond(module)


@pytest.mark.parametrize("use_resource", [True, False])
@pytest.mark.usefixtures("graph")
def test_an_output_that_is_a_variable(use_resource: bool) -> None:
    def module_fn() -> None:
        v = v1.get_variable("v", initializer=[1.0, 2.0], use_resource=use_resource)
        found = v.value() if use_resource else v.op.outputs[0]
        compat_hub.add_signature(outputs=found)

    module = compat_hub.Module(compat_hub.create_module_spec(module_fn))
    for version in (1, 2):
        with control_flow(version):
            y = tf.cond(_flag(True), lambda: tf.identity(module()), lambda: tf.zeros([2]))
            assert run([module(), y])[1].tolist() == [1.0, 2.0]


def test_an_output_that_is_a_reference_in_an_eager_program() -> None:
    def module_fn() -> None:
        v = v1.get_variable("v", initializer=[1.0, 2.0], use_resource=False)
        compat_hub.add_signature(outputs=v.op.outputs[0])

    spec = compat_hub.create_module_spec(module_fn)
    function = v1.wrap_function(lambda: compat_hub.Module(spec)(), [])  # noqa: PLW0108
    assert function().numpy().tolist() == [1.0, 2.0]


def _functions(factor: float) -> compat_hub.ModuleSpec:
    def module_fn() -> None:
        x = v1.placeholder(tf.float32, [], name="x")

        @tf.function
        def scaled(x: Any) -> Any:
            return tf.cond(x > 0, lambda: factor * x, lambda: x)

        compat_hub.add_signature(inputs=x, outputs=scaled(x))

    return compat_hub.create_module_spec(module_fn)


@pytest.mark.usefixtures("graph")
def test_functions_of_one_name() -> None:
    first, second = _functions(2.0), _functions(3.0)
    x = tf.constant(5.0)
    modules = [compat_hub.Module(spec) for spec in (first, second, first)]
    outputs = [module(x) for module in modules] + [modules[0](-x)]
    gradients = [tf.gradients(y, x)[0] for y in outputs]
    assert run([outputs, gradients]) == [[10.0, 15.0, 10.0, -5.0], [2.0, 3.0, 2.0, -1.0]]


@pytest.mark.usefixtures("graph")
def test_functions_that_clash_in_two_modules() -> None:
    values = []
    for name in ("functions", "functions_clash", "functions"):
        module = compat_hub.Module(str(FIXTURES / name / "module"))
        infos = module.get_input_info_dict()
        inputs = {
            key: tf.ones([d or 2 for d in info.get_shape().as_list()], info.dtype)
            for key, info in infos.items()
        }
        y = module(inputs, as_dict=True)
        values.append(run(y))
    for key in values[0]:
        np.testing.assert_array_equal(values[0][key], values[2][key])


def _colocated() -> compat_hub.ModuleSpec:
    def module_fn() -> None:
        x = v1.placeholder(tf.float32, [], name="x")
        v = v1.get_variable("v", [], use_resource=False)
        with v1.colocate_with(x), v1.colocate_with(v):
            y = tf.negative(x, name="y")
        with v1.colocate_with(y):
            z = tf.negative(y, name="z")
        compat_hub.add_signature(inputs=x, outputs={"y": y, "z": z})

    return compat_hub.create_module_spec(module_fn)


def _groups(tensor: Any) -> set[bytes]:
    return set(tensor.op.colocation_groups())


@pytest.mark.usefixtures("graph")
def test_colocation_follows_the_inputs() -> None:
    module = compat_hub.Module(_colocated(), name="m")
    with tf.device("/device:CPU:1"):
        u = tf.constant(1.0, name="u")
    with v1.colocate_with(u):
        x = tf.constant(1.0, name="x")
    outputs = module(x, as_dict=True)
    assert _groups(outputs["y"]) == {b"loc:@u", b"loc:@m/v"}
    assert outputs["y"].device == "/device:CPU:1"
    # What is colocated with a node of the module is with what that one is colocated with.
    assert _groups(outputs["z"]) in ({b"loc:@u", b"loc:@m/v"}, {b"loc:@m_apply_default/y"})
    with tf.device("/device:CPU:0"):
        assert module(tf.constant(1.0), as_dict=True)["y"].op.colocation_groups()


@pytest.mark.usefixtures("graph")
def test_colocation_with_parts_of_an_op() -> None:
    def module_fn() -> None:
        first, second = tf.split(tf.zeros([2]), 2, name="split")
        with v1.colocate_with(first):
            y = tf.add(first, second, name="y")
        compat_hub.add_signature("both", {"a": first, "b": second}, y)
        compat_hub.add_signature("one", {"a": first}, y)

    with pytest.warns(ColocationWarning):
        spec = compat_hub.create_module_spec(module_fn)
    module = compat_hub.Module(spec)
    u = tf.constant([1.0], name="u")
    with v1.colocate_with(u):
        v = tf.constant([2.0])
    y = module({"a": u, "b": v}, signature="both")
    assert _groups(y) == {b"loc:@u"}
    assert run(y).tolist() == [3.0]
    for signature, inputs in ("both", {"a": u, "b": [2.0]}), ("one", {"a": u}):
        with pytest.raises(
            compat_hub.SignatureError, match=r"'y' is colocated.*each input a place"
        ):
            module(inputs, signature=signature)


@pytest.mark.usefixtures("graph")
def test_an_input_takes_the_place_of_state() -> None:
    def module_fn() -> None:
        v = v1.get_variable("v", initializer=1.0)
        compat_hub.add_signature("given", v.handle, tf.negative(v))
        compat_hub.add_signature("own", None, tf.negative(v))

    module = compat_hub.Module(compat_hub.create_module_spec(module_fn))
    other = v1.get_variable("other", initializer=5.0, use_resource=True)
    given = module(other.handle, signature="given")
    assert run([given, module(signature="own")]) == [-5.0, -1.0]


@pytest.mark.parametrize("name", ["a/b", "with space", "with:colon", "ä", "'"])
@pytest.mark.usefixtures("graph")
def test_names_of_signatures(name: str) -> None:
    def module_fn() -> None:
        x = v1.placeholder(tf.float32, [])
        compat_hub.add_signature(name, x, tf.negative(x, name="y"))

    module = compat_hub.Module(compat_hub.create_module_spec(module_fn))
    y = module(1.0, signature=name)
    assert y.name.startswith("module_apply_")
    assert y.name.count("/") == 1
    assert run(y) == -1.0
    with control_flow(2):
        assert run(tf.cond(_flag(True), lambda: module(2.0, signature=name), lambda: 1.0)) == -2.0


def test_only_what_is_fetched_runs(graph: tf.Graph) -> None:
    def module_fn() -> None:
        x = v1.placeholder(tf.float32, [])
        count = v1.get_variable("count", initializer=0.0)
        with tf.control_dependencies([count.assign_add(1.0)]):
            counted = tf.identity(x)
        with tf.control_dependencies([tf.debugging.Assert(False, ["wrong"])]):
            failing = tf.identity(x)
        outputs = {"default": tf.negative(x), "counted": counted, "failing": failing}
        compat_hub.add_signature(inputs=x, outputs=outputs)

    module = compat_hub.Module(compat_hub.create_module_spec(module_fn))
    outputs = module(3.0, as_dict=True)
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        assert session.run(outputs["default"]) == -3.0
        assert session.run(module.variable_map["count"]) == 0.0
        session.run(outputs["counted"])
        assert session.run(module.variable_map["count"]) == 1.0
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run(outputs["failing"])
    del graph


@pytest.mark.usefixtures("graph")
def test_tensors_of_an_unrelated_graph() -> None:
    module = compat_hub.Module(linear_spec())
    with tf.Graph().as_default():
        other = tf.constant(X)
    with pytest.raises(compat_hub.InputTypeError, match=r"input 'Const:0' is a tensor of another"):
        module(other)


@pytest.mark.usefixtures("graph")
def test_an_eager_tensor() -> None:
    module = compat_hub.Module(linear_spec())
    with pytest.raises(compat_hub.InputTypeError, match=r"input 'default'"):
        module(EAGER)


EAGER = tf.constant(X)


@pytest.mark.usefixtures("graph")
def test_a_gradient_of_its_own_that_was_lost() -> None:
    module = compat_hub.Module(str(FIXTURES / "custom_gradient" / "module"))
    ((key, info),) = module.get_input_info_dict().items()
    x = tf.ones([d or 2 for d in info.get_shape().as_list()])
    with pytest.warns(UserWarning, match="gradient of their own"):
        (gradient,) = tf.gradients(module({key: x}), x)
    assert np.isfinite(run(gradient)).all()


def test_gradients_of_gradients(graph: tf.Graph) -> None:
    def module_fn() -> None:
        x = v1.placeholder(tf.float32, [])
        y = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, x * y), [0, 1.0])[1]
        compat_hub.add_signature(inputs=x, outputs=y)

    for built, applied in itertools.product([1, 2], [1, 2]):
        with control_flow(built):
            module = compat_hub.Module(compat_hub.create_module_spec(module_fn))
        with control_flow(applied):
            x = tf.constant(2.0)
            y = module(x)
            (first,) = tf.gradients(y, x)
            assert run([y, first]) == [8.0, 12.0]
            if built == 2:
                assert run(tf.gradients(first, x)) == [12.0]
    del graph
