"""`load` and layers where graphs are built: an Estimator's `model_fn`, a `tf.data` pipeline."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub import keras2, keras3
from compat_hub.samples import sample_path
from tests.authoring import write_module
from tests.records import FIXTURES, OUTPUT_TOLERANCE, Record, assert_close

v1 = tf.compat.v1


def _initialize(session: Any) -> None:
    session.run([v1.global_variables_initializer(), v1.tables_initializer()])


def _loaded(path: str, inputs: Any) -> Any:
    return compat_hub.load(path)(inputs, as_dict=True)


def _signature(path: str, inputs: Any) -> Any:
    return compat_hub.load(path).signatures["default"](**inputs)


def _layer(path: str, inputs: Any) -> Any:
    layer = keras2.KerasLayer(path, signature="default", signature_outputs_as_dict=True)
    return layer(inputs)


@pytest.mark.parametrize("use", [_loaded, _signature, _layer])
@pytest.mark.parametrize("fixture", ["text_table", "text_two_assets", "while_rnn"])
def test_outputs(fixture: str, use: Callable[[str, Any], Any]) -> None:
    record = Record(FIXTURES / fixture)
    values = record.inputs("default")
    infos = compat_hub.load_module_spec(record.path).get_input_info_dict()
    with tf.Graph().as_default(), v1.Session() as session:
        inputs = {n: v1.placeholder(i.dtype, i.get_shape()) for n, i in infos.items()}
        outputs = use(record.path, inputs)
        _initialize(session)
        feeds = {inputs[name]: value for name, value in values.items()}
        for _ in range(2):
            found = session.run(outputs, feeds)
            for name, expected in record.outputs([], "default").items():
                assert_close(found[name], expected, OUTPUT_TOLERANCE, name)


def _model(features: Any, training: bool) -> tuple[Any, Any]:
    layer = keras2.KerasLayer(str(FIXTURES / "text_table/module"), trainable=training)
    with v1.variable_scope("model"):
        head = v1.get_variable("head", [4, 1], initializer=v1.zeros_initializer())
    output = layer(features)
    return tf.matmul(output[:, :4], head), layer


def test_the_program_of_an_estimator(tmp_path: Path) -> None:
    words = np.array([b"the cat", b"a dog", b"zebra", b""], object)
    module = compat_hub.load(FIXTURES / "text_table/module")
    width = module(words).shape[1]
    assert width >= 4
    with tf.Graph().as_default():
        features = v1.placeholder(tf.string, [None])
        output, layer = _model(features, training=True)
        loss = tf.reduce_mean((output - 1.0) ** 2)
        step = v1.train.get_or_create_global_step()
        train = v1.train.AdagradOptimizer(0.5).minimize(loss, global_step=step)
        with v1.train.MonitoredTrainingSession(checkpoint_dir=str(tmp_path / "run")) as session:
            losses = [session.run([loss, train], {features: words})[0] for _ in range(5)]
            trained = session.run([*layer.trainable_weights, output], {features: words})
    assert losses[-1] < 0.9 * losses[0]
    assert any(
        not np.array_equal(value, variable.numpy())
        for value, variable in zip(trained, module.trainable_variables, strict=False)
    )
    with tf.Graph().as_default(), v1.Session() as session:
        features = v1.placeholder(tf.string, [None])
        output, _ = _model(features, training=False)
        v1.train.Saver().restore(session, tf.train.latest_checkpoint(str(tmp_path / "run")))
        session.run(v1.tables_initializer())
        expected = session.run(output, {features: words})
        np.testing.assert_allclose(expected, trained[-1], rtol=1e-5)
        builder = v1.saved_model.Builder(str(tmp_path / "exported"))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": v1.saved_model.predict_signature_def(
                    {"words": features}, {"output": output}
                )
            },
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
        )
        builder.save()
    assert [p.name for p in (tmp_path / "exported/assets").iterdir()] == ["vocab.txt"]
    again = tf.saved_model.load(str(tmp_path / "exported"))
    found = again.signatures["serving_default"](tf.constant(words))["output"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_what_a_call_writes_to_a_table_stays(tmp_path: Path) -> None:
    def build() -> Any:
        key = v1.placeholder(tf.string, [None])
        table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
        with tf.control_dependencies([table.insert(key, tf.ones_like(key, tf.int64))]):
            size = tf.identity(table.size())
        return {"default": ({"key": key}, {"default": size})}

    path = write_module(tmp_path / "module", none=build)
    with tf.Graph().as_default(), v1.Session() as session:
        key = v1.placeholder(tf.string, [None])
        first, second = (compat_hub.load(path)(key) for _ in range(2))
        _initialize(session)
        assert session.run(first, {key: [b"a", b"b"]}) == 2
        assert session.run(first, {key: [b"c"]}) == 3
        assert session.run(second, {key: [b"c"]}) == 1


def test_an_iterator_goes_on_in_the_next_run(tmp_path: Path) -> None:
    def build() -> Any:
        data = v1.data.Dataset.range(3).map(lambda n: n * 10)
        return {"default": ({}, {"default": v1.data.make_one_shot_iterator(data).get_next()})}

    path = write_module(tmp_path / "module", none=build)
    with tf.Graph().as_default(), v1.Session() as session:
        output = compat_hub.load(path)()
        _initialize(session)
        assert [session.run(output) for _ in range(3)] == [0, 10, 20]


# In functions -------------------------------------------------------------------------------------

TEXTS = str(FIXTURES / "text_table/module")
WORDS = np.array([b"the cat", b"a dog"], object)
IN_FUNCTIONS = pytest.mark.parametrize(
    "use",
    [
        lambda x: compat_hub.load(TEXTS)(x),  # noqa: PLW0108
        lambda x: compat_hub.load(TEXTS).signatures["default"](x)["default"],
        lambda x: keras2.KerasLayer(TEXTS, trainable=True)(x),  # noqa: PLW0108
        lambda x: keras3.KerasLayer(TEXTS, trainable=True)(x),  # noqa: PLW0108
        lambda x: tf.cond(tf.size(x) > 0, lambda: compat_hub.load(TEXTS)(x), lambda: tf.zeros([])),
    ],
    ids=["load", "signature", "keras2", "keras3", "cond"],
)


@IN_FUNCTIONS
def test_loading_in_a_function(use: Callable[[Any], Any]) -> None:
    expected = compat_hub.load(TEXTS)(WORDS)
    function = tf.function(use)
    for _ in range(2):
        np.testing.assert_allclose(function(WORDS), expected, rtol=1e-6)
        gc.collect()
    again = function(np.concatenate([WORDS, WORDS]))  # it is traced for another shape
    np.testing.assert_allclose(again[2:], expected, rtol=1e-6)


@IN_FUNCTIONS
def test_loading_in_a_data_pipeline(use: Callable[[Any], Any]) -> None:
    expected = compat_hub.load(TEXTS)(WORDS)
    data = iter(tf.data.Dataset.from_tensors(WORDS).repeat(2).map(use))
    gc.collect()
    for found in data:
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_function_keeps_what_it_loads_as_long_as_it_is_there() -> None:
    loaded: list[weakref.ref[Any]] = []

    @tf.function
    def step(x: Any) -> Any:
        module = compat_hub.load(TEXTS)
        loaded.append(weakref.ref(module))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(module(x) ** 2)
        variables = module.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            if gradient is not None:
                variable.assign_sub(0.1 * tf.convert_to_tensor(gradient))
        return loss

    losses = [step(WORDS).numpy()]
    gc.collect()
    losses.extend(step(WORDS).numpy() for _ in range(3))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]
    (module,) = loaded
    assert module() is not None
    del step
    gc.collect()
    assert module() is None


@pytest.mark.parametrize("keras", [keras2, keras3], ids=["keras2", "keras3"])
def test_a_layer_in_a_graph_has_values_shapes_and_gradients(keras: Any) -> None:
    v1 = tf.compat.v1
    expected = compat_hub.load(sample_path("pets"))(tf.ones([2, 7]))
    with tf.Graph().as_default(), v1.Session() as session:
        layer = keras.KerasLayer(sample_path("pets"), trainable=True)
        output = layer(tf.ones([2, 7]))
        variables = v1.trainable_variables()
        kernel = next(v for v in variables if v.shape == [7, 8])
        gradient = tf.gradients(tf.reduce_sum(output), kernel)[0]
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        np.testing.assert_allclose(session.run(output), expected, rtol=1e-5)
        assert np.any(session.run(gradient))
