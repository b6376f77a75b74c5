"""The layer in what is the same for both Keras; a file for each has the rest."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub import keras2, keras3
from tests.keras_layers.kits import Kit, all_changed, changed, path_of, shapes, values
from tests.records import FIXTURES, OUTPUT_TOLERANCE, Record, assert_close

# Keras 3 warns where a loss uses a part of the outputs, or where nothing trains.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Gradients do not exist for variables"),
    pytest.mark.filterwarnings("ignore:The model does not have any trainable weights"),
]

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=[8, 5]).astype("float32")
IMAGES = RANDOM.normal(size=[6, 8, 8, 3]).astype("float32")
FRUIT = {
    "apples": RANDOM.normal(size=[6, 4]).astype("float32"),
    "oranges": RANDOM.normal(size=[6, 3]).astype("float32"),
}


# Models of every kind -----------------------------------------------------------------------------


@pytest.mark.parametrize("run_eagerly", [False, True], ids=["graph", "eager"])
def test_sequential(kit: Kit, run_eagerly: bool) -> None:
    layer = kit.layer("image_bn")
    model = kit.keras.Sequential([layer, kit.keras.layers.Dense(2)])
    kit.compile(model, run_eagerly=run_eagerly)
    before = values(layer)
    history = model.fit(IMAGES, np.ones([6, 2]), batch_size=3, epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert all_changed(layer, before)
    prediction = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(prediction, model(IMAGES), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.layers[0](IMAGES), layer.resolved_object(IMAGES), rtol=1e-5)


@pytest.mark.parametrize("run_eagerly", [False, True], ids=["graph", "eager"])
def test_functional_with_inputs_and_outputs_by_name(kit: Kit, run_eagerly: bool) -> None:
    layer = kit.fruit_layer()
    inputs = {name: kit.keras.Input(FRUIT[name].shape[1:], name=name) for name in FRUIT}
    pets = layer(inputs)
    assert shapes(pets) == {
        "cats": [None, 2],
        "dogs": [None, 3],
        "hidden": [None, 5],
    }
    joined = kit.keras.layers.Concatenate()([pets["cats"], pets["dogs"]])
    model = kit.keras.Model(inputs, kit.keras.layers.Dense(1)(joined))
    kit.compile(model, run_eagerly=run_eagerly)
    before = values(layer)
    model.fit(FRUIT, np.ones([6, 1]), epochs=2, verbose=0)
    assert all_changed(layer, before)
    assert model.predict(FRUIT, verbose=0).shape == (6, 1)
    assert model.count_params() == 4 * 5 + 3 * 5 + 5 * 2 + 2 + 5 * 3 + 3 + 5 + 1


@pytest.mark.parametrize("run_eagerly", [False, True], ids=["graph", "eager"])
def test_subclassed(kit: Kit, run_eagerly: bool) -> None:
    class Model(kit.keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hub = kit.layer("hparams")
            self.top = kit.keras.layers.Dense(1)

        def call(self, inputs: tf.Tensor, training: Any = None) -> tf.Tensor:
            return self.top(self.hub(inputs))  # Keras passes `training` on

    model = kit.compile(Model(), run_eagerly=run_eagerly)
    before = values(model.hub)
    model.fit(X, np.ones([8, 1]), epochs=2, verbose=0)
    assert all_changed(model.hub, before)
    assert len(model.trainable_weights) == 3
    assert len(model.non_trainable_weights) == 2


def test_strings(kit: Kit) -> None:
    layer = kit.layer("text_table")
    text = kit.keras.Input([], dtype="string")
    model = kit.compile(kit.keras.Model(text, kit.keras.layers.Dense(1)(layer(text))))
    sentences = tf.constant(["sphinx of quartz", "judge my vow", "the zebra", "vow"])
    before = values(layer)
    model.fit(sentences, np.ones([4, 1]), epochs=2, verbose=0)
    assert all_changed(layer, before)
    record = Record(FIXTURES / "text_table")
    layer = kit.layer("text_table", trainable=False)
    words = record.inputs("default")["default"]
    expected = record.outputs([], "default")["default"]
    found = kit.keras.Sequential([layer]).predict(tf.constant(words), verbose=0)
    assert_close(found, expected, OUTPUT_TOLERANCE, "predict")
    for given in (tf.constant(words), words, words.tolist()):
        assert_close(layer(given), expected, OUTPUT_TOLERANCE, type(given).__name__)


def test_in_a_model_in_a_model(kit: Kit) -> None:
    layer = kit.layer("hparams")
    inner = kit.keras.Sequential([layer, kit.keras.layers.Dense(3)])
    outer = kit.compile(kit.keras.Sequential([inner, kit.keras.layers.Dense(1)]))
    before = values(layer)
    outer.fit(X, np.ones([8, 1]), verbose=0)
    assert all_changed(layer, before)
    inner.trainable = False
    kit.compile(outer)
    before = values(layer)
    outer.fit(X, np.ones([8, 1]), verbose=0)
    assert not layer.trainable
    assert changed(layer, before) == set()


def test_distributed_over_time(kit: Kit) -> None:
    layer = kit.layer("hparams", trainable=False)
    over_time = kit.keras.layers.TimeDistributed(layer)
    model = kit.keras.Sequential([kit.keras.Input([3, 5]), over_time])
    assert model.output_shape == (None, 3, 5)
    x = RANDOM.normal(size=[2, 3, 5]).astype("float32")
    expected = np.stack([layer(x[:, k]) for k in range(3)], axis=1)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_called_twice_in_one_model(kit: Kit) -> None:
    layer = kit.layer("hparams")
    a, b = kit.keras.Input([5]), kit.keras.Input([5])
    model = kit.keras.Model([a, b], layer(a) - layer(b))
    assert len(model.weights) == 3
    np.testing.assert_allclose(model.predict([X, X], verbose=0), np.zeros([8, 5]), atol=1e-6)


def test_in_two_replicas_of_a_strategy(kit: Kit) -> None:
    # Not by the collective ops that are the default on CPUs: these mix up programs of one process.
    reduce = tf.distribute.HierarchicalCopyAllReduce()
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], cross_device_ops=reduce)
    with strategy.scope():
        layer = kit.layer("hparams")
        model = kit.compile(kit.keras.Sequential([layer]), rate=0.0)
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


def test_fit_moves_the_averages_and_predict_uses_them(kit: Kit) -> None:
    layer = kit.layer("hparams")
    model = kit.compile(kit.keras.Sequential([layer]))
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


def test_predict_and_evaluate_change_nothing(kit: Kit) -> None:
    layer = kit.layer("image_bn")
    model = kit.compile(kit.keras.Sequential([layer]))
    before = values(layer)
    model.predict(IMAGES, verbose=0)
    model.evaluate(IMAGES, np.zeros([6, 4]), verbose=0)
    model(IMAGES)
    layer(IMAGES)
    assert changed(layer, before) == set()
    layer(IMAGES, training=True)
    moving = {name for name in before if "moving" in name}
    assert changed(layer, before) == moving


def test_freezing(kit: Kit) -> None:
    layer = kit.layer("image_bn")
    assert len(layer.losses) == 2
    top = kit.keras.layers.Dense(1)
    model = kit.compile(kit.keras.Sequential([layer, top]))
    model.fit(IMAGES, np.ones([6, 1]), verbose=0)
    layer.trainable = False
    assert layer.losses == model.losses == []
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == 12
    before, before_top = values(layer), top.kernel.numpy()
    expected = layer(IMAGES)
    kit.compile(model).fit(IMAGES, np.ones([6, 1]), verbose=0)
    assert changed(layer, before) == set()
    assert not np.array_equal(top.kernel, before_top)
    for training in (True, False, None):
        np.testing.assert_array_equal(layer(IMAGES, training=training), expected)
    layer.trainable = True
    assert len(layer.losses) == 2
    kit.compile(model).fit(IMAGES, np.ones([6, 1]), verbose=0)
    assert all_changed(layer, before)


def test_a_layer_that_was_never_trainable(kit: Kit) -> None:
    layer = kit.layer_class(path_of("image_bn"))
    assert not layer.trainable
    assert layer.losses == []
    before = values(layer)
    model = kit.compile(kit.keras.Sequential([layer, kit.keras.layers.Dense(1)]))
    model.fit(IMAGES, np.ones([6, 1]), verbose=0)
    assert changed(layer, before) == set()
    record = Record(FIXTURES / "image_bn")
    found = layer(record.inputs("default")["images"], training=True)
    assert_close(found, record.outputs([], "default")["default"], OUTPUT_TOLERANCE, "inference")


def test_a_layer_that_becomes_trainable(kit: Kit) -> None:
    layer = kit.layer_class(path_of("image_bn"))
    model = kit.keras.Sequential([layer, kit.keras.layers.Dense(1)])
    model.build([None, 8, 8, 3])
    layer.trainable = True
    assert len(layer.losses) == 2
    assert len(model.trainable_weights) == 8 + 2
    before = values(layer)
    kit.compile(model).fit(IMAGES, np.ones([6, 1]), verbose=0)
    assert all_changed(layer, before)


def test_dropout_is_for_training(kit: Kit) -> None:
    layer = kit.layer("dropout")
    x = RANDOM.normal(size=[4, 6]).astype("float32")
    np.testing.assert_array_equal(layer(x), layer(x))
    assert not np.array_equal(layer(x, training=True), layer(x, training=True))
    assert not np.array_equal(layer(x, training=True), layer(x))


def test_training_as_a_tensor(kit: Kit) -> None:
    layer = kit.layer("hparams")
    mean = layer.resolved_object.variable_map["moving_mean"]

    @tf.function(input_signature=[tf.TensorSpec([], tf.bool)])
    def call(training: tf.Tensor) -> tf.Tensor:
        return layer(X, training=training)

    before = mean.numpy()
    np.testing.assert_allclose(call(False), layer(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(mean, before)
    call(True)
    np.testing.assert_allclose(mean, 0.9 * before + 0.1 * X.mean(0), rtol=1e-4, atol=1e-6)


def test_pinned_to_a_variant(kit: Kit) -> None:
    layer = kit.layer("aux_variant", tags=["train"], signature_outputs_as_dict=True)
    x = RANDOM.normal(size=[3, 4]).astype("float32")
    assert set(layer(x)) == {"default", "aux"}
    layer = kit.layer("aux_variant", tags={"small", "gpu"})
    assert layer(x).shape == [3, 3]
    assert len(layer.weights) == 2
    assert set(kit.layer("aux_variant", signature_outputs_as_dict=True)(x)) == {"default"}


# Losses -------------------------------------------------------------------------------------------


def test_regularization_losses_are_part_of_the_loss(kit: Kit) -> None:
    layer = kit.fruit_layer(output_key="cats", signature_outputs_as_dict=None)
    assert len(layer.losses) == 2
    expected = sum(float(loss()) for loss in layer.resolved_object.regularization_losses)
    np.testing.assert_allclose(sum(map(float, layer.losses)), expected, rtol=1e-6)

    inputs = {name: kit.keras.Input(FRUIT[name].shape[1:], name=name) for name in FRUIT}
    model = kit.compile(kit.keras.Model(inputs, layer(inputs)), rate=0.0)
    targets = np.zeros([6, 2])
    squares = np.mean(np.square(layer(FRUIT)))
    np.testing.assert_allclose(
        model.evaluate(FRUIT, targets, verbose=0), squares + expected, rtol=1e-5
    )
    history = model.fit(FRUIT, targets, verbose=0).history
    np.testing.assert_allclose(history["loss"], [squares + expected], rtol=1e-5)


def test_regularization_losses_train(kit: Kit) -> None:
    layer = kit.layer("fruit", signature="fruit_to_pet", output_key="dogs")
    apples = layer.resolved_object.variable_map["from_apples"]
    before = apples.numpy()
    kernel = layer.resolved_object.variable_map["cats/kernel"].numpy()
    with tf.GradientTape() as tape:
        loss = tf.add_n(layer.losses)
    variables = kit.variables(layer.trainable_weights)
    for gradient, variable in zip(tape.gradient(loss, variables), variables, strict=True):
        if gradient is not None:
            variable.assign_sub(0.5 * gradient)
    np.testing.assert_allclose(apples, before * (1 - 0.5 * 0.01), rtol=1e-5)
    found = layer.resolved_object.variable_map["cats/kernel"]
    np.testing.assert_allclose(found, kernel - 0.5 * 0.02 * np.sign(kernel), rtol=1e-5)


def test_a_loss_of_the_inputs_belongs_to_the_call(kit: Kit) -> None:
    layer = kit.layer("activity")
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


def test_a_module_without_losses(kit: Kit) -> None:
    assert kit.layer("hparams").losses == []


# Which weights ------------------------------------------------------------------------------------


def test_weights(kit: Kit) -> None:
    layer = kit.layer("image_bn")
    module = layer.resolved_object
    assert isinstance(module, compat_hub.HubModule)
    for weights, variables in (
        (layer.trainable_weights, module.trainable_variables),
        (layer.non_trainable_weights, module.non_trainable_variables),
    ):
        assert [v.ref() for v in kit.variables(weights)] == [v.ref() for v in variables]
    assert len(layer.get_weights()) == 12
    layer.set_weights([w * 0.0 + 1.0 for w in layer.get_weights()])
    assert all(np.all(v == 1.0) for v in module.variables)


def test_weights_of_every_kind(kit: Kit) -> None:
    assert len(kit.layer("partitioned").weights) == 13
    assert kit.layer("no_variables").weights == []
    assert len(kit.layer("unknown_shape_variable").weights) == 1


def test_train_only(kit: Kit) -> None:
    layer = kit.layer("image_bn", train_only=r"_1/(kernel|gamma)")
    trained = ["conv2d_1/kernel", "batch_normalization_1/gamma"]
    assert kit.names(layer.trainable_weights) == trained
    assert len(layer.non_trainable_weights) == 10
    model = kit.compile(kit.keras.Sequential([layer, kit.keras.layers.Dense(1)]))
    before = values(layer)
    model.fit(IMAGES, np.ones([6, 1]), epochs=2, verbose=0)
    # Moving averages are no weights that train: they move in every training call.
    moving = {name for name in before if "moving" in name}
    assert changed(layer, before) == {*trained, *moving}
    layer.trainable = False
    assert layer.trainable_weights == []
    layer.trainable = True
    assert len(layer.trainable_weights) == 2


def test_train_only_goes_by_the_names_of_variable_map(kit: Kit) -> None:
    def trained(patterns: Any, fixture: str = "image_bn") -> list[str]:
        return kit.names(kit.layer(fixture, train_only=patterns).trainable_weights)

    assert trained("conv2d_1/kernel$") == ["conv2d_1/kernel"]
    assert trained("conv2d_1/kernel:0$") == ["conv2d_1/kernel"]  # as it was spelled before
    assert trained(["^conv2d/kernel$", "_1/bias$"]) == ["conv2d/kernel", "conv2d_1/bias"]
    parts = trained("^outer/inner/weights$", "partitioned")
    assert len(parts) > 1
    assert all(name.startswith("outer/inner/weights/part_") for name in parts)


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        ("nothing", r"'nothing' matches no trainable variable of .*image_bn.*: conv2d/kernel, "),
        ("moving", r"matches 'batch_normalization/moving_mean', which the module's author"),
        (["kernel", "nothing"], "'nothing' matches no trainable variable"),
        ([], "empty list"),
        ("(", r"'\(' is not a regular expression"),
    ],
)
def test_train_only_that_matches_nothing(kit: Kit, patterns: Any, words: str) -> None:
    with pytest.raises(compat_hub.SignatureError, match=words):
        kit.layer("image_bn", train_only=patterns)
    layer = kit.layer("image_bn", train_only="conv2d/kernel")
    with pytest.raises(compat_hub.SignatureError, match=words):
        layer.train_only = patterns
    assert layer.train_only == "conv2d/kernel"
    assert len(layer.trainable_weights) == 1


def test_train_only_of_a_layer_that_does_not_train(kit: Kit) -> None:
    with pytest.raises(compat_hub.SignatureError, match="needs trainable=True"):
        kit.layer("image_bn", trainable=False, train_only="kernel")
    layer = kit.layer("image_bn", train_only="conv2d/kernel")
    layer.trainable = False
    again = kit.layer_class.from_config(layer.get_config())
    assert (again.trainable, again.train_only) == (False, "conv2d/kernel")
    again.trainable = True
    assert kit.names(again.trainable_weights) == ["conv2d/kernel"]


def test_train_only_that_changes(kit: Kit) -> None:
    layer = kit.layer("image_bn", train_only=["conv2d_1/kernel", "gamma"])
    model = kit.keras.Sequential([kit.keras.Input([8, 8, 3]), layer, kit.keras.layers.Dense(1)])
    kit.compile(model).fit(IMAGES, np.ones([6, 1]), verbose=0)
    for patterns, trained in (
        ("_1/(kernel|beta)", {"conv2d_1/kernel", "batch_normalization_1/beta"}),
        (["_1/kernel", "^conv2d/kernel"], {"conv2d_1/kernel", "conv2d/kernel"}),
    ):
        layer.train_only = patterns
        assert layer.train_only == layer.get_config()["train_only"] == patterns
        assert set(kit.names(layer.trainable_weights)) == trained
        assert len(model.trainable_weights) == len(trained) + 2
        assert len(layer.weights) == 12
        before = values(layer)
        kit.compile(model).fit(IMAGES, np.ones([6, 1]), verbose=0)
        assert {n for n in changed(layer, before) if "moving" not in n} == trained
        again = kit.layer_class.from_config(layer.get_config())
        assert kit.names(again.weights) == kit.names(layer.weights)
    layer.train_only = None
    assert len(layer.trainable_weights) == 8


def test_train_only_of_a_subclass_with_weights(kit: Kit) -> None:
    class Scaled(kit.layer_class):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    layer = Scaled(path_of("fruit"), trainable=True)
    layer.train_only = "cats/kernel"
    assert sorted(w.name.partition(":")[0].rpartition("/")[2] for w in layer.trainable_weights) == [
        "kernel",
        "scale",
    ]
    assert len(layer.weights) == 7


# What a layer says of itself ----------------------------------------------------------------------


def test_repr(kit: Kit) -> None:
    layer = kit.fruit_layer(name="hub")
    where = f"<KerasLayer 'hub' on {path_of('fruit')!r}, signature 'fruit_to_pet', "
    assert repr(layer).startswith(f"{where}trains 6 of 6 variables, for ")
    layer.train_only = ["cats", "dogs"]
    assert f"trains 4 of 6 variables, train_only={['cats', 'dogs']}" in repr(layer)
    layer.trainable = False
    assert repr(layer).startswith(f"{where}frozen (6 variables), for ")
    assert "variant {'train'}" in repr(kit.layer("image_bn", tags="train"))
    assert "on an object of type function, without variables" in repr(kit.layer_class(tf.identity))


def test_the_handle(kit: Kit) -> None:
    path = path_of("fruit")
    module = compat_hub.load(path)
    assert kit.layer_class(path).handle == kit.layer_class(Path(path)).handle == path
    assert kit.layer_class(module).handle is module


def test_messages_of_calls_are_the_module_s(kit: Kit) -> None:
    """Without the pages that AutoGraph and Keras write about code and arguments."""
    layer = kit.fruit_layer()
    wrong = {"apples": tf.ones([2, 4]), "oranges": tf.ones([2, 2])}
    inputs = {name: kit.keras.Input(value.shape[1:]) for name, value in wrong.items()}

    class Model(kit.keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hub = layer

        def call(self, inputs: Any, training: Any = None) -> Any:
            return self.hub(inputs)["cats"]

    for call in (
        lambda: layer(wrong),
        lambda: layer(inputs),
        lambda: tf.function(layer)(wrong),
        lambda: kit.compile(Model()).fit(wrong, np.ones([2, 2]), verbose=0),
        lambda: Model().predict(wrong, verbose=0),
    ):
        with pytest.raises(compat_hub.InputTypeError) as caught:
            call()
        message = str(caught.value)
        assert message.startswith(f"In module {path_of('fruit')!r}, variant ")
        assert "signature 'fruit_to_pet', input 'oranges': expected float32 [None, 3]" in message
        assert message.endswith("The module expects 3 numbers in a row, and found 2.")


# Arguments, outputs, shapes -----------------------------------------------------------------------


def test_arguments(kit: Kit) -> None:
    layer = kit.layer("hparams", signature="with_momentum", arguments={"batch_norm_momentum": 0.25})
    mean = layer.resolved_object.variable_map["moving_mean"]
    before = mean.numpy()
    model = kit.compile(kit.keras.Sequential([layer]), rate=0.0)
    model.fit(X, X, batch_size=8, verbose=0)
    np.testing.assert_allclose(mean, 0.25 * before + 0.75 * X.mean(0), rtol=1e-4, atol=1e-6)


def test_arguments_that_the_inference_call_takes_too(kit: Kit) -> None:
    options = {"signature": "with_all", "arguments": {"batch_norm_epsilon": 4.0}}
    layer = kit.layer("hparams", **options)
    module = layer.resolved_object
    expected = module({"x": X, "batch_norm_epsilon": 4.0}, "with_all")
    np.testing.assert_allclose(layer(X), expected, rtol=1e-6)
    np.testing.assert_allclose(layer({"x": X}), expected, rtol=1e-6)
    found = layer({"x": X, "batch_norm_momentum": 0.1})
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    with pytest.raises(compat_hub.InputTypeError, match=r"'batch_norm_epsilon' are given twice"):
        layer({"x": X, "batch_norm_epsilon": 1.0})


def test_arguments_as_tensors(kit: Kit) -> None:
    momentum = tf.Variable(0.5, trainable=False)
    layer = kit.layer(
        "hparams", signature="with_momentum", arguments={"batch_norm_momentum": momentum}
    )
    mean = layer.resolved_object.variable_map["moving_mean"]
    model = kit.compile(kit.keras.Sequential([layer]), rate=0.0)
    for value in (0.5, 0.0):
        momentum.assign(value)
        before = mean.numpy()
        model.fit(X, X, batch_size=8, verbose=0)
        expected = value * before + (1 - value) * X.mean(0)
        np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-6)


def test_output_key_computes_nothing_else(kit: Kit) -> None:
    x = RANDOM.normal(size=[3, 2]).astype("float32")
    layer = kit.layer("counter", trainable=False, output_key="default")
    calls = layer.resolved_object.variable_map["calls"]
    assert layer(x).shape == [3, 2]
    layer = kit.layer_class(layer.resolved_object)
    assert layer(x).shape == [3, 2]
    assert calls.numpy() == 0
    counting = kit.layer_class(layer.resolved_object, output_key="calls")
    assert [counting(x).numpy() for _ in range(3)] == [1, 2, 3]


def test_outputs_as_a_dict(kit: Kit) -> None:
    outputs = kit.fruit_layer()(FRUIT)
    assert set(outputs) == {"cats", "dogs", "hidden"}
    layer = kit.layer("fruit", signature="fruit_to_pet", output_key="dogs")
    np.testing.assert_allclose(layer(FRUIT), outputs["dogs"], rtol=1e-6)
    assert set(kit.layer("fruit", signature_outputs_as_dict=True)(X)) == {"default"}


def test_static_shapes_follow_from_the_input(kit: Kit) -> None:
    layer = kit.layer(
        "shapes",
        arguments={"scalar": 2.0, "anything": [1.0]},
        signature_outputs_as_dict=True,
    )
    images = kit.keras.Input([4, 3])
    outputs = layer({"images": images})
    expected = {"default": [None, 4, 3], "padded": [None, 4, 5], "columns": [4, 3], "squeezed": []}
    assert {name: shapes(outputs[name]) for name in expected} == expected
    flat = kit.keras.layers.Flatten()(outputs["default"])
    model = kit.compile(kit.keras.Model(images, kit.keras.layers.Dense(2)(flat)))
    x = RANDOM.normal(size=[5, 4, 3]).astype("float32")
    model.fit(x, np.ones([5, 2]), verbose=0)
    assert model.predict(x, verbose=0).shape == (5, 2)


def test_a_flat_output_before_a_dense_layer(kit: Kit) -> None:
    layer = kit.layer("shapes", signature="flatten", output_key="flat")
    image = kit.keras.Input([6, 6, 1])
    model = kit.keras.Sequential([image, layer, kit.keras.layers.Dense(2)])
    assert shapes(layer.output) == [None, 32]
    assert model.output_shape == (None, 2)


def test_compute_output_shape(kit: Kit) -> None:
    layer = kit.layer("shapes", signature="flatten", signature_outputs_as_dict=True)
    expected = {"conv": [7, 4, 4, 2], "default": [7, 3], "flat": [7, 32]}
    assert shapes(layer.compute_output_shape([7, 6, 6, 1])) == expected
    found = kit.fruit_layer().compute_output_shape({"apples": (None, 4), "oranges": (3, 3)})
    assert shapes(found) == {"cats": [3, 2], "dogs": [3, 3], "hidden": [3, 5]}
    layer = kit.layer("image_bn")
    assert shapes(layer.compute_output_shape((None, 8, 8, 3))) == [None, 4]
    assert shapes(layer.compute_output_shape(tf.TensorShape([2, 8, 8, 3]))) == [2, 4]


@pytest.mark.parametrize("shape", [(4,), [4], tf.TensorShape([4]), (None,)])
def test_output_shape(kit: Kit, shape: Any) -> None:
    layer = kit.layer("image_bn", output_shape=shape)
    found = layer.compute_output_shape((6, 8, 8, 3))
    assert shapes(found) == [6, *tf.TensorShape(shape)]
    assert layer(IMAGES).shape == [6, 4]
    assert kit.keras.Sequential([layer]).predict(IMAGES, verbose=0).shape == (6, 4)


def test_output_shapes_in_a_dict(kit: Kit) -> None:
    shape = {"cats": (2,), "dogs": [3], "hidden": (None,)}
    layer = kit.fruit_layer(output_shape=shape)
    found = layer.compute_output_shape({"apples": (None, 4), "oranges": (None, 3)})
    assert shapes(found) == {"cats": [None, 2], "dogs": [None, 3], "hidden": [None, None]}
    assert layer(FRUIT)["dogs"].shape == [6, 3]


def test_an_output_shape_that_is_wrong(kit: Kit) -> None:
    layer = kit.layer("image_bn", output_shape=(5,))
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
def test_options_that_do_not_fit(
    kit: Kit, options: dict[str, Any], error: type, words: str
) -> None:
    with pytest.raises(error) as caught:
        kit.layer("fruit", **options)
    assert words in str(caught.value)
    assert path_of("fruit") in str(caught.value)


def test_inputs_that_do_not_fit(kit: Kit) -> None:
    layer = kit.fruit_layer()
    with pytest.raises(compat_hub.InputTypeError, match="missing 'oranges'"):
        layer({"apples": FRUIT["apples"]})
    with pytest.raises(compat_hub.InputTypeError, match=r"'apples'.*float32 \[6, 3\]"):
        layer({"apples": FRUIT["oranges"], "oranges": FRUIT["oranges"]})
    model = kit.keras.Sequential([kit.layer("image_bn")])
    with pytest.raises(compat_hub.InputTypeError, match="'images'"):
        model(np.zeros([2, 9, 9, 3], "float32"))


# Dtypes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_floats_of_every_width(kit: Kit, dtype: str) -> None:
    layer = kit.layer("hparams", trainable=False)
    found = layer(X.astype(dtype))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, layer(X), rtol=1e-2, atol=1e-2)
    assert layer(kit.keras.Input([5], dtype=dtype)).dtype == "float32"
    found = kit.keras.Sequential([layer]).predict(X.astype(dtype), verbose=0)
    np.testing.assert_allclose(found, layer(X), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_ints_of_every_width(kit: Kit, dtype: str) -> None:
    ids = np.array([[1, 1, 7], [0, 1, 3]], dtype)
    layer = kit.layer("embedding_lookup", trainable=False)
    expected = layer.resolved_object({"ids": ids.astype("int64")})
    np.testing.assert_array_equal(layer({"ids": tf.constant(ids)}), expected)
    model = kit.keras.Sequential([layer])
    np.testing.assert_array_equal(model.predict(ids, verbose=0), expected)


def test_ints_are_no_floats(kit: Kit) -> None:
    layer = kit.layer("hparams", trainable=False)
    with pytest.raises(compat_hub.InputTypeError, match=r"float32.*int32"):
        layer(tf.ones([2, 5], tf.int32))


@pytest.fixture
def mixed_precision(kit: Kit) -> Iterator[None]:
    kit.keras.mixed_precision.set_global_policy("mixed_float16")
    yield
    kit.keras.mixed_precision.set_global_policy("float32")


def test_under_mixed_precision(kit: Kit, mixed_precision: None) -> None:
    layer = kit.layer("hparams")
    assert {tf.as_dtype(w.dtype) for w in layer.weights} == {tf.float32}
    first, last = kit.keras.layers.Dense(5), kit.keras.layers.Dense(1, dtype="float32")
    model = kit.keras.Sequential([first, layer, last])
    model.compile(kit.scaled_sgd(), "mse")
    assert first(X).dtype == tf.float16
    assert layer(first(X)).dtype == tf.float32
    before = values(layer)
    model.fit(X, np.ones([8, 1]), verbose=0)
    assert all_changed(layer, before)
    again = kit.layer_class.from_config(layer.get_config())
    assert again(X).dtype == tf.float32


def test_composite_inputs(kit: Kit) -> None:
    layer = kit.layer("sparse_io", arguments={"scale": 2.0}, signature_outputs_as_dict=True)
    sparse = tf.sparse.from_dense([[0.0, 1, 0, 0, 2, 0], [0.0] * 6])
    outputs = layer({"sparse": sparse})
    assert isinstance(outputs["scaled"], tf.SparseTensor)
    symbolic = kit.keras.Input([6], sparse=True)
    layer = kit.layer("sparse_io", arguments={"scale": 2.0})
    model = kit.keras.Model(symbolic, layer({"sparse": symbolic}))
    np.testing.assert_allclose(model(sparse), outputs["default"], rtol=1e-6)


def test_inputs_that_may_be_left_out(kit: Kit) -> None:
    layer = kit.layer("optional_inputs", signature="some")
    x = RANDOM.normal(size=[4, 3]).astype("float32")
    module = layer.resolved_object
    expected = module({"x": x}, "some")
    for inputs in (x, {"x": x}):
        np.testing.assert_array_equal(layer(inputs), expected)
    layer = kit.layer_class(module, signature="some", arguments={"scale": 3.0})
    symbol = kit.keras.Input([3])
    model = kit.keras.Model(symbol, layer({"x": symbol}))
    np.testing.assert_allclose(model(x), module({"x": x, "scale": 3.0}, "some"), rtol=1e-6)


# Configs and saving -------------------------------------------------------------------------------


def test_they_take_the_same_arguments() -> None:
    parameters = [
        inspect.signature(layer_class.__init__).parameters
        for layer_class in (keras2.KerasLayer, keras3.KerasLayer)
    ]
    assert parameters[0] == parameters[1]
    assert list(parameters[0])[:4] == ["self", "handle", "trainable", "arguments"]


def test_arguments_and_where_they_go(kit: Kit) -> None:
    layer = kit.layer_class(
        path_of("hparams"),
        True,
        {"batch_norm_momentum": 0.5},
        "train",
        "with_momentum",
        output_shape=(5,),
        train_only="gamma",
        load_options=tf.saved_model.LoadOptions(experimental_io_device="/job:localhost"),
        name="hub",
    )
    config = json.loads(json.dumps(layer.get_config()))
    expected = {
        "handle": path_of("hparams"),
        "trainable": True,
        "arguments": {"batch_norm_momentum": 0.5},
        "tags": ["train"],
        "signature": "with_momentum",
        "output_shape": [5],
        "train_only": "gamma",
        "load_options": {"experimental_io_device": "/job:localhost"},
        "name": "hub",
    }
    assert {key: config[key] for key in expected} == expected
    again = kit.layer_class.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    np.testing.assert_array_equal(again(X), layer(X))


def test_weights_go_by_name(kit: Kit) -> None:
    layer = kit.layer("hparams")
    assert list(layer.adopted_weights) == ["gamma", "moving_mean", "moving_variance"]
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    assert set(store) == {"gamma", "moving_mean", "moving_variance"}
    store["gamma"] = np.zeros(5)
    layer.load_own_variables(store)
    assert layer.get_weights()[0].tolist() == [0] * 5
    with pytest.raises(compat_hub.CheckpointError, match="missing"):
        layer.load_own_variables({"gamma": np.zeros(5)})


@pytest.mark.parametrize(
    ("fixture", "options"),
    [
        ("image_bn", {}),
        ("image_bn", {"trainable": True, "name": "hub", "train_only": ["kernel", "bias"]}),
        ("image_bn", {"tags": {"train"}, "output_shape": (4,)}),
        ("image_bn", {"output_key": "block_2", "signature": "image_feature_vector"}),
        ("fruit", {"signature": "fruit_to_pet", "signature_outputs_as_dict": True}),
        ("hparams", {"signature": "with_momentum", "arguments": {"batch_norm_momentum": 0.5}}),
    ],
)
def test_configs(kit: Kit, fixture: str, options: dict[str, Any]) -> None:
    layer = kit.layer_class(path_of(fixture), **options)
    config = json.loads(json.dumps(layer.get_config()))
    again = kit.layer_class.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    assert again.name == layer.name
    assert again.trainable == layer.trainable
    assert kit.names(again.trainable_weights) == kit.names(layer.trainable_weights)
    assert again.resolved_object.tags == layer.resolved_object.tags
    inputs = Record(FIXTURES / fixture).inputs(options.get("signature", "default"))
    inputs = {n: v for n, v in inputs.items() if n not in options.get("arguments", {})}
    expected = layer(inputs)
    tf.nest.map_structure(np.testing.assert_array_equal, again(inputs), expected)


def test_a_config_of_a_path_object_a_spec_and_a_module(kit: Kit) -> None:
    path = path_of("fruit")
    module = compat_hub.load(path)
    for handle in (Path(path), module, module.spec):
        assert kit.layer_class(handle).get_config()["handle"] == path


def test_configs_that_cannot_be(kit: Kit) -> None:
    epsilon = tf.Variable(1.0, trainable=False)
    layer = kit.layer("hparams", signature="with_all", arguments={"batch_norm_epsilon": epsilon})
    with pytest.raises(compat_hub.ConfigError, match=r"'arguments'.*'keras_layer.*JSON"):
        layer.get_config()
    with pytest.raises(NotImplementedError, match="only a layer that was made from a path"):
        kit.layer_class(tf.identity).get_config()


def test_a_model_s_json(kit: Kit) -> None:
    layer = kit.layer("image_bn")
    model = kit.keras.Sequential([kit.keras.Input([8, 8, 3]), layer, kit.keras.layers.Dense(2)])
    again = kit.keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again(IMAGES), model(IMAGES), rtol=1e-5, atol=1e-6)
    clone = kit.keras.models.clone_model(model)
    assert clone.layers[0].resolved_object is not layer.resolved_object


# Other handles ------------------------------------------------------------------------------------


def test_a_module_that_two_layers_share(kit: Kit) -> None:
    module = compat_hub.load(path_of("hparams"))
    first = kit.layer_class(module, trainable=True)
    second = kit.layer_class(module, signature="with_all", output_key="default")
    assert first.resolved_object is second.resolved_object is module
    model = kit.compile(kit.keras.Sequential([first]))
    before = second(X).numpy()
    model.fit(X, np.ones([8, 5]), verbose=0)
    assert not np.allclose(second(X), before)
    np.testing.assert_allclose(second(X), first(X), rtol=1e-6)
    with pytest.raises(compat_hub.SignatureError, match=r"compat_hub\.load"):
        kit.layer_class(module, tags=["train"])


def test_layers_that_train_parts_of_one_module(kit: Kit) -> None:
    module = compat_hub.load(path_of("image_bn"))
    first = kit.layer_class(module, trainable=True, train_only="^conv2d/")
    second = kit.layer_class(module, trainable=True, train_only="conv2d/kernel|gamma")
    third = kit.layer_class(module)
    gammas = ["batch_normalization/gamma", "batch_normalization_1/gamma"]
    for layer, names in (
        (first, ["conv2d/bias", "conv2d/kernel"]),
        (second, [*gammas, "conv2d/kernel"]),
        (third, []),
    ):
        assert sorted(kit.names(layer.trainable_weights)) == names
        assert len(layer.weights) == 12
    images = kit.keras.Input([8, 8, 3])
    model = kit.keras.Model(images, first(images) + second(images) + third(images))
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
    weights = model.trainable_weights
    variables = kit.variables(weights)
    gradients = tape.gradient(loss, variables)
    gradient = next(g for g, v in zip(gradients, variables, strict=True) if v is kernel)
    expected = kernel - 0.1 * gradient
    kit.keras.optimizers.SGD(0.1).apply_gradients(zip(gradients, weights, strict=True))
    np.testing.assert_allclose(kernel, expected, rtol=1e-4, atol=1e-6)


def test_weights_of_a_subclass(kit: Kit) -> None:
    class Scaled(kit.layer_class):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def call(self, inputs: Any, training: Any = None) -> Any:
            return super().call(inputs, training) * self.scale

    layer = Scaled(path_of("hparams"), trainable=True)
    assert len(layer.trainable_weights) == 2
    layer.trainable = False
    assert layer.trainable_weights == []
    layer.scale.assign(3.0)
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    again = Scaled.from_config(layer.get_config())
    again.load_own_variables(store)
    np.testing.assert_allclose(again(X), layer(X), rtol=1e-6)


def test_a_spec(kit: Kit) -> None:
    spec = compat_hub.load_module_spec(path_of("image_bn"))
    layer = kit.layer_class(spec, tags="train")
    assert layer.resolved_object.spec is spec
    assert layer.resolved_object.tags == {"train"}


def test_a_plain_callable(kit: Kit) -> None:
    model = kit.compile(kit.keras.Sequential([kit.layer_class(lambda x: 2.0 * x)]))
    np.testing.assert_allclose(model.predict(X, verbose=0), 2.0 * X)
    layer = kit.layer_class(tf.function(lambda x, factor: factor * x), arguments={"factor": 3})
    np.testing.assert_allclose(layer(tf.constant(X)), 3.0 * X)
    layer = kit.layer_class(lambda x: {"a": x, "b": -x}, output_key="b")
    np.testing.assert_allclose(layer(X), -X)
    with pytest.raises(compat_hub.UnknownNameError, match=r"'c'.*\['a', 'b'\]"):
        kit.layer_class(lambda x: {"a": x, "b": -x}, output_key="c")(X)


def test_the_output_shape_of_a_plain_callable(kit: Kit) -> None:
    layer = kit.layer_class(lambda x: x[0] + x[1])
    for given in ([[None, 2], (3, 1)], [tf.TensorShape([None, 2]), tf.TensorShape([3, 1])]):
        assert shapes(layer.compute_output_shape(given)) == [3, 2]
    layer = kit.layer_class(tf.strings.length, dtype="string")
    assert shapes(layer.compute_output_shape([None, 2])) == [None, 2]


def test_a_plain_callable_with_conditions_on_tensors(kit: Kit) -> None:
    def clip(x: tf.Tensor) -> tf.Tensor:
        if tf.reduce_sum(x) > 0.0:  # noqa: SIM108
            y = x
        else:
            y = -x
        return y

    model = kit.keras.Sequential([kit.layer_class(clip)])
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
def test_a_plain_saved_model(kit: Kit, reusable: str, as_object: bool) -> None:
    handle = tf.saved_model.load(reusable) if as_object else reusable
    layer = kit.layer_class(handle, trainable=True)
    loaded = layer.resolved_object
    assert len(layer.trainable_weights) == 2
    assert len(layer.non_trainable_weights) == 1
    (loss,) = layer.losses
    assert float(loss) == 2.5
    np.testing.assert_allclose(layer(PAIRS), [[3.5]] * 4)
    model = kit.compile(kit.keras.Sequential([layer]))
    model.predict(PAIRS, verbose=0)
    assert loaded.calls.numpy() == 0
    model.fit(PAIRS, np.zeros([4, 1]), verbose=0)
    assert loaded.calls.numpy() == 1
    assert loaded.shift.numpy() != [0.5]
    layer.trainable = False
    assert layer.losses == []
    before = loaded.kernel.numpy()
    kit.compile(model).fit(PAIRS, np.zeros([4, 1]), verbose=0)
    assert loaded.calls.numpy() == 1
    np.testing.assert_array_equal(loaded.kernel, before)


def test_a_plain_saved_model_in_part(kit: Kit, reusable: str) -> None:
    layer = kit.layer_class(reusable, trainable=True, train_only="shift")
    assert kit.names(layer.trainable_weights) == ["shift"]
    assert len(layer.non_trainable_weights) == 2
    model = kit.compile(kit.keras.Sequential([layer]))
    model.fit(PAIRS, np.zeros([4, 1]), verbose=0)
    np.testing.assert_array_equal(layer.resolved_object.kernel, [[1.0], [2.0]])
    assert layer.resolved_object.shift.numpy() != [0.5]


def test_a_signature_of_a_plain_saved_model(kit: Kit, reusable: str) -> None:
    options = {"signature": "twice", "signature_outputs_as_dict": True}
    outputs = kit.layer_class(reusable, **options)(PAIRS)
    assert set(outputs) == {"twice", "shift"}
    layer = kit.layer_class(reusable, signature="twice", output_key="twice")
    np.testing.assert_allclose(layer(PAIRS), [[6.0]] * 4)
    np.testing.assert_allclose(layer({"x": tf.constant(PAIRS)}), [[6.0]] * 4)
    for shape in ([None, 2], (None, 2), tf.TensorShape([None, 2]), {"x": [None, 2]}):
        assert shapes(layer.compute_output_shape(shape)) == [None, 1]
    for options, words in (
        ({"signature": "twice"}, "output_key or"),
        ({"signature_outputs_as_dict": True}, "needs a `signature`"),
        ({"signature": "nope", "output_key": "twice"}, "It has .'twice'."),
    ):
        with pytest.raises(compat_hub.SignatureError, match=words):
            kit.layer_class(reusable, **options)


def test_a_saved_model_that_cannot_be_called(kit: Kit, tmp_path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(compat_hub.SignatureError, match="not callable"):
        kit.layer_class(str(tmp_path))


def test_losses_that_are_no_callables(kit: Kit) -> None:
    class Bad:
        regularization_losses = (tf.constant(1.0),)

        def __call__(self, x: Any) -> Any:
            return x

    with pytest.raises(compat_hub.SignatureError, match="callables without arguments"):
        kit.layer_class(Bad())
