"""Calls with tensors take a shorter way, which has to give what the long one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.hub_module.dispatch import Dispatcher
from tests.authoring import Signatures, write_module
from tests.records import FIXTURES

_FRUIT = {"apples": [5, 4], "oranges": [5, 3]}


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The signatures of calls that take the long way."""
    found: list[str | None] = []

    def call(self, inputs, signature=None, *args, original=Dispatcher.call, **kwargs):
        found.append(signature)
        return original(self, inputs, signature, *args, **kwargs)

    monkeypatch.setattr(Dispatcher, "call", call)
    return found


def _load(fixture: str) -> Any:
    return compat_hub.load(FIXTURES / fixture / "module")


def _fruit(seed: int = 0) -> dict[str, tf.Tensor]:
    random = np.random.default_rng(seed)
    return {name: tf.constant(random.normal(size=s), tf.float32) for name, s in _FRUIT.items()}


def test_tensors_take_it_from_the_second_call_on(long_ways: list[str | None]) -> None:
    module = _load("fruit")
    signature = module.signatures["fruit_to_pet"]
    long = signature(**_fruit())
    assert long_ways == ["fruit_to_pet"]
    direct = signature(**_fruit())
    assert long_ways == ["fruit_to_pet"]
    assert list(direct) == list(long) == ["cats", "dogs", "hidden"]
    for name, value in long.items():
        np.testing.assert_array_equal(direct[name], value)
    other = signature(**dict(reversed(_fruit(1).items())))
    assert long_ways == ["fruit_to_pet"]
    expected = _load("fruit").call_signature(_fruit(1), "fruit_to_pet").outputs
    for name, value in expected.items():
        np.testing.assert_array_equal(other[name], value)


def test_the_only_input_by_position_and_what_is_asked_for(long_ways: list[str | None]) -> None:
    module = _load("image_bn")
    x = tf.constant(np.random.default_rng(0).normal(size=[2, 8, 8, 3]), tf.float32)

    def results() -> list[Any]:
        return [
            module(x),
            module({"images": x}, as_dict=True)["default"],
            module.signatures["default"](x)["default"],
            module(x, "image_feature_vector"),
        ]

    long = results()
    assert long_ways == [None, None, "default", "image_feature_vector"]
    direct = results()
    assert len(long_ways) == 4
    for found, expected in zip(direct, long, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_training_calls_write(long_ways: list[str | None]) -> None:
    module, other = _load("unfed_update"), _load("unfed_update")
    x = {"x": tf.ones([5, 4])}
    for _ in range(3):
        module(x, training=True)
        other.call_signature(x, outputs=["default"], training=True)
    assert module.variable_map["steps"].numpy() == 3
    assert long_ways.count(None) == 1 + 3
    for name, variable in module.state.variables.items():
        np.testing.assert_array_equal(variable, other.state.variables[name])


@pytest.mark.parametrize(
    "wrong",
    [
        {"apples": tf.ones([5, 4])},
        {"apples": tf.ones([5, 4]), "pears": tf.ones([5, 3])},
        {"apples": tf.ones([5, 4]), "oranges": tf.ones([5, 3]), "pears": tf.ones([5, 3])},
        {"apples": tf.ones([5, 4]), "oranges": tf.ones([5, 4])},
        {"apples": tf.ones([5, 4]), "oranges": tf.ones([5, 3], tf.float64)},
        {"apples": tf.ones([5, 4]), "oranges": None},
    ],
)
def test_wrong_inputs_are_refused_as_ever(wrong: dict[str, Any]) -> None:
    first, module = _load("fruit"), _load("fruit")
    for _ in range(2):
        module(_fruit(), "fruit_to_pet", as_dict=True)
    with pytest.raises(compat_hub.InputTypeError) as expected:
        first(wrong, "fruit_to_pet", as_dict=True)
    with pytest.raises(compat_hub.InputTypeError) as found:
        module(wrong, "fruit_to_pet", as_dict=True)
    assert str(found.value) == str(expected.value)
    with pytest.raises(compat_hub.InputTypeError, match="expected a dict"):
        module(tf.ones([5, 4]), "fruit_to_pet", as_dict=True)


def test_other_values_go_the_long_way(long_ways: list[str | None]) -> None:
    module = _load("fruit")
    expected = [module(_fruit(), "fruit_to_pet", as_dict=True) for _ in range(2)][1]
    assert long_ways == ["fruit_to_pet"]
    values = _fruit()
    for convert in (np.asarray, tf.Variable, lambda value: value.numpy().tolist()):
        given = {name: convert(value) for name, value in values.items()}
        found = module(given, "fruit_to_pet", as_dict=True)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-6)
    assert len(long_ways) == 4


def test_tapes_and_functions_see_the_call(long_ways: list[str | None]) -> None:
    module = _load("fruit")
    for _ in range(2):
        module(_fruit(), "fruit_to_pet", as_dict=True)
    with tf.GradientTape() as tape:
        pets = module(_fruit(), "fruit_to_pet", as_dict=True)
        loss = tf.reduce_sum(pets["cats"])
    assert any(g is not None for g in tape.gradient(loss, module.trainable_variables))
    assert len(long_ways) == 2

    oranges = tf.ones(_FRUIT["oranges"])

    @tf.function
    def call(values):
        # One comes as a tensor of the graph, one as an eager tensor from outside.
        return module({**values, "oranges": oranges}, "fruit_to_pet", as_dict=True)

    found = call({"apples": _fruit()["apples"]})
    assert len(long_ways) == 3
    expected = module({"apples": _fruit()["apples"], "oranges": oranges}, "fruit_to_pet", True)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5)


def test_a_new_seed(tmp_path: Path, long_ways: list[str | None]) -> None:
    def noise() -> Signatures:
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        return {"default": ({"x": x}, {"default": x + tf.random.normal(tf.shape(x))})}

    module = compat_hub.load(write_module(tmp_path / "noise", none=noise))
    runs = []
    for _ in range(2):
        tf.random.set_seed(5)
        runs.append([module(tf.zeros([4])).numpy() for _ in range(3)])
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0][0], runs[0][1])
    assert len(long_ways) == 1  # set_seed changes the program, and not the way to it


def test_composite_values_go_the_long_way(long_ways: list[str | None]) -> None:
    module = _load("sparse_io")
    found = [module(tf.constant(["a b", "c"]), "split", as_dict=True) for _ in range(2)]
    assert any(isinstance(value, tf.SparseTensor) for value in found[1].values())
    scale, sparse = tf.constant(2.0), tf.sparse.from_dense(tf.eye(2, 6))
    for _ in range(2):
        module({"scale": scale, "sparse": sparse}, as_dict=True)
    assert long_ways == ["split", "split", None, None]
