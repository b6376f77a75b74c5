from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

import compat_hub
from tests.authoring import write_module
from tests.records import FIXTURES


def test_the_result_of_a_call() -> None:
    module = compat_hub.load(FIXTURES / "activity/module")
    x = np.ones([2, 4], "float32")
    result = module.call_signature(x, losses=True)
    assert list(result.outputs) == ["default"]
    (loss,) = result.losses
    assert loss.shape == []
    assert module.call_signature(x).losses == []
    hidden = tf.nn.relu(x @ module.variable_map["dense/kernel"] + module.variable_map["dense/bias"])
    np.testing.assert_allclose(loss, 0.1 * tf.reduce_sum(hidden**2), rtol=1e-5)


def test_one_tensor_under_two_names(tmp_path: Path) -> None:
    def build():
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        y = 2.0 * x
        return {"default": ({"a": x, "b": x}, {"default": y, "same": y, "input": x})}

    module = compat_hub.load(write_module(tmp_path / "module", none=build))
    outputs = module({"a": [1.0], "b": [1.0]}, as_dict=True)
    assert {name: value.numpy().tolist() for name, value in outputs.items()} == {
        "default": [2.0],
        "same": [2.0],
        "input": [1.0],
    }


def test_an_input_that_is_no_placeholder(tmp_path: Path) -> None:
    def build():
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        middle = tf.exp(x)
        y = 2.0 * middle
        return {
            "default": ({"x": x}, {"default": y}),
            "second_half": ({"middle": middle}, {"default": y, "middle": middle}),
        }

    module = compat_hub.load(write_module(tmp_path / "module", none=build))
    np.testing.assert_allclose(module([0.0]), [2.0])
    outputs = module([3.0], "second_half", as_dict=True)
    np.testing.assert_allclose(outputs["default"], [6.0])
    np.testing.assert_allclose(outputs["middle"], [3.0])


def test_all_that_draws_follows_set_seed(tmp_path: Path) -> None:
    def build():
        x = tf.compat.v1.placeholder(tf.float32, [4], "x")
        noise = tf.random.normal([4], name="noise")
        keys = tf.compat.v1.GraphKeys
        tf.compat.v1.add_to_collection(keys.REGULARIZATION_LOSSES, tf.reduce_sum(noise))
        return {"default": ({"x": x}, {"default": x + noise})}

    module = compat_hub.load(write_module(tmp_path / "module", none=build))
    (loss,) = module.regularization_losses
    pruned = module.prune([], "noise:0")
    runs = []
    for _ in range(2):
        tf.random.set_seed(3)
        runs.append([loss(), pruned(), module(tf.zeros([4])), loss(), pruned()])
    for first, second in zip(*runs, strict=True):
        np.testing.assert_array_equal(first, second)
    assert runs[0][0] != runs[0][3]
