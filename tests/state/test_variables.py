from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2
from compat_hub.state.variables import written_in_calls
from tests.authoring import write_module
from tests.records import FIXTURES

X = np.random.RandomState(0).normal(size=[8, 5]).astype("float32")
HALVES = X[:4], X[4:]
v1 = tf.compat.v1


@pytest.fixture(scope="module")
def strategy() -> tf.distribute.Strategy:
    # Not by the collective ops that are the default on CPUs: these mix up programs of one process.
    reduce = tf.distribute.HierarchicalCopyAllReduce()
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=reduce)


def _load(strategy: tf.distribute.Strategy, fixture: str) -> compat_hub.HubModule:
    with strategy.scope():
        return compat_hub.load(FIXTURES / fixture / "module")


def _in_replicas(strategy: tf.distribute.Strategy, call: Callable[[Any], Any]) -> list[Any]:
    """Calls it in each replica, with its half of X."""
    halves = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(HALVES[context.replica_id_in_sync_group])
    )
    results = strategy.run(tf.function(call), args=(halves,))
    return list(strategy.experimental_local_results(results))


def _train(strategy: tf.distribute.Strategy, module: compat_hub.HubModule) -> None:
    """A training call in each replica, which moves the averages."""
    _in_replicas(strategy, lambda x: module({"x": x}, training=True))


def _expected(before: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The moving averages of `hparams` after that."""
    mean = sum(half.mean(0) for half in HALVES) / 2
    variance = sum(half.var(0) for half in HALVES) / 2
    return {
        "moving_mean": 0.9 * before["moving_mean"] + 0.1 * mean,
        "moving_variance": 0.9 * before["moving_variance"] + 0.1 * variance,
        "gamma": before["gamma"],
    }


def _values(module: Any) -> dict[str, np.ndarray]:
    return {name: v.numpy() for name, v in module.variable_map.items()}


def _assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


def test_who_has_a_value_of_its_own(strategy) -> None:
    module = _load(strategy, "cond_update_ops")
    sync, aggregation = tf.VariableSynchronization, tf.VariableAggregation
    mirrored = sync.ON_WRITE, aggregation.NONE
    kinds = {n: (v.synchronization, v.aggregation) for n, v in module.variable_map.items()}
    assert kinds["batch_normalization/moving_mean"] == (sync.ON_READ, aggregation.MEAN)
    assert kinds["mean"] == (sync.ON_READ, aggregation.MEAN)
    assert kinds["steps"] == (sync.ON_READ, aggregation.ONLY_FIRST_REPLICA)
    assert kinds["batch_normalization/gamma"] == mirrored
    # What no call writes to is alike everywhere.
    mode = _load(strategy, "cond_constant").variable_map["mode"]
    assert mode.synchronization in (sync.AUTO, sync.ON_WRITE)


def test_without_a_strategy_there_is_no_search_for_writes(fixture_path, monkeypatch) -> None:
    def fail(_: Any) -> frozenset[str]:
        raise AssertionError("this takes time")

    monkeypatch.setattr("compat_hub.state.module_state.written_in_calls", fail)
    variable = compat_hub.load(fixture_path("hparams")).variable_map["moving_mean"]
    assert not isinstance(variable, tf.distribute.DistributedValues)


def test_what_initializers_write_does_not_count(fixture_path) -> None:
    spec = compat_hub.load_module_spec(fixture_path("fruit"))
    assert written_in_calls(spec.variants.values()) == set()


def test_in_replicas_each_has_its_own_average_and_elsewhere_it_is_the_mean(strategy) -> None:
    module = _load(strategy, "hparams")
    before = _values(module)
    _train(strategy, module)
    mean = module.variable_map["moving_mean"]
    own = _in_replicas(strategy, lambda _: mean.read_value())
    for value, half in zip(own, HALVES, strict=True):
        expected = 0.9 * before["moving_mean"] + 0.1 * half.mean(0)
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    _assert_same(_values(module), _expected(before))


@pytest.mark.parametrize("in_function", [False, True], ids=["eager", "tf.function"])
@pytest.mark.parametrize("in_scope", [False, True], ids=["outside", "in scope"])
def test_a_call_outside_of_replicas(strategy, in_scope: bool, in_function: bool) -> None:
    module = _load(strategy, "hparams")
    alone = compat_hub.load(FIXTURES / "hparams/module")
    _train(strategy, module)
    for name, value in _expected(_values(alone)).items():
        alone.variable_map[name].assign(value)
    own = _in_replicas(strategy, lambda _: module.variable_map["moving_mean"].read_value())

    def call(training: bool) -> Any:
        return module({"x": X}, training=training)

    run = tf.function(call) if in_function else call

    def scope() -> Any:
        return strategy.scope() if in_scope else contextlib.nullcontext()

    with scope():
        # It reads the mean, and leaves to each replica what is its own.
        found = run(False)
    np.testing.assert_allclose(found, alone({"x": X}), rtol=1e-5, atol=1e-6)
    again = _in_replicas(strategy, lambda _: module.variable_map["moving_mean"].read_value())
    np.testing.assert_array_equal(again, own)
    with scope():
        found = run(True)
    np.testing.assert_allclose(found, alone({"x": X}, training=True), rtol=1e-5, atol=1e-6)
    # What it writes, all replicas have.
    again = _in_replicas(strategy, lambda _: module.variable_map["moving_mean"].read_value())
    np.testing.assert_array_equal(again[0], again[1])
    _assert_same(_values(module), _values(alone))


def test_a_counter_counts_calls_of_all_replicas_once(strategy) -> None:
    module = _load(strategy, "counter")
    calls = module.variable_map["calls"]
    before = calls.numpy()
    inputs = {"x": [[1.0, 2.0]]}
    for _ in range(3):
        _in_replicas(strategy, lambda _: module(inputs, as_dict=True))
    assert calls.numpy() == before + 3
    module(inputs, as_dict=True)
    assert calls.numpy() == before + 4
    counts = _in_replicas(strategy, lambda _: calls.read_value())
    assert [int(c) for c in counts] == [before + 4] * 2


def test_what_is_written_has_the_mean(strategy, tmp_path: Path) -> None:
    module = _load(strategy, "hparams")
    before = _values(module)
    _train(strategy, module)
    expected = _expected(before)
    prediction = module({"x": X})

    module.export(tmp_path / "exported")
    again = compat_hub.load(tmp_path / "exported")
    _assert_same(_values(again), expected)
    np.testing.assert_allclose(again({"x": X}), prediction, rtol=1e-5, atol=1e-6)

    module.save(tmp_path / "saved")
    saved = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(saved(X), prediction, rtol=1e-5, atol=1e-6)
    saved(X, training=True)  # writes to one variable, not to copies that nobody made

    path = tf.train.Checkpoint(module=module).save(str(tmp_path / "checkpoint"))
    for other in (_load(strategy, "hparams"), compat_hub.load(FIXTURES / "hparams/module")):
        tf.train.Checkpoint(module=other).restore(path).assert_consumed()
        _assert_same(_values(other), expected)
        np.testing.assert_allclose(other({"x": X}), prediction, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("file", ["weights.weights.h5", "weights"])
def test_weights_of_a_model(file: str, strategy, tmp_path: Path) -> None:
    def make() -> tf_keras.Model:
        layer = keras2.KerasLayer(FIXTURES / "hparams/module", trainable=True)
        return tf_keras.Sequential([tf_keras.Input([5]), layer])

    with strategy.scope():
        model = make()
    module = model.layers[0].resolved_object
    before = _values(module)
    _train(strategy, module)
    model.save_weights(tmp_path / file)
    with strategy.scope():
        mirrored = make()
    for other in (mirrored, make()):
        other.load_weights(tmp_path / file)
        _assert_same(_values(other.layers[0].resolved_object), _expected(before))


@pytest.mark.parametrize("in_scope", [False, True], ids=["outside", "in scope"])
@pytest.mark.parametrize("fixture", ["hparams", "text_table"])
def test_a_dataset_that_is_distributed(fixture: str, in_scope: bool, strategy) -> None:
    module = _load(strategy, fixture)
    if fixture == "hparams":
        _train(strategy, module)  # elsewhere than in replicas, its averages are the means
    x: Any = X if fixture == "hparams" else np.array(["a cat", "dog"] * 4)
    name = next(iter(module.get_input_info_dict()))
    with strategy.scope() if in_scope else contextlib.nullcontext():
        data = tf.data.Dataset.from_tensor_slices(x).batch(4)
        distributed = strategy.experimental_distribute_dataset(
            data.map(lambda batch: module({name: batch}))
        )
        parts = [p for b in distributed for p in strategy.experimental_local_results(b)]
    expected = module({name: x})
    np.testing.assert_allclose(np.concatenate(parts), expected, rtol=1e-5, atol=1e-6)


def test_a_module_from_outside_the_scope_has_ordinary_variables(strategy, fixture_path) -> None:
    module = compat_hub.load(fixture_path("hparams"))
    expected = [module({"x": half}).numpy() for half in HALVES]
    found = _in_replicas(strategy, lambda x: module({"x": x}))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_training_call_that_writes_to_a_trainable_variable(strategy, tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None, 5], "x")
        weights = v1.get_variable("weights", [5], initializer=v1.ones_initializer())
        update = weights.assign(0.5 * weights + 0.5 * tf.reduce_mean(x, 0))
        v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, update)
        return {"default": ({"x": x}, {"default": x * weights})}

    path = write_module(tmp_path / "module", none=build)
    with strategy.scope():
        module = compat_hub.load(path)
    for value, half in zip(_in_replicas(strategy, module), HALVES, strict=True):
        np.testing.assert_array_equal(value, half)
    with pytest.raises(compat_hub.HubError, match="writes to this trainable variable") as caught:
        _train(strategy, module)
    assert path in str(caught.value)
    assert "'weights'" in str(caught.value)
    module({"x": X}, training=True)  # here, one call writes for all replicas
    expected = 0.5 + 0.5 * X.mean(0)
    values = _in_replicas(strategy, lambda _: module.variable_map["weights"].read_value())
    for value in values:
        np.testing.assert_allclose(value, expected, rtol=1e-5)
