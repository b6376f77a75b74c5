"""Control flow that cannot be raised runs as it is, and a tape over it raises one clear error."""

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


def test_it_cannot_be_a_saved_model(irreducible: str, tmp_path: Path) -> None:
    with pytest.raises(compat_hub.HubError, match="no gradient can be computed") as caught:
        compat_hub.convert(irreducible, tmp_path / "converted")
    message = str(caught.value)
    assert irreducible in message
    assert "'odd'" in message or "Merge" in message or "Switch" in message, message
    assert "HubModule.export() writes TF1 Hub format" in message
    assert [path.name for path in tmp_path.iterdir()] == ["irreducible"]
    compat_hub.load(irreducible).export(tmp_path / "exported")
    x = _images(compat_hub.load(irreducible))
    found = compat_hub.load(tmp_path / "exported")(x)
    np.testing.assert_allclose(found, compat_hub.load(irreducible)(x), rtol=1e-6)
