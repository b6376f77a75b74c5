from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.format.variant import GraphVariant
from compat_hub.hub_module.signature_function import (
    find_free_losses,
    find_input_losses,
    find_update_ops,
    select_outputs,
)
from tests.authoring import write_module
from tests.records import FIXTURES


def _variant(fixture: str, tags: str | None = None) -> GraphVariant:
    return compat_hub.load_module_spec(FIXTURES / fixture / "module").variant(tags)


def test_update_ops_that_can_run() -> None:
    variant = _variant("unfed_update", "train")
    mean, total, steps = variant.update_ops
    assert find_update_ops(variant, ["x:0"]) == [mean, steps]
    assert find_update_ops(variant, ["z:0"]) == [total, steps]
    # A hyperparameter has a default, fed or not.
    variant = _variant("hparams", "train")
    assert find_update_ops(variant, ["x:0"]) == list(variant.update_ops)
    assert find_update_ops(variant, ["x:0", "batch_norm_momentum:0"]) == list(variant.update_ops)
    assert find_update_ops(variant, []) == []


def test_losses() -> None:
    variant = _variant("activity")
    free, of_input = variant.regularization_losses
    assert find_free_losses(variant) == [free]
    assert find_input_losses(variant, ["x:0"]) == [of_input]
    assert find_input_losses(variant, []) == []
    variant = _variant("fruit")
    assert find_free_losses(variant) == list(variant.regularization_losses)
    assert find_input_losses(variant, ["apples:0", "oranges:0"]) == []


def test_selecting_outputs() -> None:
    signature = _variant("fruit").signatures["fruit_to_pet"]
    assert select_outputs(signature, None, "W") == ("cats", "dogs", "hidden")
    assert select_outputs(signature, ["hidden", "cats"], "W") == ("hidden", "cats")
    assert select_outputs(signature, [], "W") == ()
    with pytest.raises(compat_hub.UnknownNameError, match=r"'birds' in W.*'cats', 'dogs'"):
        select_outputs(signature, ["cats", "birds"], "W")
    with pytest.raises(compat_hub.UnknownNameError, match="as_dict=True"):
        select_outputs(signature, ["default"], "W")


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
