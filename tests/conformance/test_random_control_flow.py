"""Random nests of loops and conditionals give the values and gradients of a TF1 session.

200 graphs, the same in every run. With `COMPAT_HUB_RANDOM_GRAPHS=5000` in the environment and
`--hypothesis-seed=1` it is a longer run on others.
"""

from __future__ import annotations

import dataclasses
import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies
from tensorflow.core.protobuf import saved_model_pb2

import compat_hub
from compat_hub.format.spec import ModuleSpec
from tests.authoring import add_meta_graph, control_flow_of_tf1, save_checkpoint

v1 = tf.compat.v1

_LONG_RUN = "COMPAT_HUB_RANDOM_GRAPHS" in os.environ
_GRAPHS = int(os.environ.get("COMPAT_HUB_RANDOM_GRAPHS", "200"))
_PARTS = 8  # tests that may run in processes of their own
_SHAPE = [2, 3]


@dataclasses.dataclass
class Builder:
    """Builds one random graph; the same random numbers make the same graph."""

    rng: random.Random
    flag: tf.Tensor
    count: tf.Tensor
    weights: list[tf.Variable]
    values: list[tf.Tensor]  # of the weights: TF1 finds no gradient for a resource in a conditional
    counters: list[tf.Variable]
    budget: int = 14
    conditionals: int = 0

    def statements(self, values: list[tf.Tensor], depth: int) -> list[tf.Tensor]:
        """Appends the results of a few random statements to the values at hand."""
        values = list(values)
        for _ in range(self.rng.randint(1, 3)):
            self.budget -= 1
            kinds: list[Callable[..., list[tf.Tensor]]] = [self.arithmetic] * 3
            if depth and self.budget > 0:
                kinds += [self.conditional, self.conditional, self.loop, self.loop, self.array_loop]
            values += self.rng.choice(kinds)(values, depth)
        return values

    def pick(self, values: list[tf.Tensor]) -> tf.Tensor:
        return self.rng.choice(values[-4:] if self.rng.random() < 0.7 else values)

    def arithmetic(self, values: list[tf.Tensor], _: int) -> list[tf.Tensor]:
        a, b = self.pick(values), self.pick(values)
        weight = self.rng.choice(self.values if self.conditionals else self.weights + self.values)
        scale = self.rng.uniform(-1.5, 1.5)
        results = [
            lambda: tf.tanh(a * scale + b),
            lambda: a * tf.sigmoid(b),
            lambda: tf.tanh(tf.matmul(a, weight)),
            lambda: tf.sin(a) - 0.5 * b,
            lambda: tf.where(a > b, a, 0.3 * b),
            lambda: a + tf.constant(scale, shape=_SHAPE),
            lambda: tf.stop_gradient(a) * b,
            lambda: tf.concat(tf.split(tf.tanh(a), [1, 2], axis=1)[::-1], axis=1),
        ]
        return [self.rng.choice(results)()]

    def predicate(self, values: list[tf.Tensor]) -> tf.Tensor:
        limit = self.rng.uniform(-1, 1)
        choices = [
            lambda: self.flag,
            lambda: tf.logical_not(self.flag),
            lambda: tf.reduce_sum(self.pick(values)) > limit,
            lambda: tf.constant(limit > 0),
        ]
        return self.rng.choice(choices)()

    def conditional(self, values: list[tf.Tensor], depth: int) -> list[tf.Tensor]:
        number = self.rng.randint(1, 2)
        passes_through = self.rng.random() < 0.2
        counter = self.rng.choice([*self.counters, None])

        def branch(side: bool) -> Callable[[], list[tf.Tensor]]:
            def build() -> list[tf.Tensor]:
                self.conditionals += 1
                try:
                    return build_inside()
                finally:
                    self.conditionals -= 1

            def build_inside() -> list[tf.Tensor]:
                if passes_through and side:
                    return [self.pick(values) for _ in range(number)]
                results = self.statements(values, depth - 1)[-number:]
                results += [results[0]] * (number - len(results))
                if counter is not None and side:
                    with tf.control_dependencies([counter.assign_add(1.0)]):
                        results = [tf.identity(r) for r in results]
                return [tf.ensure_shape(r, _SHAPE) for r in results]

            return build

        results = v1.cond(self.predicate(values), branch(True), branch(False))
        return results if isinstance(results, list) else [results]

    def loop(self, values: list[tf.Tensor], depth: int) -> list[tf.Tensor]:
        number = self.rng.randint(1, 2)
        start = [self.pick(values) for _ in range(number)]
        limit = self.limit()
        counter = self.rng.choice([*self.counters, None, None])

        def body(step: tf.Tensor, *state: tf.Tensor) -> list[tf.Tensor]:
            inner = [*values, *state, tf.fill(_SHAPE, tf.cast(step, tf.float32) * 0.1)]
            results = self.statements(inner, depth - 1)[-number:]
            results += [results[0]] * (number - len(results))
            if counter is not None:
                with tf.control_dependencies([counter.assign_add(1.0)]):
                    results = [tf.identity(r) for r in results]
            return [step + 1, *(tf.ensure_shape(r, _SHAPE) for r in results)]

        results = v1.while_loop(
            lambda step, *_: step < limit,
            body,
            [tf.constant(0), *start],
            parallel_iterations=self.rng.choice([1, 10]),
            swap_memory=self.rng.random() < 0.2,
            maximum_iterations=self.rng.choice([None, None, 5]),
        )
        return list(results[1:])

    def array_loop(self, values: list[tf.Tensor], depth: int) -> list[tf.Tensor]:
        """A loop that reads one TensorArray and writes another, as dynamic_rnn does."""
        length = 3
        reads = tf.TensorArray(tf.float32, size=length).unstack(
            tf.stack([self.pick(values) for _ in range(length)])
        )
        dynamic = self.rng.random() < 0.3
        writes = tf.TensorArray(tf.float32, size=0 if dynamic else length, dynamic_size=dynamic)

        def body(step: tf.Tensor, state: tf.Tensor, array: tf.TensorArray) -> Any:
            item = tf.ensure_shape(reads.read(step), _SHAPE)
            state = self.statements([*values, state, item], depth - 1)[-1]
            state = tf.ensure_shape(state, _SHAPE)
            return step + 1, state, array.write(step, state * item)

        _, state, array = v1.while_loop(
            lambda step, *_: step < length, body, [tf.constant(0), self.pick(values), writes]
        )
        return [state, tf.reduce_sum(tf.ensure_shape(array.stack(), [None, *_SHAPE]), 0)]

    def limit(self) -> tf.Tensor | int:
        return self.rng.choice([0, 1, 3, self.count, self.count - 1])


def _session_results(rng: random.Random, feeds: dict[str, Any]) -> tuple[Any, ...]:
    """A random module, and what a TF1 session does with it."""
    numbers = np.random.default_rng(7)
    with control_flow_of_tf1(), tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, _SHAPE, "x")
        flag = v1.placeholder(tf.bool, [], "flag")
        count = v1.placeholder(tf.int32, [], "count")
        variables = [
            v1.get_variable(
                f"w{k}",
                initializer=numbers.standard_normal([3, 3]).astype("f"),
                use_resource=rng.random() < 0.7,
            )
            for k in range(2)
        ]
        counters = [
            v1.get_variable(
                f"c{k}", initializer=0.0, trainable=False, use_resource=rng.random() < 0.7
            )
            for k in range(2)
        ]
        builder = Builder(rng, flag, count, variables, list(map(tf.identity, variables)), counters)
        values = [x, tf.cos(x)]
        values += rng.choice([builder.conditional, builder.loop, builder.array_loop])(values, 3)
        values = builder.statements(values, depth=3)
        output = tf.add_n([tf.sin(v * (k + 1)) for k, v in enumerate(values)], name="output")
        proto = saved_model_pb2.SavedModel()
        inputs = {t.op.name: t for t in (x, flag, count)}
        add_meta_graph(proto, {"default": (inputs, {"default": output})})
        wanted = [x, *variables]
        gradients = tf.gradients(output, wanted)
        # Which variable a gradient reaches at all is part of what is compared.
        found = [g is not None for g in gradients]
        with v1.Session(graph=graph, config=_judge()) as session:
            session.run(v1.global_variables_initializer())
            fetches = [output, *(tf.convert_to_tensor(g) for g in gradients if g is not None)]
            fed = {f"{name}:0": value for name, value in feeds.items()}
            stored = {v.op.name: session.run(v) for v in (*variables, *counters)}
            result, *gradients = session.run(fetches, fed)
            after = session.run(counters)
    return proto, stored, result, found, gradients, after


def _judge() -> Any:
    """A session that runs the graph as it is.

    TensorFlow's graph optimizer drops assignments that only a control dependency asks for (one in
    about 1,000 of these graphs), and prunes conditionals so that an output has no value (one in
    about 500).
    """
    config = v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = -1
    return config


def _check(rng: random.Random) -> None:
    feeds = {
        "x": np.random.default_rng(8).standard_normal(_SHAPE).astype("f"),
        "flag": np.array(rng.random() < 0.5),
        "count": np.array(rng.randint(0, 3), "i"),
    }
    proto, stored, result, found, gradients, after = _session_results(rng, feeds)
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder), stored)
        module = compat_hub.load(ModuleSpec("random", folder, proto))
    x = tf.constant(feeds["x"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = module({**feeds, "x": x})
    variables = [x, *(module.variable_map[f"w{k}"] for k in range(2))]
    np.testing.assert_allclose(output, result, rtol=1e-4, atol=1e-5)
    counted = [module.variable_map[f"c{k}"].numpy() for k in range(2)]
    np.testing.assert_allclose(counted, after)
    expected = iter(gradients)
    for known, gradient in zip(found, tape.gradient(output, variables), strict=True):
        value = next(expected) if known else np.zeros([])
        got = np.zeros([]) if gradient is None else tf.convert_to_tensor(gradient)
        np.testing.assert_allclose(got, np.broadcast_to(value, np.shape(got)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("part", range(_PARTS))
def test_random_graphs(part: int) -> None:
    @hypothesis.settings(
        max_examples=_GRAPHS // _PARTS,
        derandomize=not _LONG_RUN,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        # A smaller seed is no smaller graph.
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(seed=strategies.integers(0, 2**32 - 1))
    def check(seed: int) -> None:
        _check(random.Random(f"{part}-{seed}"))

    check()
