"""Modules under ParameterServerStrategy: two workers, two parameter servers, all in this process.

    python -m tests.distribute.parameter_servers FOLDER

It is not part of another test's process, since whoever joins a cluster stays in it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2
from tests.distribute.cluster import free_ports
from tests.distribute.steps import assert_same, values_of
from tests.records import FIXTURES

WORDS = tf.constant(["a cat", "dog", "unknown"])
STEPS = 3


def start() -> tf.train.ClusterSpec:
    """Starts the servers."""
    ports = [f"127.0.0.1:{port}" for port in free_ports(4)]
    cluster = tf.train.ClusterSpec({"worker": ports[:2], "ps": ports[2:]})
    # With fewer threads than that, workers on a machine of few cores wait for one another for ever.
    config = tf.compat.v1.ConfigProto(inter_op_parallelism_threads=8)
    for job in cluster.jobs:
        for index in range(cluster.num_tasks(job)):
            tf.distribute.Server(cluster, job, index, protocol="grpc", config=config)
    return cluster


def make_strategy(cluster: tf.train.ClusterSpec, partitioner: Any = None) -> Any:
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(cluster, rpc_layer="grpc")
    return tf.distribute.ParameterServerStrategy(resolver, variable_partitioner=partitioner)


def load(name: str) -> compat_hub.HubModule:
    return compat_hub.load(str(FIXTURES / name / "module"))


def train(module: compat_hub.HubModule, optimizer: Any) -> tf.Tensor:
    """A step."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(module(WORDS, training=True)))
    variables = module.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    return loss


def check_a_table_and_an_embedding_in_parts(strategy: Any, coordinator: Any, folder: Path) -> None:
    with strategy.scope():
        module, optimizer = load("text_table"), tf_keras.optimizers.SGD(0.1)
    places = {v.device for part in module.variable_map.values() for v in _parts(part)}
    assert {tf.DeviceSpec.from_string(p).task for p in places} == {0, 1}, places
    np.testing.assert_allclose(module(WORDS), load("text_table")(WORDS), rtol=1e-6)

    @tf.function
    def step() -> tf.Tensor:
        return strategy.run(train, args=(module, optimizer))

    alone, alone_optimizer = load("text_table"), tf_keras.optimizers.SGD(0.1)
    for _ in range(STEPS):
        coordinator.schedule(step)
        coordinator.join()
        train(alone, alone_optimizer)
    assert_same(values_of(module), values_of(alone))
    exported = compat_hub.load(module.export(folder / "exported"))
    assert_same(values_of(exported), values_of(module))
    saved = tf.saved_model.load(module.save(folder / "saved"))
    np.testing.assert_allclose(saved(WORDS), alone(WORDS), rtol=1e-4)


def _parts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def check_a_dataset(strategy: Any, coordinator: Any) -> None:
    with strategy.scope():
        module = load("text_table")
    iterator = iter(
        coordinator.create_per_worker_dataset(
            lambda: tf.data.Dataset.from_tensors(WORDS).map(module)
        )
    )

    @tf.function
    def take(source: Any) -> tf.Tensor:
        return next(source)

    found = coordinator.schedule(take, args=(iterator,))
    np.testing.assert_allclose(found.fetch(), module(WORDS), rtol=1e-6)


def check_update_ops(strategy: Any, coordinator: Any) -> None:
    x = np.random.RandomState(0).normal(size=[8, 5]).astype("float32")
    with strategy.scope():
        module = load("hparams")
    alone = load("hparams")
    coordinator.schedule(tf.function(lambda: module({"x": x}, training=True)))
    coordinator.join()
    alone({"x": x}, training=True)
    assert_same(values_of(module), values_of(alone))


def check_fit(strategy: Any) -> None:
    with strategy.scope():
        layer = keras2.KerasLayer(str(FIXTURES / "text_table/module"), trainable=True)
        model = tf_keras.Sequential([layer])
        model.compile(tf_keras.optimizers.SGD(0.1), "mse")
    targets = np.zeros(layer(WORDS).shape, np.float32)
    data = tf_keras.utils.experimental.DatasetCreator(
        lambda _: tf.data.Dataset.from_tensors((WORDS, targets)).repeat()
    )
    losses = model.fit(data, steps_per_epoch=2, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0], losses


def check_a_partitioner(cluster: tf.train.ClusterSpec) -> None:
    partitioner = tf.distribute.experimental.partitioners.FixedShardsPartitioner(2)
    refused = pytest.raises(compat_hub.HubError, match="variable_partitioner")
    with make_strategy(cluster, partitioner).scope(), refused:
        load("text_table")


def main(folder: Path) -> None:
    cluster = start()
    strategy = make_strategy(cluster)
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    check_a_table_and_an_embedding_in_parts(strategy, coordinator, folder)
    check_a_dataset(strategy, coordinator)
    check_update_ops(strategy, coordinator)
    check_fit(strategy)
    check_a_partitioner(cluster)
    print("all passed", flush=True)
    os._exit(0)  # the servers would run on


if __name__ == "__main__":
    main(Path(sys.argv[1]))
