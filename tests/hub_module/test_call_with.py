"""The part of a signature after some of its outputs, and gradients between outputs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from tests.records import FIXTURES, Record

RECORD = Record(FIXTURES / "outputs_of_their_own_variables")
X = RECORD.inputs("default")["default"]


@pytest.fixture
def module() -> compat_hub.HubModule:
    return compat_hub.load(RECORD.path)


def _in_graph_mode(output: str, by: str) -> Any:
    """The gradient as TensorFlow 1 has it, in the graph that the module was written with."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        outputs = compat_hub.Module(RECORD.path)(X, as_dict=True)
        gradient = tf.compat.v1.gradients(tf.reduce_sum(outputs[output]), outputs[by])[0]
        session.run(tf.compat.v1.global_variables_initializer())
        return session.run(gradient)


@pytest.mark.parametrize("in_function", [False, True], ids=["eager", "tf.function"])
@pytest.mark.parametrize("output", ["default", "chosen"])
def test_a_gradient_between_outputs(module: Any, output: str, in_function: bool) -> None:
    def find() -> tf.Tensor:
        trunk = module(X, as_dict=True)["trunk"]
        with tf.GradientTape() as tape:
            tape.watch(trunk)
            outputs = module.call_with({"trunk": trunk}, X, as_dict=True)
            assert "trunk" not in outputs
            score = tf.reduce_sum(outputs[output])
        return tape.gradient(score, trunk)

    found = tf.function(find, autograph=False)() if in_function else find()
    np.testing.assert_allclose(found, _in_graph_mode(output, "trunk"), rtol=1e-5, atol=1e-6)


def test_a_tape_over_both_calls_reaches_everything(module: Any) -> None:
    expected = RECORD.arrays["grad/default/default/trunk"]
    with tf.GradientTape() as tape:
        trunk = module(X, as_dict=True)["trunk"]
        loss = tf.reduce_sum(module.call_with({"trunk": trunk}, X))
    found = tape.gradient(loss, module.variable_map["trunk"])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_outputs_of_one_call_are_unconnected(module: Any) -> None:
    @tf.function(autograph=False)
    def symbolic() -> None:
        outputs = module(X, as_dict=True)
        assert tf.gradients(outputs["default"], outputs["trunk"]) == [None]

    symbolic()
    with tf.GradientTape() as tape:
        outputs = module(X, as_dict=True)
    assert tape.gradient(outputs["default"], outputs["trunk"]) is None


def test_bad_calls(module: Any) -> None:
    trunk = tf.zeros([4, 3])
    with pytest.raises(compat_hub.UnknownNameError, match=r"'root'.*'trunk'"):
        module.call_with({"root": trunk}, X)
    with pytest.raises(compat_hub.SignatureError, match="no wanted output depends on the given"):
        module.call_with({"classes": tf.constant(1, tf.int64)}, X)
    with pytest.raises(compat_hub.InputTypeError, match="'output trunk'"):
        module.call_with({"trunk": tf.zeros([4, 5])}, X)


def test_the_example_of_the_page() -> None:
    v1 = tf.compat.v1

    def module_fn() -> None:
        images = v1.placeholder(tf.float32, [None, 4, 4, 3])
        kernel = v1.get_variable("kernel", [3, 3, 3, 2])
        head = v1.get_variable("head", [2, 5])
        block = tf.nn.relu(tf.nn.conv2d(images, kernel, 1, "SAME"))
        scores = tf.matmul(tf.reduce_mean(block**2, [1, 2]), head)
        compat_hub.add_signature(inputs=images, outputs={"default": scores, "block": block})

    page = Path(__file__).parents[2] / "docs" / "gradients.md"
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    module = compat_hub.load(compat_hub.create_module_spec(module_fn))
    images = tf.random.stateless_uniform([2, 4, 4, 3], [1, 2])
    names: dict[str, Any] = {"module": module, "images": images, "class_index": 3, "tf": tf}
    exec(example, names)
    features = names["features"]
    slope = 2 * features / 16 * module.variable_map["head"][:, 3]
    weights = tf.reduce_mean(slope, [1, 2], keepdims=True)
    expected = tf.nn.relu(tf.reduce_sum(weights * features, -1))
    np.testing.assert_allclose(names["heat_map"], expected, rtol=1e-5)
