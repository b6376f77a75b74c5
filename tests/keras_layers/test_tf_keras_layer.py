from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2
from tests.records import FIXTURES, OUTPUT_TOLERANCE, Record, assert_close

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=[8, 5]).astype("float32")
IMAGES = RANDOM.normal(size=[6, 8, 8, 3]).astype("float32")
FRUIT = {
    "apples": RANDOM.normal(size=[6, 4]).astype("float32"),
    "oranges": RANDOM.normal(size=[6, 3]).astype("float32"),
}


def _path(fixture: str) -> str:
    return str(FIXTURES / fixture / "module")


def _layer(fixture: str, trainable: bool = True, **kwargs: Any) -> keras2.KerasLayer:
    return keras2.KerasLayer(_path(fixture), trainable=trainable, **kwargs)


def _fruit_layer(trainable: bool = True, **kwargs: Any) -> keras2.KerasLayer:
    options = {"signature": "fruit_to_pet", "signature_outputs_as_dict": True, **kwargs}
    return _layer("fruit", trainable, **options)


def _compile(model: tf_keras.Model, rate: float = 0.1, **kwargs: Any) -> tf_keras.Model:
    model.compile(tf_keras.optimizers.SGD(rate), "mse", **kwargs)
    return model


def _values(layer: keras2.KerasLayer) -> dict[str, np.ndarray]:
    return {v.name: v.numpy() for v in layer.resolved_object.variables}


def _changed(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    return {name for name in before if not np.array_equal(before[name], after[name])}


def _trained(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> bool:
    """Whether all changed; a bias before a normalization has no gradient but rounding errors."""
    return set(before) - _changed(before, after) <= {"conv2d/bias:0", "conv2d_1/bias:0"}


# Models of every kind -----------------------------------------------------------------------------


@pytest.mark.parametrize("run_eagerly", [False, True], ids=["graph", "eager"])
def test_sequential(run_eagerly: bool) -> None:
    layer = _layer("image_bn")
    model = tf_keras.Sequential([layer, tf_keras.layers.Dense(2)])
    _compile(model, run_eagerly=run_eagerly)
    before = _values(layer)
    history = model.fit(IMAGES, np.ones([6, 2]), batch_size=3, epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert _trained(before, _values(layer))
    prediction = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(prediction, model(IMAGES), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.layers[0](IMAGES), layer.resolved_object(IMAGES), rtol=1e-5)


@pytest.mark.parametrize("run_eagerly", [False, True], ids=["graph", "eager"])
def test_functional_with_inputs_and_outputs_by_name(run_eagerly: bool) -> None:
    layer = _fruit_layer()
    inputs = {
        "apples": tf_keras.Input([4], name="apples"),
        "oranges": tf_keras.Input([3], name="oranges"),
    }
    pets = layer(inputs)
    assert {name: pet.shape.as_list() for name, pet in pets.items()} == {
        "cats": [None, 2],
        "dogs": [None, 3],
        "hidden": [None, 5],
    }
    joined = tf_keras.layers.Concatenate()([pets["cats"], pets["dogs"]])
    model = _compile(tf_keras.Model(inputs, tf_keras.layers.Dense(1)(joined)))
    model.run_eagerly = run_eagerly
    before = _values(layer)
    model.fit(FRUIT, np.ones([6, 1]), epochs=2, verbose=0)
    assert _trained(before, _values(layer))
    assert model.predict(FRUIT, verbose=0).shape == (6, 1)
    assert model.count_params() == 4 * 5 + 3 * 5 + 5 * 2 + 2 + 5 * 3 + 3 + 5 + 1


@pytest.mark.parametrize("run_eagerly", [False, True], ids=["graph", "eager"])
def test_subclassed(run_eagerly: bool) -> None:
    class Model(tf_keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hub = _layer("hparams")
            self.top = tf_keras.layers.Dense(1)

        def call(self, inputs: tf.Tensor, training: Any = None) -> tf.Tensor:
            return self.top(self.hub(inputs, training=training))

    model = _compile(Model(), run_eagerly=run_eagerly)
    before = _values(model.hub)
    model.fit(X, np.ones([8, 1]), epochs=2, verbose=0)
    assert _trained(before, _values(model.hub))
    assert len(model.trainable_weights) == 3
    assert len(model.non_trainable_weights) == 2


def test_string_inputs() -> None:
    layer = _layer("text_table", input_shape=[], dtype=tf.string)
    model = _compile(tf_keras.Sequential([layer, tf_keras.layers.Dense(1)]))
    sentences = tf.constant(["sphinx of quartz", "judge my vow", "the zebra", "vow"])
    before = _values(layer)
    model.fit(sentences, np.ones([4, 1]), epochs=2, verbose=0)
    assert _trained(before, _values(layer))
    record = Record(FIXTURES / "text_table")
    module = keras2.KerasLayer(_path("text_table"))
    found = tf_keras.Sequential([module]).predict(
        tf.constant(record.inputs("default")["default"]), verbose=0
    )
    assert_close(found, record.outputs([], "default")["default"], OUTPUT_TOLERANCE, "embedding")


def test_in_a_model_in_a_model() -> None:
    layer = _layer("hparams")
    inner = tf_keras.Sequential([layer, tf_keras.layers.Dense(3)])
    outer = _compile(tf_keras.Sequential([inner, tf_keras.layers.Dense(1)]))
    before = _values(layer)
    outer.fit(X, np.ones([8, 1]), verbose=0)
    assert _trained(before, _values(layer))
    inner.trainable = False
    _compile(outer)
    before = _values(layer)
    outer.fit(X, np.ones([8, 1]), verbose=0)
    assert not layer.trainable
    assert _changed(before, _values(layer)) == set()


def test_distributed_over_time() -> None:
    layer = _layer("hparams", trainable=False)
    model = tf_keras.Sequential([tf_keras.layers.TimeDistributed(layer, input_shape=[3, 5])])
    assert model.output_shape == (None, 3, 5)
    x = RANDOM.normal(size=[2, 3, 5]).astype("float32")
    expected = np.stack([layer(x[:, k]) for k in range(3)], axis=1)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_called_twice_in_one_model() -> None:
    layer = _layer("hparams")
    a, b = tf_keras.Input([5]), tf_keras.Input([5])
    model = tf_keras.Model([a, b], layer(a) - layer(b))
    assert len(model.weights) == 3
    np.testing.assert_allclose(model.predict([X, X], verbose=0), np.zeros([8, 5]), atol=1e-6)


def test_in_two_replicas_of_a_strategy() -> None:
    # Not by the collective ops that are the default on CPUs: these mix up programs of one process.
    reduce = tf.distribute.HierarchicalCopyAllReduce()
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=reduce)
    with strategy.scope():
        layer = _layer("hparams")
        model = _compile(tf_keras.Sequential([layer]), rate=0.0)
    variables = layer.resolved_object.variable_map
    averages = {np.mean: variables["moving_mean"], np.var: variables["moving_variance"]}
    before = {average: variable.numpy() for average, variable in averages.items()}
    model.fit(X, X, batch_size=8, shuffle=False, verbose=0)
    # Each replica sees half of the batch, and what they average counts by its mean.
    for average, variable in averages.items():
        seen = (average(X[:4], axis=0) + average(X[4:], axis=0)) / 2
        expected = 0.9 * before[average] + 0.1 * seen
        np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-6)


# Variants, update ops, freezing -------------------------------------------------------------------


def _normalized(x: np.ndarray, module: compat_hub.HubModule) -> np.ndarray:
    value = {name: v.numpy() for name, v in module.variable_map.items()}
    scaled = (x - value["moving_mean"]) / np.sqrt(value["moving_variance"] + 0.001)
    return scaled * value["gamma"]


def test_fit_moves_the_averages_and_predict_uses_them() -> None:
    layer = _layer("hparams")
    model = _compile(tf_keras.Sequential([layer]))
    module = layer.resolved_object
    mean, variance = (module.variable_map[f"moving_{n}"] for n in ("mean", "variance"))
    for k in range(3):
        before = mean.numpy(), variance.numpy(), module.variable_map["gamma"].numpy()
        x = X * (k + 1.0) + k
        model.fit(x, np.zeros_like(x), batch_size=8, verbose=0)
        expected = 0.9 * before[0] + 0.1 * x.mean(0)
        np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-6)
        expected = 0.9 * before[1] + 0.1 * x.var(0)
        np.testing.assert_allclose(variance, expected, rtol=1e-4, atol=1e-6)
        assert not np.array_equal(module.variable_map["gamma"], before[2])
        # Inference: not the mean of this batch, but the moving one as it is now.
        found = model.predict(x, verbose=0)
        np.testing.assert_allclose(found, _normalized(x, module), rtol=1e-4, atol=1e-5)


def test_predict_and_evaluate_change_nothing() -> None:
    layer = _layer("image_bn")
    model = _compile(tf_keras.Sequential([layer]))
    before = _values(layer)
    model.predict(IMAGES, verbose=0)
    model.evaluate(IMAGES, np.zeros([6, 4]), verbose=0)
    model(IMAGES)
    layer(IMAGES)
    assert _changed(before, _values(layer)) == set()
    layer(IMAGES, training=True)
    moving = {name for name in before if "moving" in name}
    assert _changed(before, _values(layer)) == moving


def test_freezing() -> None:
    layer = _layer("image_bn")
    assert len(layer.losses) == 2
    top = tf_keras.layers.Dense(1)
    model = _compile(tf_keras.Sequential([layer, top]))
    model.fit(IMAGES, np.ones([6, 1]), verbose=0)
    layer.trainable = False
    assert layer.losses == model.losses == []
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == 12
    before, before_top = _values(layer), top.kernel.numpy()
    expected = layer(IMAGES)
    _compile(model).fit(IMAGES, np.ones([6, 1]), verbose=0)
    assert _changed(before, _values(layer)) == set()
    assert not np.array_equal(top.kernel, before_top)
    for training in (True, False, None):
        np.testing.assert_array_equal(layer(IMAGES, training=training), expected)
    layer.trainable = True
    assert len(layer.losses) == 2
    _compile(model).fit(IMAGES, np.ones([6, 1]), verbose=0)
    assert _trained(before, _values(layer))


def test_a_layer_that_was_never_trainable() -> None:
    layer = keras2.KerasLayer(_path("image_bn"))
    assert not layer.trainable
    assert layer.losses == []
    before = _values(layer)
    model = _compile(tf_keras.Sequential([layer, tf_keras.layers.Dense(1)]))
    model.fit(IMAGES, np.ones([6, 1]), verbose=0)
    assert _changed(before, _values(layer)) == set()
    record = Record(FIXTURES / "image_bn")
    found = layer(record.inputs("default")["images"], training=True)
    assert_close(found, record.outputs([], "default")["default"], OUTPUT_TOLERANCE, "inference")


def test_a_layer_that_becomes_trainable() -> None:
    layer = keras2.KerasLayer(_path("image_bn"))
    model = tf_keras.Sequential([layer, tf_keras.layers.Dense(1)])
    model.build([None, 8, 8, 3])
    layer.trainable = True
    assert len(layer.losses) == 2
    assert len(model.trainable_weights) == 8 + 2
    before = _values(layer)
    _compile(model).fit(IMAGES, np.ones([6, 1]), verbose=0)
    assert _trained(before, _values(layer))


def test_dropout_is_for_training() -> None:
    layer = _layer("dropout")
    x = RANDOM.normal(size=[4, 6]).astype("float32")
    np.testing.assert_array_equal(layer(x), layer(x))
    assert not np.array_equal(layer(x, training=True), layer(x, training=True))
    assert not np.array_equal(layer(x, training=True), layer(x))


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


def test_pinned_to_a_variant() -> None:
    layer = _layer("aux_variant", tags=["train"], signature_outputs_as_dict=True)
    x = RANDOM.normal(size=[3, 4]).astype("float32")
    assert set(layer(x)) == {"default", "aux"}
    layer = _layer("aux_variant", tags={"small", "gpu"})
    assert layer(x).shape == [3, 3]
    assert len(layer.weights) == 2
    assert set(_layer("aux_variant", signature_outputs_as_dict=True)(x)) == {"default"}


# Losses -------------------------------------------------------------------------------------------


def test_regularization_losses_are_part_of_the_loss() -> None:
    layer = _fruit_layer(output_key="cats", signature_outputs_as_dict=None)
    assert len(layer.losses) == 2
    expected = sum(float(loss()) for loss in layer.resolved_object.regularization_losses)
    np.testing.assert_allclose(sum(map(float, layer.losses)), expected, rtol=1e-6)

    class Model(tf_keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hub = layer

        def call(self, inputs: Any) -> Any:
            return self.hub(inputs)

    model = _compile(Model(), rate=0.0)
    targets = np.zeros([6, 2])
    squares = np.mean(np.square(layer(FRUIT)))
    np.testing.assert_allclose(
        model.evaluate(FRUIT, targets, verbose=0), squares + expected, rtol=1e-5
    )
    history = model.fit(FRUIT, targets, verbose=0).history
    np.testing.assert_allclose(history["loss"], [squares + expected], rtol=1e-5)


def test_regularization_losses_train() -> None:
    layer = _layer("fruit", signature="fruit_to_pet", output_key="dogs")
    apples = layer.resolved_object.variable_map["from_apples"]
    before = apples.numpy()
    kernel = layer.resolved_object.variable_map["cats/kernel"].numpy()
    with tf.GradientTape() as tape:
        loss = tf.add_n(layer.losses)
    for gradient, variable in zip(
        tape.gradient(loss, layer.trainable_weights), layer.trainable_weights, strict=True
    ):
        if gradient is not None:
            variable.assign_sub(0.5 * gradient)
    np.testing.assert_allclose(apples, before * (1 - 0.5 * 0.01), rtol=1e-5)
    found = layer.resolved_object.variable_map["cats/kernel"]
    np.testing.assert_allclose(found, kernel - 0.5 * 0.02 * np.sign(kernel), rtol=1e-5)


def test_a_loss_of_the_inputs_belongs_to_the_call() -> None:
    layer = _layer("activity")
    x = RANDOM.normal(size=[5, 4]).astype("float32")
    assert len(layer.losses) == 1
    layer(x, training=True)
    weights = layer.resolved_object.variable_map
    hidden = np.maximum(x @ weights["dense/kernel"].numpy() + weights["dense/bias"].numpy(), 0)
    # The losses of the call come with those of the weights.
    found = sorted(map(float, layer.losses))
    expected = sorted(
        [
            0.1 * np.sum(hidden**2),
            0.025 * np.sum(weights["dense/kernel"].numpy() ** 2),
        ]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    layer(2 * x, training=True)
    assert len(layer.losses) == 2
    layer.trainable = False
    layer(x)
    assert layer.losses == []


def test_a_module_without_losses() -> None:
    assert _layer("hparams").losses == []


# Which weights ------------------------------------------------------------------------------------


def test_weights() -> None:
    layer = _layer("image_bn")
    module = layer.resolved_object
    assert isinstance(module, compat_hub.HubModule)
    assert [w.ref() for w in layer.trainable_weights] == [
        v.ref() for v in module.trainable_variables
    ]
    assert [w.ref() for w in layer.non_trainable_weights] == [
        v.ref() for v in module.non_trainable_variables
    ]
    assert len(layer.get_weights()) == 12
    layer.set_weights([w * 0.0 + 1.0 for w in layer.get_weights()])
    assert all(np.all(v == 1.0) for v in module.variables)


def test_weights_of_every_kind() -> None:
    assert len(_layer("dtypes", signature_outputs_as_dict=True).weights) == 8
    assert len(_layer("partitioned").weights) == 13
    assert _layer("no_variables").weights == []
    assert len(_layer("unknown_shape_variable").weights) == 1


def test_train_only() -> None:
    layer = _layer("image_bn", train_only=r"_1/(kernel|gamma)")
    assert [w.name for w in layer.trainable_weights] == [
        "conv2d_1/kernel:0",
        "batch_normalization_1/gamma:0",
    ]
    assert len(layer.non_trainable_weights) == 10
    model = _compile(tf_keras.Sequential([layer, tf_keras.layers.Dense(1)]))
    before = _values(layer)
    model.fit(IMAGES, np.ones([6, 1]), epochs=2, verbose=0)
    # Moving averages are no weights that train: they move in every training call.
    moving = {name for name in before if "moving" in name}
    expected = {"conv2d_1/kernel:0", "batch_normalization_1/gamma:0"} | moving
    assert _changed(before, _values(layer)) == expected
    layer.trainable = False
    assert layer.trainable_weights == []
    layer.trainable = True
    assert len(layer.trainable_weights) == 2


def test_train_only_that_matches_nothing() -> None:
    with pytest.raises(compat_hub.SignatureError, match=r"'moving'.*conv2d/kernel:0") as caught:
        _layer("image_bn", train_only="moving")
    assert _path("image_bn") in str(caught.value)
    with pytest.raises(compat_hub.SignatureError, match=r"train_only='\('.*no regular expression"):
        _layer("image_bn", train_only="(")


# Arguments, outputs, shapes -----------------------------------------------------------------------


def test_arguments() -> None:
    layer = _layer("hparams", signature="with_momentum", arguments={"batch_norm_momentum": 0.25})
    mean = layer.resolved_object.variable_map["moving_mean"]
    before = mean.numpy()
    model = _compile(tf_keras.Sequential([layer]), rate=0.0)
    model.fit(X, X, batch_size=8, verbose=0)
    np.testing.assert_allclose(mean, 0.25 * before + 0.75 * X.mean(0), rtol=1e-4, atol=1e-6)


def test_arguments_that_the_inference_call_takes_too() -> None:
    options = {"signature": "with_all", "arguments": {"batch_norm_epsilon": 4.0}}
    layer = _layer("hparams", **options)
    module = layer.resolved_object
    expected = module({"x": X, "batch_norm_epsilon": 4.0}, "with_all")
    np.testing.assert_allclose(layer(X), expected, rtol=1e-6)
    np.testing.assert_allclose(layer({"x": X}), expected, rtol=1e-6)
    found = layer({"x": X, "batch_norm_momentum": 0.1})
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    with pytest.raises(compat_hub.InputTypeError, match=r"'batch_norm_epsilon' are given twice"):
        layer({"x": X, "batch_norm_epsilon": 1.0})


def test_arguments_as_tensors() -> None:
    momentum = tf.Variable(0.5, trainable=False)
    layer = _layer(
        "hparams", signature="with_momentum", arguments={"batch_norm_momentum": momentum}
    )
    mean = layer.resolved_object.variable_map["moving_mean"]
    model = _compile(tf_keras.Sequential([layer]), rate=0.0)
    for value in (0.5, 0.0):
        momentum.assign(value)
        before = mean.numpy()
        model.fit(X, X, batch_size=8, verbose=0)
        expected = value * before + (1 - value) * X.mean(0)
        np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-6)


def test_output_key_computes_nothing_else() -> None:
    x = RANDOM.normal(size=[3, 2]).astype("float32")
    layer = _layer("counter", trainable=False, output_key="default")
    calls = layer.resolved_object.variable_map["calls"]
    assert layer(x).shape == [3, 2]
    layer = keras2.KerasLayer(layer.resolved_object)
    assert layer(x).shape == [3, 2]
    assert calls.numpy() == 0
    counting = keras2.KerasLayer(layer.resolved_object, output_key="calls")
    assert [counting(x).numpy() for _ in range(3)] == [1, 2, 3]
    keys = {key.outputs for key in layer.resolved_object._known.functions}
    assert keys == {("default",), ("calls",)}


def test_outputs_as_a_dict() -> None:
    outputs = _fruit_layer()(FRUIT)
    assert set(outputs) == {"cats", "dogs", "hidden"}
    layer = _layer("fruit", signature="fruit_to_pet", output_key="dogs")
    np.testing.assert_allclose(layer(FRUIT), outputs["dogs"], rtol=1e-6)
    assert set(_layer("fruit", signature_outputs_as_dict=True)(X)) == {"default"}


def test_static_shapes_follow_from_the_input() -> None:
    layer = _layer(
        "shapes",
        arguments={"scalar": 2.0, "anything": [1.0]},
        signature_outputs_as_dict=True,
    )
    images = tf_keras.Input([4, 3])
    outputs = layer({"images": images})
    assert outputs["default"].shape.as_list() == [None, 4, 3]
    assert outputs["padded"].shape.as_list() == [None, 4, 5]
    assert outputs["columns"].shape.as_list() == [4, 3]
    assert outputs["squeezed"].shape.as_list() == []
    flat = tf_keras.layers.Flatten()(outputs["default"])
    model = _compile(tf_keras.Model(images, tf_keras.layers.Dense(2)(flat)))
    x = RANDOM.normal(size=[5, 4, 3]).astype("float32")
    model.fit(x, np.ones([5, 2]), verbose=0)
    assert model.predict(x, verbose=0).shape == (5, 2)


def test_a_flat_output_before_a_dense_layer() -> None:
    layer = _layer("shapes", signature="flatten", output_key="flat", input_shape=[6, 6, 1])
    model = tf_keras.Sequential([layer, tf_keras.layers.Dense(2)])
    assert layer.output_shape == (None, 32)
    assert model.output_shape == (None, 2)


def test_compute_output_shape() -> None:
    layer = _layer("shapes", signature="flatten", signature_outputs_as_dict=True)
    shapes = layer.compute_output_shape([7, 6, 6, 1])
    assert {name: shape.as_list() for name, shape in shapes.items()} == {
        "conv": [7, 4, 4, 2],
        "default": [7, 3],
        "flat": [7, 32],
    }
    shapes = _fruit_layer().compute_output_shape({"apples": (None, 4), "oranges": (None, 3)})
    assert shapes["cats"].as_list() == [None, 2]
    layer = _layer("image_bn")
    assert layer.compute_output_shape((None, 8, 8, 3)).as_list() == [None, 4]
    assert layer.compute_output_shape(tf.TensorShape([2, 8, 8, 3])).as_list() == [2, 4]


@pytest.mark.parametrize("shape", [(4,), [4], tf.TensorShape([4]), (None,)])
def test_output_shape(shape: Any) -> None:
    layer = _layer("image_bn", output_shape=shape)
    assert layer.compute_output_shape((6, 8, 8, 3)).as_list() == [6, *tf.TensorShape(shape)]
    assert layer(IMAGES).shape == [6, 4]
    assert tf_keras.Sequential([layer]).predict(IMAGES, verbose=0).shape == (6, 4)


def test_output_shapes_in_a_dict() -> None:
    shape = {"cats": (2,), "dogs": [3], "hidden": (None,)}
    layer = _fruit_layer(output_shape=shape)
    found = layer.compute_output_shape({"apples": (None, 4), "oranges": (None, 3)})
    assert {n: s.as_list() for n, s in found.items()} == {
        "cats": [None, 2],
        "dogs": [None, 3],
        "hidden": [None, None],
    }
    assert layer(FRUIT)["dogs"].shape == [6, 3]


def test_an_output_shape_that_is_wrong() -> None:
    layer = _layer("image_bn", output_shape=(5,))
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="5"):
        layer(IMAGES)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"signature": "nope"}, compat_hub.UnknownNameError, "'fruit_to_pet'"),
        ({"signature": "fruit_to_pet"}, compat_hub.UnknownNameError, "'cats', 'dogs', 'hidden'"),
        ({"output_key": "nope"}, compat_hub.UnknownNameError, "'nope'"),
        ({"tags": "train"}, compat_hub.UnknownNameError, "It has: set()"),
        ({"arguments": {"pears": 1}}, compat_hub.InputTypeError, "'pears'"),
        (
            {"output_key": "default", "signature_outputs_as_dict": True},
            compat_hub.SignatureError,
            "one of the two",
        ),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], error: type, words: str) -> None:
    with pytest.raises(error) as caught:
        _layer("fruit", **options)
    assert words in str(caught.value)
    assert _path("fruit") in str(caught.value)


def test_inputs_that_do_not_fit() -> None:
    layer = _fruit_layer()
    with pytest.raises(compat_hub.InputTypeError, match="missing 'oranges'"):
        layer({"apples": FRUIT["apples"]})
    with pytest.raises(compat_hub.InputTypeError, match=r"'apples'.*float32 \[6, 3\]"):
        layer({"apples": FRUIT["oranges"], "oranges": FRUIT["oranges"]})
    model = tf_keras.Sequential([_layer("image_bn")])
    with pytest.raises(compat_hub.InputTypeError, match="'images'"):
        model(np.zeros([2, 9, 9, 3], "float32"))


# Dtypes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_floats_of_every_width(dtype: str) -> None:
    layer = _layer("hparams", trainable=False)
    found = layer(X.astype(dtype))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, layer(X), rtol=1e-2, atol=1e-2)
    found = tf_keras.Sequential([layer]).predict(X.astype(dtype), verbose=0)
    np.testing.assert_allclose(found, layer(X), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_ints_of_every_width(dtype: str) -> None:
    ids = np.array([[1, 1, 7], [0, 1, 3]], dtype)
    layer = _layer("embedding_lookup", trainable=False)
    expected = layer.resolved_object({"ids": ids.astype("int64")})
    np.testing.assert_array_equal(layer({"ids": tf.constant(ids)}), expected)
    model = tf_keras.Sequential([layer])
    np.testing.assert_array_equal(model.predict(ids, verbose=0), expected)


def test_ints_are_no_floats() -> None:
    layer = _layer("hparams", trainable=False)
    with pytest.raises(compat_hub.InputTypeError, match=r"float32.*int32"):
        layer(tf.ones([2, 5], tf.int32))


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    tf_keras.mixed_precision.set_global_policy("mixed_float16")
    yield
    tf_keras.mixed_precision.set_global_policy("float32")


def test_under_mixed_precision(mixed_precision: None) -> None:
    layer = _layer("hparams")
    assert {w.dtype for w in layer.weights} == {tf.float32}
    first, last = tf_keras.layers.Dense(5), tf_keras.layers.Dense(1, dtype="float32")
    model = tf_keras.Sequential([first, layer, last])
    optimizer = tf_keras.mixed_precision.LossScaleOptimizer(
        tf_keras.optimizers.SGD(0.1), dynamic=False, initial_scale=1.0
    )
    model.compile(optimizer, "mse")
    assert first(X).dtype == tf.float16
    assert layer(first(X)).dtype == tf.float32
    before = _values(layer)
    model.fit(X, np.ones([8, 1]), verbose=0)
    assert _trained(before, _values(layer))
    again = keras2.KerasLayer.from_config(layer.get_config())
    assert again(X).dtype == tf.float32


def test_composite_inputs() -> None:
    layer = _layer("sparse_io", arguments={"scale": 2.0}, signature_outputs_as_dict=True)
    sparse = tf.sparse.from_dense([[0.0, 1, 0, 0, 2, 0], [0.0] * 6])
    outputs = layer({"sparse": sparse})
    assert isinstance(outputs["scaled"], tf.SparseTensor)
    symbolic = tf_keras.Input([6], sparse=True)
    layer = _layer("sparse_io", arguments={"scale": 2.0})
    model = tf_keras.Model(symbolic, layer({"sparse": symbolic}))
    np.testing.assert_allclose(model(sparse), outputs["default"], rtol=1e-6)


# Configs and saving -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fixture", "options"),
    [
        ("image_bn", {}),
        ("image_bn", {"trainable": True, "name": "hub", "train_only": "kernel"}),
        ("image_bn", {"tags": {"train"}, "output_shape": (4,)}),
        ("image_bn", {"output_key": "block_2", "signature": "image_feature_vector"}),
        ("fruit", {"signature": "fruit_to_pet", "signature_outputs_as_dict": True}),
        ("hparams", {"signature": "with_momentum", "arguments": {"batch_norm_momentum": 0.5}}),
    ],
)
def test_configs(fixture: str, options: dict[str, Any]) -> None:
    layer = keras2.KerasLayer(_path(fixture), **options)
    config = json.loads(json.dumps(layer.get_config()))
    again = keras2.KerasLayer.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    assert again.name == layer.name
    assert again.trainable == layer.trainable
    assert [w.name for w in again.trainable_weights] == [w.name for w in layer.trainable_weights]
    assert again.resolved_object.tags == layer.resolved_object.tags
    inputs = Record(FIXTURES / fixture).inputs(options.get("signature", "default"))
    inputs = {n: v for n, v in inputs.items() if n not in options.get("arguments", {})}
    expected = layer(inputs)
    tf.nest.map_structure(np.testing.assert_array_equal, again(inputs), expected)


def test_a_config_of_a_path_object_a_spec_and_a_module() -> None:
    path = _path("fruit")
    module = compat_hub.load(path)
    for handle in (Path(path), module, module.spec):
        assert keras2.KerasLayer(handle).get_config()["handle"] == path


def test_configs_that_cannot_be() -> None:
    epsilon = tf.Variable(1.0, trainable=False)
    layer = _layer("hparams", signature="with_all", arguments={"batch_norm_epsilon": epsilon})
    with pytest.raises(compat_hub.ConfigError, match=r"'arguments'.*'keras_layer.*JSON"):
        layer.get_config()
    with pytest.raises(NotImplementedError, match="only a layer that was made from a path"):
        keras2.KerasLayer(tf.identity).get_config()


def test_a_model_s_json() -> None:
    layer = _layer("image_bn", input_shape=[8, 8, 3])
    model = tf_keras.Sequential([layer, tf_keras.layers.Dense(2)])
    again = tf_keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again(IMAGES), model(IMAGES), rtol=1e-5, atol=1e-6)
    clone = tf_keras.models.clone_model(model)
    assert clone.layers[0].resolved_object is not layer.resolved_object


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_saved_model(name: str, tmp_path: Path) -> None:
    layer = _layer("hparams", input_shape=[5])
    model = _compile(tf_keras.Sequential([layer, tf_keras.layers.Dense(2)]))
    model.fit(X, np.ones([8, 2]), verbose=0)
    model.save(tmp_path / name)
    again = tf_keras.models.load_model(tmp_path / name)
    np.testing.assert_allclose(
        again.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5, atol=1e-6
    )
    assert isinstance(again.layers[0], keras2.KerasLayer)
    assert again.layers[0].trainable


@pytest.mark.parametrize("name", ["weights", "w.weights.h5"])
def test_saved_weights(name: str, tmp_path: Path) -> None:
    def make() -> tf_keras.Model:
        layer = _layer("hparams", input_shape=[5])
        return tf_keras.Sequential([layer, tf_keras.layers.Dense(2)])

    model, again = _compile(make()), make()
    model.fit(X, np.ones([8, 2]), verbose=0)
    model.save_weights(tmp_path / name)
    assert not np.allclose(again(X), model(X))
    again.load_weights(tmp_path / name)
    np.testing.assert_allclose(again(X), model(X), rtol=1e-5, atol=1e-6)


# Other handles ------------------------------------------------------------------------------------


def test_a_module_that_two_layers_share() -> None:
    module = compat_hub.load(_path("hparams"))
    first = keras2.KerasLayer(module, trainable=True)
    second = keras2.KerasLayer(module, signature="with_all", output_key="default")
    assert first.resolved_object is second.resolved_object is module
    model = _compile(tf_keras.Sequential([first]))
    before = second(X).numpy()
    model.fit(X, np.ones([8, 5]), verbose=0)
    assert not np.allclose(second(X), before)
    np.testing.assert_allclose(second(X), first(X), rtol=1e-6)
    with pytest.raises(compat_hub.SignatureError, match=r"compat_hub\.load"):
        keras2.KerasLayer(module, tags=["train"])


def test_a_spec() -> None:
    spec = compat_hub.load_module_spec(_path("image_bn"))
    layer = keras2.KerasLayer(spec, tags="train")
    assert layer.resolved_object.spec is spec
    assert layer.resolved_object.tags == {"train"}


def test_a_plain_callable() -> None:
    model = _compile(tf_keras.Sequential([keras2.KerasLayer(lambda x: 2.0 * x)]))
    np.testing.assert_allclose(model.predict(X, verbose=0), 2.0 * X)
    layer = keras2.KerasLayer(tf.function(lambda x, factor: factor * x), arguments={"factor": 3})
    np.testing.assert_allclose(layer(tf.constant(X)), 3.0 * X)
    layer = keras2.KerasLayer(lambda x: {"a": x, "b": -x}, output_key="b")
    np.testing.assert_allclose(layer(X), -X)
    with pytest.raises(compat_hub.UnknownNameError, match=r"'c'.*\['a', 'b'\]"):
        keras2.KerasLayer(lambda x: {"a": x, "b": -x}, output_key="c")(X)


def test_the_output_shape_of_a_plain_callable() -> None:
    layer = keras2.KerasLayer(lambda x: x[0] + x[1])
    assert layer.compute_output_shape([[None, 2], (3, 1)]).as_list() == [3, 2]
    shapes = [tf.TensorShape([None, 2]), tf.TensorShape([3, 1])]
    assert layer.compute_output_shape(shapes).as_list() == [3, 2]
    layer = keras2.KerasLayer(tf.strings.length, dtype=tf.string)
    assert layer.compute_output_shape([None, 2]).as_list() == [None, 2]


def test_a_plain_callable_with_conditions_on_tensors() -> None:
    def clip(x: tf.Tensor) -> tf.Tensor:
        if tf.reduce_sum(x) > 0.0:  # noqa: SIM108
            y = x
        else:
            y = -x
        return y

    model = tf_keras.Sequential([keras2.KerasLayer(clip)])
    assert np.sum(model.predict(-np.abs(X), verbose=0)) > 0


class _Reusable(tf.train.Checkpoint):
    """As the Reusable SavedModel interface has it."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable([[1.0], [2.0]], name="kernel")
        self.shift = tf.Variable([0.5], name="shift")
        self.calls = tf.Variable(0, trainable=False)
        self.variables = [self.kernel, self.shift, self.calls]
        self.trainable_variables = [self.kernel, self.shift]
        self.regularization_losses = [self.loss]

    @tf.function(input_signature=[])
    def loss(self) -> tf.Tensor:
        return 0.5 * tf.reduce_sum(tf.square(self.kernel))

    @tf.function(
        input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([], tf.bool, name="training")]
    )
    def __call__(self, x: tf.Tensor, training: tf.Tensor) -> tf.Tensor:
        if training:
            self.calls.assign_add(1)
        return x @ self.kernel + self.shift

    @tf.function(input_signature=[tf.TensorSpec([None, 2], name="x")])
    def twice(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"twice": 2.0 * (x @ self.kernel), "shift": self.shift}


@pytest.fixture(scope="module")
def reusable(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("reusable"))
    module = _Reusable()
    tf.saved_model.save(module, path, signatures={"twice": module.twice})
    return path


PAIRS = np.ones([4, 2], "float32")


@pytest.mark.parametrize("as_object", [False, True], ids=["path", "object"])
def test_a_plain_saved_model(reusable: str, as_object: bool) -> None:
    handle = tf.saved_model.load(reusable) if as_object else reusable
    layer = keras2.KerasLayer(handle, trainable=True)
    loaded = layer.resolved_object
    assert len(layer.trainable_weights) == 2
    assert len(layer.non_trainable_weights) == 1
    (loss,) = layer.losses
    assert float(loss) == 2.5
    np.testing.assert_allclose(layer(PAIRS), [[3.5]] * 4)
    model = _compile(tf_keras.Sequential([layer]))
    model.predict(PAIRS, verbose=0)
    assert loaded.calls.numpy() == 0
    model.fit(PAIRS, np.zeros([4, 1]), verbose=0)
    assert loaded.calls.numpy() == 1
    assert loaded.shift.numpy() != [0.5]
    layer.trainable = False
    assert layer.losses == []
    before = loaded.kernel.numpy()
    _compile(model).fit(PAIRS, np.zeros([4, 1]), verbose=0)
    assert loaded.calls.numpy() == 1
    np.testing.assert_array_equal(loaded.kernel, before)


def test_a_plain_saved_model_in_part(reusable: str) -> None:
    layer = keras2.KerasLayer(reusable, trainable=True, train_only="shift")
    assert [w.name for w in layer.trainable_weights] == ["shift:0"]
    assert len(layer.non_trainable_weights) == 2
    model = _compile(tf_keras.Sequential([layer]))
    model.fit(PAIRS, np.zeros([4, 1]), verbose=0)
    np.testing.assert_array_equal(layer.resolved_object.kernel, [[1.0], [2.0]])
    assert layer.resolved_object.shift.numpy() != [0.5]


def test_a_signature_of_a_plain_saved_model(reusable: str) -> None:
    options = {"signature": "twice", "signature_outputs_as_dict": True}
    outputs = keras2.KerasLayer(reusable, **options)(PAIRS)
    assert set(outputs) == {"twice", "shift"}
    layer = keras2.KerasLayer(reusable, signature="twice", output_key="twice")
    np.testing.assert_allclose(layer(PAIRS), [[6.0]] * 4)
    np.testing.assert_allclose(layer({"x": tf.constant(PAIRS)}), [[6.0]] * 4)
    for shape in ([None, 2], (None, 2), tf.TensorShape([None, 2]), {"x": [None, 2]}):
        assert layer.compute_output_shape(shape).as_list() == [None, 1]
    for options, words in (
        ({"signature": "twice"}, "output_key or"),
        ({"signature_outputs_as_dict": True}, "needs a `signature`"),
        ({"signature": "nope", "output_key": "twice"}, "It has .'twice'."),
    ):
        with pytest.raises(compat_hub.SignatureError, match=words):
            keras2.KerasLayer(reusable, **options)


def test_a_saved_model_that_cannot_be_called(tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(compat_hub.SignatureError, match="not callable"):
        keras2.KerasLayer(str(tmp_path))


def test_losses_that_are_no_callables() -> None:
    class Bad:
        regularization_losses = (tf.constant(1.0),)

        def __call__(self, x: Any) -> Any:
            return x

    with pytest.raises(compat_hub.SignatureError, match="callables without arguments"):
        keras2.KerasLayer(Bad())
