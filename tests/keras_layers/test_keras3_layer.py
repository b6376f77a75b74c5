"""What the layer of Keras 3 does that tf_keras has no place for; test_layer.py has the rest."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.keras3 import KerasLayer
from tests.keras_layers.kits import changed, path_of, values

X = np.random.default_rng(3).normal(size=[8, 5]).astype("float32")


def _layer(fixture: str, trainable: bool = True, **options: Any) -> KerasLayer:
    return KerasLayer(path_of(fixture), trainable=trainable, **options)


# Texts --------------------------------------------------------------------------------------------


_TEXTS = tf.constant(["a dog", "the cat", "x", "y"])


@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")
@pytest.mark.parametrize(
    "options",
    [
        {"input_shape": [], "dtype": tf.string},  # the line of TensorFlow Hub's text tutorial
        {"input_shape": []},
        {"dtype": "string"},
        {},
    ],
)
def test_texts_in_a_sequential_model_without_an_input(options: Any, tmp_path: Any) -> None:
    path = path_of("nnlm")
    layer = KerasLayer(path, trainable=True, **options)
    assert layer.compute_dtype == "string"
    model = keras.Sequential([layer, keras.layers.Dense(1)])
    if "input_shape" in options:
        assert model.input_shape == (None,)
        assert model.inputs[0].dtype == "string"
    model.compile("sgd", "mse")
    before = [v.numpy() for v in layer.resolved_object.trainable_variables]
    model.fit(_TEXTS, np.ones([4, 1], "float32"), verbose=0)
    assert any(
        (v.numpy() != old).any()
        for v, old in zip(layer.resolved_object.trainable_variables, before, strict=True)
    )
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    expected = model.predict(_TEXTS, verbose=0)
    np.testing.assert_array_equal(again.predict(_TEXTS, verbose=0), expected)


def test_a_weight_of_a_subclass_for_texts_is_of_floats() -> None:
    class Scaled(KerasLayer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def call(self, inputs: Any, training: Any = None) -> Any:
            return self.scale * super().call(inputs, training)

    layer = Scaled(path_of("nnlm"))
    assert layer.scale.dtype == "float32"
    np.testing.assert_array_equal(layer(_TEXTS), layer.resolved_object(_TEXTS))


def test_the_compute_dtype_of_a_module_that_takes_floats_is_the_policy_s() -> None:
    layer = KerasLayer(path_of("image_bn"), dtype="mixed_float16")
    assert (layer.compute_dtype, layer.variable_dtype) == ("float16", "float32")


# Weights ------------------------------------------------------------------------------------------


def test_weights_are_the_module_s_variables() -> None:
    layer = _layer("hparams", name="hub")
    gamma = layer.trainable_weights[0]
    assert isinstance(gamma, keras.Variable)
    assert (gamma.name, gamma.path, gamma.dtype) == ("gamma", "hub/gamma", "float32")
    variable = layer.resolved_object.variable_map["gamma"]
    assert gamma.value is variable
    variable.assign([1.0, 2, 3, 4, 5])
    assert gamma.numpy().tolist() == [1, 2, 3, 4, 5]
    gamma.assign(np.zeros(5))
    assert variable.numpy().tolist() == [0] * 5
    assert [w.path for w in _layer("image_bn", name="b").weights][2] == (
        "b/batch_normalization/gamma"
    )


def test_weights_of_every_dtype() -> None:
    layer = _layer("dtypes", signature_outputs_as_dict=True)
    paths = {w.path.rpartition("/")[2]: w for w in layer.weights}
    for name, variable in layer.resolved_object.variable_map.items():
        if name not in paths:
            assert variable.dtype.is_complex, name  # Keras has no such dtype
            continue
        assert paths[name].value is variable
        assert paths[name].dtype == variable.dtype.name
        paths[name].assign(variable.read_value())


def test_parts_of_a_variable() -> None:
    layer = _layer("partitioned", name="p")
    parts = layer.resolved_object.variable_map["outer/inner/weights"]
    for k, part in enumerate(parts):
        (weight,) = (w for w in layer.weights if w.path == f"p/outer/inner/weights/part_{k}")
        assert weight.value is part


def test_a_weight_that_is_switched_off() -> None:
    layer = _layer("fruit")
    weight = layer.trainable_weights[0]
    weight.trainable = False
    assert len(layer.trainable_weights) == 5
    assert any(w is weight for w in layer.non_trainable_weights)
    layer.trainable = False
    layer.trainable = True
    assert len(layer.trainable_weights) == 5


def test_values_that_stand_for_variables() -> None:
    model = keras.Sequential([keras.Input([5]), _layer("hparams")])
    trainable = [v.numpy() for v in model.trainable_variables]
    others = [v.numpy() for v in model.non_trainable_variables]
    with pytest.raises(compat_hub.GraphError, match="stateless_call"):
        model.stateless_call(trainable, others, X)


# Symbolic tensors ---------------------------------------------------------------------------------


def test_sparse_and_ragged_tensors() -> None:
    sparse = keras.Input([6], sparse=True)
    layer = _layer("sparse_io", arguments={"scale": 2.0}, signature_outputs_as_dict=True)
    outputs = layer({"sparse": sparse})
    assert {name for name, output in outputs.items() if output.sparse} == {"scaled", "transposed"}
    value = tf.sparse.from_dense([[0.0, 1, 0, 0, 2, 0], [0.0] * 6])
    found = keras.Model(sparse, outputs["default"])(value)
    np.testing.assert_allclose(found, layer({"sparse": value})["default"], rtol=1e-6)
    if not hasattr(keras.KerasTensor, "ragged"):  # Keras before 3.9
        return
    layer = _layer("ragged_io", signature_outputs_as_dict=True)
    value = {
        "ragged": tf.ragged.constant([[1.0], [2.0, 3.0]]),
        "deep": tf.ragged.constant([[[1], [2, 3]], [[4]]]),
    }
    inputs = {
        "ragged": keras.Input([None], ragged=True),
        "deep": keras.Input([None, None], dtype="int32", ragged=True),
    }
    outputs = layer(inputs)
    assert {name for name, output in outputs.items() if output.ragged} == {"deep", "scaled"}
    np.testing.assert_allclose(layer(value)["dense"].shape, [2, 2])


def test_outputs_of_unknown_rank() -> None:
    def forget(x: tf.Tensor) -> tf.Tensor:
        return tf.compat.v1.placeholder_with_default(x, None)

    with pytest.raises(compat_hub.SignatureError, match="output_shape"):
        KerasLayer(forget)(keras.Input([3]))
    layer = KerasLayer(forget, output_shape=(3,))
    assert layer(keras.Input([3])).shape == (None, 3)
    assert layer.compute_output_shape((None, 3)) == (None, 3)


# Compilation --------------------------------------------------------------------------------------


def test_what_xla_cannot_compile_is_run_without() -> None:
    text = keras.Sequential([_layer("text_table", trainable=False)])
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        text.compile("sgd", "mse", jit_compile=True)
    assert not text.jit_compile
    layer = _layer("hparams")
    assert layer.supports_jit
    layer.supports_jit = False
    assert not layer.supports_jit


def test_compiled_by_xla() -> None:
    layer = _layer("hparams")
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=True)
    mean = layer.resolved_object.variable_map["moving_mean"]
    before = values(layer)
    model.fit(X, X, batch_size=8, verbose=0)
    assert changed(layer, before) == set(before)
    expected = 0.9 * before["moving_mean"] + 0.1 * X.mean(0)
    np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-6)
