from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.keras3 import KerasLayer
from tests.records import FIXTURES, OUTPUT_TOLERANCE, Record, assert_close

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=[8, 5]).astype("float32")
IMAGES = RANDOM.normal(size=[6, 8, 8, 3]).astype("float32")
FRUIT = {
    "apples": RANDOM.normal(size=[6, 4]).astype("float32"),
    "oranges": RANDOM.normal(size=[6, 3]).astype("float32"),
}


def _layer(fixture: str, trainable: bool = True, **kwargs: Any) -> KerasLayer:
    return KerasLayer(FIXTURES / fixture / "module", trainable=trainable, **kwargs)


def _fruit_layer(trainable: bool = True, **kwargs: Any) -> KerasLayer:
    options = {"signature": "fruit_to_pet", "signature_outputs_as_dict": True, **kwargs}
    return _layer("fruit", trainable, **options)


def _compile(model: keras.Model, rate: float = 0.1, **kwargs: Any) -> keras.Model:
    model.compile(keras.optimizers.SGD(rate), "mse", **kwargs)
    return model


def _values(layer: KerasLayer) -> dict[str, np.ndarray]:
    return {v.name: v.numpy() for v in layer.resolved_object.variables}


def _changed(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    return {name for name in before if not np.array_equal(before[name], after[name])}


# Models of every kind -----------------------------------------------------------------------------


def test_sequential() -> None:
    layer = _layer("image_bn")
    model = _compile(keras.Sequential([layer, keras.layers.Dense(2)]))
    before = _values(layer)
    history = model.fit(IMAGES, np.ones([6, 2]), batch_size=3, epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    # A bias before a normalization has no gradient but rounding errors.
    still = set(before) - _changed(before, _values(layer))
    assert still <= {"conv2d/bias:0", "conv2d_1/bias:0"}
    prediction = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(prediction, model(IMAGES), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer(IMAGES), layer.resolved_object(IMAGES), rtol=1e-5)


def test_functional_with_inputs_and_outputs_by_name() -> None:
    layer = _fruit_layer()
    inputs = {name: keras.Input(FRUIT[name].shape[1:], name=name) for name in FRUIT}
    pets = layer(inputs)
    assert {name: pet.shape for name, pet in pets.items()} == {
        "cats": (None, 2),
        "dogs": (None, 3),
        "hidden": (None, 5),
    }
    joined = keras.layers.Concatenate()([pets["cats"], pets["dogs"]])
    model = _compile(keras.Model(inputs, keras.layers.Dense(1)(joined)), run_eagerly=True)
    before = _values(layer)
    model.fit(FRUIT, np.ones([6, 1]), epochs=2, verbose=0)
    assert _changed(before, _values(layer)) == set(before)
    assert model.count_params() == 4 * 5 + 3 * 5 + 5 * 2 + 2 + 5 * 3 + 3 + 5 + 1


def test_subclassed() -> None:
    class Model(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hub = _layer("hparams")
            self.top = keras.layers.Dense(1)

        def call(self, inputs: Any, training: Any = None) -> Any:
            return self.top(self.hub(inputs))  # Keras passes `training` on

    model = _compile(Model())
    before = _values(model.hub)
    model.fit(X, np.ones([8, 1]), verbose=0)
    assert _changed(before, _values(model.hub)) == set(before)
    assert len(model.trainable_weights) == 3
    assert len(model.non_trainable_weights) == 2


def test_strings() -> None:
    layer = _layer("text_table")
    text = keras.Input([], dtype="string")
    model = _compile(keras.Model(text, keras.layers.Dense(1)(layer(text))))
    before = _values(layer)
    sentences = tf.constant(["sphinx of quartz", "judge my vow", "the zebra", "vow"])
    model.fit(sentences, np.ones([4, 1]), verbose=0)
    assert _changed(before, _values(layer)) == set(before)
    layer = _layer("text_table", trainable=False)
    record = Record(FIXTURES / "text_table")
    words = record.inputs("default")["default"]
    expected = record.outputs([], "default")["default"]
    for given in (tf.constant(words), words, words.tolist()):
        assert_close(layer(given), expected, OUTPUT_TOLERANCE, type(given).__name__)


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
    path = FIXTURES / "nnlm" / "module"
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

    layer = Scaled(FIXTURES / "nnlm" / "module")
    assert layer.scale.dtype == "float32"
    np.testing.assert_array_equal(layer(_TEXTS), layer.resolved_object(_TEXTS))


def test_the_compute_dtype_of_a_module_that_takes_floats_is_the_policy_s() -> None:
    layer = KerasLayer(FIXTURES / "image_bn" / "module", dtype="mixed_float16")
    assert (layer.compute_dtype, layer.variable_dtype) == ("float16", "float32")


def test_in_a_model_in_a_model() -> None:
    layer = _layer("hparams")
    inner = keras.Sequential([layer, keras.layers.Dense(3)])
    outer = _compile(keras.Sequential([inner, keras.layers.Dense(1)]), run_eagerly=True)
    before = _values(layer)
    outer.fit(X, np.ones([8, 1]), verbose=0)
    assert _changed(before, _values(layer)) == set(before)
    inner.trainable = False
    before = _values(layer)
    _compile(outer, run_eagerly=True).fit(X, np.ones([8, 1]), verbose=0)
    assert not layer.trainable
    assert _changed(before, _values(layer)) == set()


def test_distributed_over_time() -> None:
    layer = _layer("hparams", trainable=False)
    model = keras.Sequential([keras.Input([3, 5]), keras.layers.TimeDistributed(layer)])
    assert model.output_shape == (None, 3, 5)
    x = RANDOM.normal(size=[2, 3, 5]).astype("float32")
    expected = np.stack([layer(x[:, k]) for k in range(3)], axis=1)
    np.testing.assert_allclose(model(x), expected, rtol=1e-5, atol=1e-6)


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


def test_a_module_that_two_layers_share() -> None:
    module = compat_hub.load(FIXTURES / "image_bn" / "module")
    first = KerasLayer(module, trainable=True, train_only="^conv2d/")
    second = KerasLayer(module, trainable=True, train_only="conv2d/kernel|gamma")
    third = KerasLayer(module)
    names = [
        sorted(w.path.partition("/")[2] for w in layer.trainable_weights)
        for layer in (first, second, third)
    ]
    gammas = ["batch_normalization/gamma", "batch_normalization_1/gamma"]
    assert names == [["conv2d/bias", "conv2d/kernel"], [*gammas, "conv2d/kernel"], []]
    assert [len(layer.weights) for layer in (first, second, third)] == [12] * 3
    images = keras.Input([8, 8, 3])
    model = keras.Model(images, first(images) + second(images) + third(images))
    assert len(model.weights) == 12
    assert len(model.trainable_weights) == 4
    first.trainable = False
    assert len(model.trainable_weights) == len(second.trainable_weights) == 3
    first.trainable = True
    assert len(model.trainable_weights) == 4
    # An optimizer moves each once: two steps would be twice as long.
    kernel = module.variable_map["conv2d/kernel"]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(first(IMAGES) + second(IMAGES))
    variables = model.trainable_variables
    gradients = tape.gradient(loss, [v.value for v in variables])
    gradient = next(g for g, v in zip(gradients, variables, strict=True) if v.value is kernel)
    expected = kernel - 0.1 * gradient
    keras.optimizers.SGD(0.1).apply_gradients(zip(gradients, variables, strict=True))
    np.testing.assert_allclose(kernel, expected, rtol=1e-4, atol=1e-6)


def test_a_weight_that_is_switched_off() -> None:
    layer = _layer("fruit")
    weight = layer.trainable_weights[0]
    weight.trainable = False
    assert len(layer.trainable_weights) == 5
    assert any(w is weight for w in layer.non_trainable_weights)
    layer.trainable = False
    layer.trainable = True
    assert len(layer.trainable_weights) == 5


def test_weights_of_a_subclass() -> None:
    @keras.saving.register_keras_serializable("test_keras3")
    class Scaled(KerasLayer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def call(self, inputs: Any, training: Any = None) -> Any:
            return super().call(inputs, training) * self.scale

    layer = Scaled(FIXTURES / "hparams" / "module", trainable=True)
    assert len(layer.trainable_weights) == 2
    layer.trainable = False
    assert layer.trainable_weights == []
    layer.scale.assign(3.0)
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    again = Scaled.from_config(layer.get_config())
    again.load_own_variables(store)
    np.testing.assert_allclose(again(X), layer(X), rtol=1e-6)


def test_values_that_stand_for_variables() -> None:
    model = keras.Sequential([keras.Input([5]), _layer("hparams")])
    trainable = [v.numpy() for v in model.trainable_variables]
    others = [v.numpy() for v in model.non_trainable_variables]
    with pytest.raises(compat_hub.GraphError, match="stateless_call"):
        model.stateless_call(trainable, others, X)


# Variants, update ops, freezing, losses -----------------------------------------------------------


def test_fit_moves_the_averages_and_predict_uses_them() -> None:
    layer = _layer("hparams")
    model = _compile(keras.Sequential([layer]))
    variables = layer.resolved_object.variable_map
    mean = variables["moving_mean"]
    for k in range(2):
        before = mean.numpy()
        x = X * (k + 1.0) + k
        model.fit(x, np.zeros_like(x), batch_size=8, verbose=0)
        expected = 0.9 * before + 0.1 * x.mean(0)
        np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-6)
        scaled = (x - mean) / np.sqrt(variables["moving_variance"].numpy() + 0.001)
        found = model.predict(x, verbose=0)
        np.testing.assert_allclose(found, scaled * variables["gamma"], rtol=1e-4, atol=1e-5)


def test_freezing() -> None:
    layer = _layer("image_bn")
    assert len(layer.losses) == 2
    top = keras.layers.Dense(1)
    model = _compile(keras.Sequential([layer, top]), run_eagerly=True)
    model.fit(IMAGES, np.ones([6, 1]), verbose=0)
    layer.trainable = False
    assert layer.losses == model.losses == []
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == 12
    assert model.trainable_variables == top.trainable_variables
    before, before_top = _values(layer), top.kernel.numpy()
    _compile(model, run_eagerly=True).fit(IMAGES, np.ones([6, 1]), verbose=0)
    assert _changed(before, _values(layer)) == set()
    assert not np.array_equal(top.kernel, before_top)
    expected = layer(IMAGES)
    for training in (True, False, None):
        np.testing.assert_array_equal(layer(IMAGES, training=training), expected)
    layer.trainable = True
    assert len(model.losses) == 2
    assert len(model.trainable_variables) == 10


def test_a_layer_that_was_never_trainable() -> None:
    layer = _layer("image_bn", trainable=False)
    model = keras.Sequential([keras.Input([8, 8, 3]), layer, keras.layers.Dense(1)])
    assert len(model.trainable_variables) == 2
    assert model.losses == []
    record = Record(FIXTURES / "image_bn")
    found = layer(record.inputs("default")["images"], training=True)
    assert_close(found, record.outputs([], "default")["default"], OUTPUT_TOLERANCE, "inference")
    layer.trainable = True
    assert len(model.trainable_variables) == 8 + 2
    assert len(model.losses) == 2


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables")
def test_regularization_losses_are_part_of_the_loss() -> None:
    layer = _fruit_layer(output_key="cats", signature_outputs_as_dict=None)
    expected = sum(float(loss()) for loss in layer.resolved_object.regularization_losses)
    np.testing.assert_allclose(sum(map(float, layer.losses)), expected, rtol=1e-6)
    inputs = {name: keras.Input(FRUIT[name].shape[1:], name=name) for name in FRUIT}
    model = _compile(keras.Model(inputs, layer(inputs)), rate=0.0)
    targets = np.zeros([6, 2])
    total = np.mean(np.square(layer(FRUIT))) + expected
    np.testing.assert_allclose(model.evaluate(FRUIT, targets, verbose=0), total, rtol=1e-5)
    history = model.fit(FRUIT, targets, verbose=0).history
    np.testing.assert_allclose(history["loss"], [total], rtol=1e-5)
    with tf.GradientTape() as tape:
        loss = tf.add_n(model.losses)
    gradients = tape.gradient(loss, [v.value for v in layer.trainable_variables])
    assert sum(g is not None for g in gradients) == 2


def test_a_loss_of_the_inputs_belongs_to_the_call() -> None:
    layer = _layer("activity")
    x = RANDOM.normal(size=[5, 4]).astype("float32")
    assert len(layer.losses) == 1
    layer(x, training=True)
    weights = layer.resolved_object.variable_map
    hidden = np.maximum(x @ weights["dense/kernel"].numpy() + weights["dense/bias"].numpy(), 0)
    expected = [0.1 * np.sum(hidden**2), 0.025 * np.sum(weights["dense/kernel"].numpy() ** 2)]
    found = sorted(map(float, layer.losses))
    np.testing.assert_allclose(found, sorted(expected), rtol=1e-4)
    layer(2 * x, training=True)
    assert len(layer.losses) == 2
    layer.trainable = False
    layer(x)
    assert layer.losses == []


def test_training_as_a_tensor() -> None:
    layer = _layer("hparams")
    mean = layer.resolved_object.variable_map["moving_mean"]

    @tf.function(input_signature=[tf.TensorSpec([], tf.bool)])
    def call(training: tf.Tensor) -> tf.Tensor:
        return layer(X, training=training)

    before = mean.numpy()
    np.testing.assert_allclose(call(False), layer(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(mean, before)
    call(True)
    np.testing.assert_allclose(mean, 0.9 * before + 0.1 * X.mean(0), rtol=1e-4, atol=1e-6)


# Symbolic tensors, dtypes, inputs -----------------------------------------------------------------


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


def test_output_shapes() -> None:
    shapes = _fruit_layer().compute_output_shape({"apples": (3, 4), "oranges": (3, 3)})
    assert shapes == {"cats": (3, 2), "dogs": (3, 3), "hidden": (3, 5)}


def test_inputs_that_may_be_left_out() -> None:
    layer = _layer("optional_inputs", signature="some")
    x = RANDOM.normal(size=[4, 3]).astype("float32")
    module = layer.resolved_object
    expected = module({"x": x}, "some")
    for inputs in (x, {"x": x}):
        np.testing.assert_array_equal(layer(inputs), expected)
    layer = KerasLayer(module, signature="some", arguments={"scale": 3.0})
    symbol = keras.Input([3])
    model = keras.Model(symbol, layer({"x": symbol}))
    np.testing.assert_allclose(model(x), module({"x": x, "scale": 3.0}, "some"), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_floats_of_every_width(dtype: str) -> None:
    layer = _layer("hparams", trainable=False)
    found = layer(X.astype(dtype))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, layer(X), rtol=1e-2, atol=1e-2)
    assert layer(keras.Input([5], dtype=dtype)).dtype == "float32"


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    keras.mixed_precision.set_global_policy("mixed_float16")
    yield
    keras.mixed_precision.set_global_policy("float32")


def test_under_mixed_precision(mixed_precision: None) -> None:
    layer = _layer("hparams")
    assert {w.dtype for w in layer.weights} == {"float32"}
    first, last = keras.layers.Dense(5), keras.layers.Dense(1, dtype="float32")
    model = keras.Sequential([first, layer, last])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=1.0)
    model.compile(optimizer, "mse")
    assert first(X).dtype == tf.float16
    assert layer(first(X)).dtype == tf.float32
    before = _values(layer)
    model.fit(X, np.ones([8, 1]), verbose=0)
    assert _changed(before, _values(layer)) == set(before)
    again = KerasLayer.from_config(layer.get_config())
    assert again(X).dtype == tf.float32


def test_inputs_that_do_not_fit() -> None:
    with pytest.raises(compat_hub.InputTypeError, match="missing 'oranges'"):
        _fruit_layer()({"apples": FRUIT["apples"]})
    with pytest.raises(compat_hub.InputTypeError, match="'images'"):
        keras.Sequential([_layer("image_bn")])(np.zeros([2, 9, 9, 3], "float32"))


# Compilation --------------------------------------------------------------------------------------


def test_what_xla_cannot_compile_is_run_without() -> None:
    text = keras.Sequential([_layer("text_table", trainable=False)])
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        _compile(text, jit_compile=True)
    assert not text.jit_compile
    layer = _layer("hparams")
    assert layer.supports_jit
    layer.supports_jit = False
    assert not layer.supports_jit


def test_compiled_by_xla() -> None:
    layer = _layer("hparams")
    model = _compile(keras.Sequential([layer]), jit_compile=True)
    mean = layer.resolved_object.variable_map["moving_mean"]
    before = _values(layer)
    model.fit(X, X, batch_size=8, verbose=0)
    assert _changed(before, _values(layer)) == set(before)
    expected = 0.9 * before["moving_mean:0"] + 0.1 * X.mean(0)
    np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-6)


# Other handles ------------------------------------------------------------------------------------


def test_a_plain_saved_model(tmp_path: Any) -> None:
    path = compat_hub.convert(FIXTURES / "hparams" / "module", tmp_path / "saved_model")
    layer = KerasLayer(path, trainable=True)
    assert len(layer.trainable_weights) == 1
    assert len(layer.weights) == 3
    assert not layer.supports_jit  # nobody knows
    model = _compile(keras.Sequential([layer]), run_eagerly=True)
    before = layer.get_weights()
    model.fit(X, X, verbose=0)
    assert not any(map(np.array_equal, before, layer.get_weights()))


def test_options_that_do_not_fit() -> None:
    with pytest.raises(compat_hub.UnknownNameError, match="'fruit_to_pet'"):
        _layer("fruit", signature="nope")
    with pytest.raises(compat_hub.SignatureError, match="train_only"):
        _layer("fruit", train_only="nope")
