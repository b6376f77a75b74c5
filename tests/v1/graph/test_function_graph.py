"""A module inside functions: in a graph of TF1, and in an eager program."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from tests.records import FIXTURES, OUTPUT_TOLERANCE, Record, assert_close
from tests.v1.modules import WEIGHTS, X, linear_spec, run, words

v1 = tf.compat.v1
KEYS = v1.GraphKeys
SPEC = [tf.TensorSpec([None, 2], tf.float32)]


def _wrap(build: Any) -> tuple[Any, dict[str, Any]]:
    """Wraps a function of x and of a dict that it may fill."""
    seen: dict[str, Any] = {}
    return v1.wrap_function(lambda x: build(x, seen), SPEC), seen


@pytest.fixture(autouse=True)
def _default_graph_stays_empty():
    yield
    graph = v1.get_default_graph()
    assert not any(graph.get_collection(key) for key in graph.get_all_collection_keys())


def test_variables_have_values_at_once() -> None:
    def build(x: Any, seen: dict[str, Any]) -> Any:
        seen["module"] = compat_hub.Module(linear_spec())
        return seen["module"](x)

    function, seen = _wrap(build)
    np.testing.assert_array_equal(function(X), X @ WEIGHTS)
    variables = seen["module"].variable_map
    assert {key: v.name for key, v in variables.items()} == {
        "seen": "module/seen:0",
        "w": "module/w:0",
    }
    np.testing.assert_array_equal(variables["w"].numpy(), WEIGHTS)
    variables["w"].assign(2.0 * WEIGHTS)
    np.testing.assert_array_equal(function(X), 2.0 * X @ WEIGHTS)


@pytest.mark.parametrize("trainable", [False, True])
@pytest.mark.parametrize("use_resource", [False, True])
def test_collections(trainable: bool, use_resource: bool) -> None:
    def build(x: Any, seen: dict[str, Any]) -> Any:
        v1.get_variable("mine", initializer=1.0, use_resource=True)
        module = compat_hub.Module(linear_spec(use_resource), trainable)
        y = module(x)
        for key in (
            KEYS.GLOBAL_VARIABLES,
            KEYS.TRAINABLE_VARIABLES,
            KEYS.UPDATE_OPS,
            KEYS.REGULARIZATION_LOSSES,
        ):
            seen[key] = [each.name for each in v1.get_collection(key)]
        seen["module"] = module
        return y, v1.losses.get_regularization_loss()

    function, seen = _wrap(build)
    assert seen[KEYS.GLOBAL_VARIABLES] == ["mine:0", "module/w:0", "module/seen:0"]
    assert seen[KEYS.TRAINABLE_VARIABLES] == ["mine:0"] + ["module/w:0"] * trainable
    assert len(seen[KEYS.UPDATE_OPS]) == len(seen[KEYS.REGULARIZATION_LOSSES]) == trainable
    _, loss = function(X)
    assert loss.numpy() == (30.0 if trainable else 0.0)
    # As in a session, what nothing depends on does not run.
    assert seen["module"].variable_map["seen"].numpy() == 0.0
    assert [v.name for v in function.trainable_variables] == ["module/w:0"] * trainable


def test_gradients() -> None:
    def build(x: Any, seen: dict[str, Any]) -> Any:
        module = seen["module"] = compat_hub.Module(linear_spec(), trainable=True)
        loss = tf.reduce_sum(module(x)) + v1.losses.get_regularization_loss()
        updates = v1.get_collection(KEYS.UPDATE_OPS)
        with tf.control_dependencies(updates):
            return tf.identity(loss), tf.gradients(loss, module.variable_map["w"])[0]

    function, seen = _wrap(build)
    w = seen["module"].variable_map["w"]
    with tf.GradientTape() as tape:
        loss, inner = function(X)
    expected = np.tile(X.sum(0)[:, None], [1, 2]) + 2.0 * WEIGHTS
    np.testing.assert_array_equal(inner, expected)
    np.testing.assert_array_equal(tape.gradient(loss, w), expected)
    assert seen["module"].variable_map["seen"].numpy() == X.sum()


def test_an_optimizer_of_tf1_inside() -> None:
    def build(x: Any, seen: dict[str, Any]) -> Any:
        module = seen["module"] = compat_hub.Module(linear_spec(), trainable=True)
        loss = tf.reduce_sum(module(x))
        step = v1.train.GradientDescentOptimizer(0.5).minimize(loss)
        with tf.control_dependencies([step]):
            return tf.identity(loss)

    function, seen = _wrap(build)
    function(X)
    function(X)
    w = seen["module"].variable_map["w"].numpy()
    np.testing.assert_array_equal(w, WEIGHTS - np.tile(X.sum(0)[:, None], [1, 2]))


def test_initializers_may_be_run() -> None:
    # In TF1 the variables of a module in wrap_function had no values before.
    def build(x: Any, seen: dict[str, Any]) -> Any:
        module = compat_hub.Module(linear_spec(), name="module_", trainable=True)
        seen["all"] = [v1.global_variables_initializer(), v1.tables_initializer()]
        seen["one"] = module.variables[0].initializer
        return [module(x), module(2.0 * x)]

    function, seen = _wrap(build)
    function.prune([], seen["all"])()
    function.prune([], seen["one"])()
    once, twice = function(X)
    np.testing.assert_array_equal(once, X @ WEIGHTS)
    np.testing.assert_array_equal(twice, 2.0 * X @ WEIGHTS)


def test_two_instances() -> None:
    def build(x: Any, seen: dict[str, Any]) -> Any:
        spec = linear_spec()
        modules = seen["modules"] = [compat_hub.Module(spec) for _ in range(2)]
        with v1.variable_scope("scope"):
            modules.append(compat_hub.Module(spec, name="module_1"))
        return [module(x) for module in modules]

    function, seen = _wrap(build)
    names = [module.variable_map["w"].name for module in seen["modules"]]
    assert names == ["module/w:0", "module_1/w:0", "scope/module_1/w:0"]
    assert [repr(m).split("'")[1] for m in seen["modules"]] == ["module", "module_1", "module_1"]
    seen["modules"][1].variable_map["w"].assign(0.0 * WEIGHTS)
    assert [float(tf.reduce_sum(y)) for y in function(X)] == [54.0, 0.0, 54.0]


def test_control_flow_inside_and_around() -> None:
    def build(x: Any, _: Any) -> Any:
        module = compat_hub.Module(linear_spec(), trainable=True)
        inside = compat_hub.Module(str(FIXTURES / "while_rnn" / "module"), trainable=True)
        z = tf.reduce_sum(inside({"x": tf.ones([2, 3, 3]), "lengths": [3, 2]}))
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: module(x), lambda: x)
        y = tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, module(y)), [0, y])[1]
        loss = tf.reduce_sum(y) + z
        return loss, tf.gradients(loss, v1.trainable_variables())

    function, _ = _wrap(build)
    loss, gradients = function(X)
    assert len(gradients) > 1
    assert all(np.isfinite(g).all() and np.any(g) for g in gradients)
    assert np.isfinite(loss)
    assert loss != (X @ np.linalg.matrix_power(WEIGHTS, 3)).sum()


def test_a_table_and_strings() -> None:
    def build(_: Any, seen: dict[str, Any]) -> Any:
        module = compat_hub.Module(compat_hub.create_module_spec(words))
        seen["ops"] = v1.get_collection(KEYS.TABLE_INITIALIZERS)
        return module(["green", "none"])

    function, seen = _wrap(build)
    assert function(X).numpy().tolist() == [2, -1]
    assert seen["ops"] == []


def test_state_lives_as_long_as_the_function() -> None:
    seen = []

    def build(x: Any) -> Any:
        module = compat_hub.Module(compat_hub.create_module_spec(words))
        seen.append(weakref.ref(module))
        return module(tf.as_string(tf.reduce_sum(x, 1)))

    function = v1.wrap_function(build, SPEC)
    gc.collect()
    assert seen[0]() is None
    assert function(X).numpy().tolist() == [-1, -1]


def test_what_is_made_in_a_function_is_not_exported(tmp_path: Any) -> None:
    def build(x: Any, seen: dict[str, Any]) -> Any:
        module = seen["module"] = compat_hub.Module(linear_spec())
        with pytest.raises(compat_hub.GraphError, match=r"compat_hub\.load\(\) and export that"):
            module.export(tmp_path / "module", None)
        return module(x)

    _, seen = _wrap(build)
    assert not list(tmp_path.iterdir())
    with pytest.raises(compat_hub.GraphError, match=r"made in a function of an eager program"):
        seen["module"](X)
    with tf.Graph().as_default(), pytest.raises(compat_hub.GraphError, match="eager program"):
        seen["module"](X)


def test_in_a_tf_function() -> None:
    modules = []

    @tf.function
    def function(x: Any) -> Any:
        if not modules:
            modules.append(compat_hub.Module(linear_spec(), trainable=True))
        return modules[0](x)

    np.testing.assert_array_equal(function(X), X @ WEIGHTS)
    np.testing.assert_array_equal(function(X[:1]), X[:1] @ WEIGHTS)  # traced again
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(function(X[:1]))
    w = modules[0].variable_map["w"]
    np.testing.assert_array_equal(tape.gradient(loss, w), np.tile(X[0][:, None], [1, 2]))
    assert [v.name for v in modules[0].variables] == ["module/seen:0", "module/w:0"]


@pytest.mark.parametrize("fixture", ["while_rnn", "cond_in_while_in_cond"])
def test_loops_in_a_tf_function(fixture: str) -> None:
    record = Record(FIXTURES / fixture)
    x = record.inputs("default")
    module: list[Any] = []

    @tf.function
    def call(x: Any) -> Any:
        if not module:
            module.append(compat_hub.Module(record.path))
        return module[0](x, as_dict=True)

    for _ in range(2):
        found = call(x)
        for name, expected in record.outputs([], "default").items():
            assert_close(found[name], expected, OUTPUT_TOLERANCE, name)


def test_a_tf_function_that_makes_a_module_each_time() -> None:
    @tf.function
    def function(x: Any) -> Any:
        return compat_hub.Module(linear_spec())(x)

    with pytest.raises(compat_hub.GraphError, match=r"variables of module 'made from.*keep it"):
        function(X)


def test_in_a_dataset_of_an_eager_program() -> None:
    def build(x: Any) -> Any:
        return compat_hub.Module(compat_hub.create_module_spec(words))(x)

    dataset = tf.data.Dataset.from_tensor_slices(["green", "none"]).batch(2)
    (found,) = dataset.map(build)
    assert found.numpy().tolist() == [2, -1]


def test_in_functions_within_a_graph() -> None:
    def build(x: Any) -> Any:
        return compat_hub.Module(linear_spec())(x)

    with tf.Graph().as_default():
        module = compat_hub.Module(linear_spec(), trainable=True)

        @tf.function
        def inner(x: Any) -> Any:
            return module(x)

        @tf.function
        def outer(x: Any) -> Any:
            return inner(x) + inner(2.0 * x)

        wrapped = v1.wrap_function(build, SPEC)
        y = outer(tf.constant(X))
        gradient = tf.gradients(y, module.variable_map["w"])[0]
        assert [v.name for v in v1.global_variables()] == [
            "module/w:0",
            "module/seen:0",
            "module_1/w:0",
            "module_1/seen:0",
        ]
        found, other, gradient = run([y, wrapped(tf.constant(X)), gradient])
    np.testing.assert_array_equal(found, 3.0 * X @ WEIGHTS)
    np.testing.assert_array_equal(other, X @ WEIGHTS)
    np.testing.assert_array_equal(gradient, np.tile(3.0 * X.sum(0)[:, None], [1, 2]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_in_a_legacy_function() -> None:
    with tf.Graph().as_default():
        module = compat_hub.Module(compat_hub.create_module_spec(words))
        dataset = v1.data.Dataset.from_tensor_slices(["green", "none"])
        dataset = dataset.batch(2).map_with_legacy_function(module)
        iterator = v1.data.make_initializable_iterator(dataset)
        v1.add_to_collection(KEYS.TABLE_INITIALIZERS, iterator.initializer)
        y = iterator.get_next()
        with v1.Session() as session:
            tables = v1.get_collection(KEYS.TABLE_INITIALIZERS)
            for initializer in tables:
                session.run(initializer)
            assert session.run(y).tolist() == [2, -1]


def test_a_tensor_of_an_unrelated_graph() -> None:
    with tf.Graph().as_default():
        other = tf.constant(X)

    def build(x: Any, seen: dict[str, Any]) -> Any:
        module = compat_hub.Module(linear_spec())
        with pytest.raises(compat_hub.InputTypeError, match=r"'Const:0' is a tensor of another"):
            module(other)
        return module(x)

    _wrap(build)


def test_threads() -> None:
    results: list[Any] = []

    def work() -> None:
        function, _ = _wrap(lambda x, _: compat_hub.Module(linear_spec(), trainable=True)(x))
        results.append(float(tf.reduce_sum(function(X))))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [54.0] * 4
