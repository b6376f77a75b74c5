"""Modules train in two replicas as they do on one device."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from tests.distribute.cluster import WORKERS, Cluster
from tests.distribute.fitting import EPOCHS, MODULES, fit, fit_in, make_model
from tests.distribute.steps import Values, assert_same, expected_after, train_in, values_of
from tests.records import FIXTURES, Record, assert_close, read_records

# What may differ between replicas; --every-module takes all.
CHOSEN = {
    "activity": "a loss that depends on the inputs",
    "cond_update_ops": "update ops in branches, and a counter",
    "contrib_bn_in_place": "moving averages that outputs wait for",
    "dtypes": "variables of many dtypes",
    "ema": "averages of variables that train",
    "embedding_lookup": "sparse gradients, and parts of variables",
    "fused_bn_v3": "fused batch normalization",
    "hparams": "an input with a default",
    "pets": "a training variant, and a loss of the weights",
    "reference": "reference variables",
    "stateful_lm_reference": "a state that each replica keeps for itself",
    "text_table": "a table",
    "while_rnn": "a loop",
}
CHOSEN_FOR_FIT = ("activity", "contrib_bn_in_place", "pets", "reference", "text_table")
CHOSEN_FOR_WORKERS = ("cond_update_ops", "dtypes", "hparams", "text_table")

# Why a module cannot be trained so: a part of what is raised.
NOT_WITH_FIT = {
    "dtypes": "that don't all match",  # tf_keras adds up gradients of all dtypes at once
}
NOT_IN_WORKERS = {
    "dtypes": "the strategy cannot have a variable of dtype uint8",
}
# TensorFlow 2 does not know an op of it.
NOT_AT_ALL = {"unknown_ops"}
SECONDS = 300  # for what takes some 30 on an idle machine


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    every = metafunc.config.getoption("--every-module")
    choices = {"in_loop": CHOSEN, "in_fit": (*CHOSEN_FOR_FIT, *NOT_WITH_FIT)}
    for argument, chosen in choices.items():
        if argument in metafunc.fixturenames:
            records = {n: r for n, r in read_records(FIXTURES).items() if r.train}
            names = list(records) if every else list(chosen)
            metafunc.parametrize(argument, [records[n] for n in names], ids=names)


def _mirrored() -> tf.distribute.Strategy:
    # Not by the collective ops that are the default on CPUs: these mix up programs of one process.
    reduce = tf.distribute.HierarchicalCopyAllReduce()
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=reduce)


def test_a_custom_loop_in_a_mirrored_strategy(in_loop: Record) -> None:
    module = train_in(_mirrored(), in_loop)
    assert_same(values_of(module), expected_after(in_loop))


def test_fit_in_a_mirrored_strategy(in_fit: Record) -> None:
    reason = NOT_WITH_FIT.get(in_fit.folder.name)
    if reason:
        with pytest.raises(TypeError, match=reason):
            fit_in(_mirrored(), in_fit)
        return
    module = fit_in(_mirrored(), in_fit)
    assert_same(values_of(module), expected_after(in_fit))


@pytest.mark.parametrize("name", MODULES)
def test_fit_on_one_global_batch(name: str) -> None:
    with _mirrored().scope():
        model = make_model(name)
    assert_same(fit(model, name), fit(make_model(name), name))


def test_fit_of_keras_3_on_one_global_batch() -> None:
    numbers = np.random.default_rng(1)
    sizes = {"apples": 4, "oranges": 3}
    fruit = {n: numbers.random((8, size), np.float32) for n, size in sizes.items()}

    def train() -> Values:
        layer = compat_hub.keras3.KerasLayer(
            FIXTURES / "fruit" / "module",
            trainable=True,
            signature="fruit_to_pet",
            signature_outputs_as_dict=True,
        )
        inputs = {n: keras.Input([size], name=n) for n, size in sizes.items()}
        outputs = layer(inputs)
        model = keras.Model(inputs, [outputs["cats"], outputs["dogs"]])
        model.compile(keras.optimizers.SGD(0.05), ["mse", "mse"])
        target = [np.ones([8, tensor.shape[1]], "f") for tensor in model.outputs]
        model.fit(fruit, target, batch_size=8, epochs=2, verbose=0)
        return values_of(layer.resolved_object)

    with _mirrored().scope():
        found = train()
    assert_same(found, train())


def test_outputs_where_nothing_trains() -> None:
    """The modules without a record of training."""
    strategy = _mirrored()
    for name, record in read_records(FIXTURES).items():
        if record.train or name in NOT_AT_ALL:
            continue
        with strategy.scope():
            module = compat_hub.load(record.path)
        for signature in record.signatures([]):
            inputs = record.inputs(signature)
            results = strategy.run(module, args=(inputs, signature), kwargs={"as_dict": True})
            for output, expected in record.outputs([], signature).items():
                for found in strategy.experimental_local_results(results[output]):
                    what = f"{name} {signature} {output}"
                    assert_close(found, expected, record.output_tolerance, what)


def test_two_workers(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Custom loops and `fit` in two processes."""
    names = CHOSEN_FOR_WORKERS
    if request.config.getoption("--every-module"):
        names = tuple(name for name, r in read_records(FIXTURES).items() if r.train)
    fitted = MODULES[1:]  # the first one is that of the test below
    with Cluster(tmp_path, "steps", *names, "fit", *fitted) as cluster:
        cluster.wait(SECONDS + 30 * len(names))
    for name in names:
        found = [_values(tmp_path, "steps", name, k) for k in range(WORKERS)]
        if name in NOT_IN_WORKERS:
            for error in found:
                assert isinstance(error, str)
                assert NOT_IN_WORKERS[name] in error
            continue
        expected = expected_after(Record(FIXTURES / name))
        for k, values in enumerate(found):
            assert isinstance(values, dict), f"{name}: {values}"
            # What has no mean is that of the first replica, which only the first worker has.
            sent = {n for n, v in expected.items() if v.dtype.kind == "f" or not k}
            assert_same(_only(values, sent), _only(expected, sent))
    for name in fitted:
        expected = fit(make_model(name), name)
        for k in range(WORKERS):
            values = _values(tmp_path, "fit", name, k)
            assert isinstance(values, dict), f"{name}: {values}"
            assert_same(values, expected)


def test_a_worker_that_is_killed(tmp_path: Path) -> None:
    """After a restart, training goes on from the last checkpoint, to the same end."""
    name, epoch = MODULES[0], 1
    with Cluster(tmp_path, "backup", name, str(epoch)) as cluster:
        assert cluster.wait_for_end_of(1, SECONDS) < 0, "it should have been killed"
    assert _epochs(tmp_path, 0) == [*range(epoch + 1)]
    assert not list(tmp_path.glob("*.npz"))
    with Cluster(tmp_path, "backup", name) as cluster:
        cluster.wait(SECONDS)
    expected = fit(make_model(name), name)
    for k in range(WORKERS):
        assert _epochs(tmp_path, k) == [*range(epoch + 1), *range(epoch, EPOCHS)]
        values = _values(tmp_path, "backup", name, k)
        assert isinstance(values, dict)
        assert_same(values, expected)


def test_parameter_servers(tmp_path: Path) -> None:
    """In a process of its own: whoever joins a cluster stays in it."""
    command = [sys.executable, "-m", "tests.distribute.parameter_servers", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(FIXTURES.parents[1])}
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False
    )
    assert result.stdout.strip().endswith("all passed"), result.stderr[-5000:]


def _values(folder: Path, job: str, name: str, worker: int) -> Values | str:
    """What a worker has written: values, or an error."""
    place = folder / f"{job}-{name}-{worker}"
    if place.with_suffix(".txt").exists():
        return place.with_suffix(".txt").read_text()
    with np.load(place.with_suffix(".npz")) as file:
        return dict(file)


def _only(values: Values, names: set[str]) -> Values:
    return {name: value for name, value in values.items() if name in names}


def _epochs(folder: Path, worker: int) -> list[int]:
    return [int(line) for line in (folder / f"epochs-{worker}.txt").read_text().split()]
