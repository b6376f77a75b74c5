"""What a module leaves in the process when it is dropped, and what still works then."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.python.eager import context

import compat_hub
from tests.records import FIXTURES, OUTPUT_TOLERANCE, Record, assert_close

LOOPS = ["while_rnn", "cond_in_while_in_cond"]


def _call(module: Any, x: Any) -> None:
    module(x, as_dict=True)


def _gradient(module: Any, x: Any) -> list[Any]:
    with tf.GradientTape() as tape:
        outputs = tf.nest.flatten(module(x, as_dict=True))
        loss = tf.add_n([tf.reduce_sum(y) for y in outputs if y.dtype == tf.float32])
    return tape.gradient(loss, module.trainable_variables)


def _in_function(use: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda module, x: tf.function(lambda x: use(module, x))(x)


def _in_dataset(module: Any, x: Any) -> None:
    data = tf.data.Dataset.from_tensors(x).repeat(2).map(lambda x: module(x, as_dict=True))
    list(data)


def _in_graph_mode(module: Any, x: Any) -> None:
    made: list[compat_hub.Module] = []

    @tf.function
    def call(x: Any) -> Any:
        if not made:
            made.append(compat_hub.Module(module.spec, name="m"))
        return made[0](x, as_dict=True)

    call(x)


USES = {
    "eager": _call,
    "gradient": _gradient,
    "function": _in_function(_call),
    "gradient in a function": _in_function(_gradient),
    "dataset": _in_dataset,
    "hub.Module in a function": _in_graph_mode,
}


def _functions() -> set[str]:
    gc.collect()
    runtime: Any = context.context()
    return runtime.list_function_names()


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("fixture", LOOPS)
def test_functions_go_with_the_module(fixture: str, use: str) -> None:
    record = Record(FIXTURES / fixture)
    x = record.inputs("default")

    def turn() -> None:
        USES[use](compat_hub.load(record.path), x)

    turn()
    before, graphs = _functions(), _graphs()
    for _ in range(3):
        turn()
    assert _functions() - before == set()
    assert _graphs() <= graphs


def _graphs() -> int:
    return sum(isinstance(thing, tf.Graph) for thing in gc.get_objects())


def test_what_still_uses_a_function_keeps_it() -> None:
    record = Record(FIXTURES / "while_rnn")
    x = record.inputs("default")
    expected = record.outputs([], "default")
    module: Any = compat_hub.load(record.path)
    variables = module.variables
    concrete = tf.function(lambda **x: module(x, as_dict=True)).get_concrete_function(**x)
    step = tf.function(lambda **x: _gradient(module, x)).get_concrete_function(**x)
    with tf.GradientTape() as tape:
        watched = module(x, as_dict=True)
    signature = module.signatures["default"]
    data = iter(tf.data.Dataset.from_tensors(x).repeat().map(lambda x: module(x, as_dict=True)))
    module = None
    gc.collect()
    for found in (concrete(**x), concrete(**x), signature(**x), next(data), next(data), watched):
        for name, value in expected.items():
            assert_close(found[name], value, OUTPUT_TOLERANCE, name)
    assert any(g is not None for g in tape.gradient(tf.nest.flatten(watched), variables))
    assert any(g is not None for g in step(**x))
