"""Control flow that cannot be raised runs as it is, and a gradient of it is one clear error."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tensorflow.core.protobuf import saved_model_pb2

import compat_hub
from compat_hub import keras2
from compat_hub.programs.gradients.outputs import NoGradientWarning


@pytest.fixture
def irreducible(tmp_path: Path, fixture_path) -> str:
    """The fixture `cond`, in which one way into the Merge now comes from another predicate."""
    path = tmp_path / "irreducible"
    shutil.copytree(fixture_path("cond"), path)
    proto = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    graph_def = proto.meta_graphs[0].graph_def
    merge = next(node for node in graph_def.node if node.op == "Merge")
    always = graph_def.node.add(name="always", op="Const")
    always.attr["dtype"].type = tf.bool.as_datatype_enum
    always.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(True))
    switch = graph_def.node.add(name="odd", op="Switch", input=[merge.input[0], "always"])
    switch.attr["T"].type = tf.float32.as_datatype_enum
    merge.input[0] = "odd:1"
    (path / "saved_model.pb").write_bytes(proto.SerializeToString())
    return str(path)


def _images(module: compat_hub.HubModule) -> tf.Tensor:
    (info,) = module.get_input_info_dict().values()
    numbers = np.random.default_rng(0)
    return tf.constant(numbers.standard_normal([4, *info.get_shape()[1:]]), tf.float32)


def test_it_runs(irreducible: str, fixture_path) -> None:
    module = compat_hub.load(irreducible)
    x = _images(module)
    expected = compat_hub.load(fixture_path("cond"))(x)
    np.testing.assert_allclose(module(x), expected, rtol=1e-6)
    np.testing.assert_allclose(tf.function(module)(x), expected, rtol=1e-6)


@pytest.mark.parametrize("in_function", [False, True], ids=["eager", "tf.function"])
def test_a_tape_raises_a_clear_error(irreducible: str, in_function: bool) -> None:
    module = compat_hub.load(irreducible)
    x = _images(module)

    def step() -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(module(x))
        tape.gradient(loss, module.trainable_variables)

    with pytest.raises(compat_hub.HubError, match="no gradient can be computed") as caught:
        (tf.function(step) if in_function else step)()
    assert "cond/Merge" in str(caught.value)
    assert "irreducible" in str(caught.value)


def test_a_frozen_layer_fits(irreducible: str) -> None:
    module = compat_hub.load(irreducible)
    x = _images(module)
    model = tf_keras.Sequential([keras2.KerasLayer(module), tf_keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, tf.ones([4, 1]), verbose=0)
    model = tf_keras.Sequential([keras2.KerasLayer(module, trainable=True)])
    model.compile("sgd", "mse")
    with pytest.raises(compat_hub.HubError, match="no gradient can be computed"):
        model.fit(x, module(x), verbose=0)


def test_as_a_saved_model_it_runs_and_does_not_train(irreducible: str, tmp_path: Path) -> None:
    with pytest.warns(NoGradientWarning, match="no gradient can be computed") as caught:
        compat_hub.convert(irreducible, tmp_path / "converted")
    message = str(caught[0].message)
    assert irreducible in message
    assert "'odd'" in message or "Merge" in message or "Switch" in message, message
    module, loaded = compat_hub.load(irreducible), tf.saved_model.load(tmp_path / "converted")
    x = _images(module)
    with tf.GradientTape() as tape:
        found = loaded(x)
    np.testing.assert_allclose(found, module(x), rtol=1e-6)
    assert set(tape.gradient(found, loaded.trainable_variables)) == {None}


def test_it_is_exported(irreducible: str, tmp_path: Path) -> None:
    compat_hub.load(irreducible).export(tmp_path / "exported")
    x = _images(compat_hub.load(irreducible))
    found = compat_hub.load(tmp_path / "exported")(x)
    np.testing.assert_allclose(found, compat_hub.load(irreducible)(x), rtol=1e-6)


def _with_saliency(draws: bool) -> compat_hub.HubModule:
    """A loop with TensorArrays, and the module's own gradient through it."""
    v1 = tf.compat.v1

    def module_fn() -> None:
        x = v1.placeholder(tf.float32, [3, 2])
        weights = v1.get_variable("weights", [2], initializer=v1.ones_initializer())
        shared = tf.tanh(x + v1.random_uniform([2]) * 1e-9)

        def step(row: tf.Tensor) -> tf.Tensor:
            return row * weights + (v1.random_uniform([2]) if draws else 0.0)

        rows = v1.map_fn(step, shared)
        saliency = v1.gradients(tf.reduce_sum(rows * rows), x)[0]
        compat_hub.add_signature(inputs=x, outputs={"default": rows, "saliency": saliency})

    v1.disable_control_flow_v2()
    try:
        return compat_hub.load(compat_hub.create_module_spec(module_fn))
    finally:
        v1.enable_control_flow_v2()


@pytest.mark.parametrize("in_function", [False, True], ids=["eager", "tf.function"])
def test_what_cannot_be_raised_runs_beside_the_rest(in_function: bool) -> None:
    module = _with_saliency(draws=False)
    x = tf.constant([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])

    def step(output: str) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            outputs = module(x, as_dict=True)
            loss = tf.reduce_sum(outputs[output])
        return outputs["saliency"], tape.gradient(loss, module.trainable_variables)[0]

    run = tf.function(step, autograph=False) if in_function else step
    saliency, gradient = run("default")
    np.testing.assert_allclose(gradient, tf.reduce_sum(tf.tanh(x), 0), rtol=1e-6)
    expected = 2 * tf.tanh(x) * (1 - tf.tanh(x) ** 2)
    np.testing.assert_allclose(saliency, expected, rtol=1e-5)
    with pytest.raises(compat_hub.NoGradientError, match="TensorArrayGradV3"):
        run("saliency")


def test_nothing_is_drawn_twice() -> None:
    module = _with_saliency(draws=True)
    with tf.GradientTape() as tape:
        outputs = module(tf.ones([3, 2]), as_dict=True)
    slope = 1 - tf.tanh(1.0) ** 2
    np.testing.assert_allclose(outputs["saliency"], 2 * outputs["default"] * slope, rtol=1e-5)
    with pytest.raises(compat_hub.NoGradientError, match="TensorArrayGradV3"):
        tape.gradient(outputs["default"], module.trainable_variables)
