from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import compat_hub

tf1 = tf.compat.v1
fc = tf1.feature_column
WORDS = ["one", "two", "three"]
# By word, and last what is not a word.
VECTORS = np.float32([[1, 10], [2, 20], [3, 30], [100, 100]])

pytestmark = [
    # Raised by TensorFlow itself, where a linear_model or a Saver is built.
    pytest.mark.filterwarnings("ignore:.layer.add_variable. is deprecated"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def _text_fn(words: str) -> None:
    text = tf1.placeholder(tf.string, [None])
    initializer = tf.lookup.TextFileInitializer(
        words, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, -1
    )
    ids = tf.lookup.StaticVocabularyTable(initializer, 1).lookup(text)
    vectors = tf1.get_variable("vectors", initializer=VECTORS)
    compat_hub.add_signature(inputs=text, outputs=tf.gather(vectors, ids))


def _image_fn(shape: Any = (None, None, None, 3), size: Any = (4, 5)) -> None:
    images = tf1.placeholder(tf.float32, shape)
    w = tf1.get_variable("w", [3, 2], initializer=tf1.ones_initializer())
    features = tf.matmul(tf.reduce_mean(images, [1, 2]), w)
    if size:
        info = compat_hub.ImageModuleInfo()
        info.default_image_size.height, info.default_image_size.width = size
        compat_hub.attach_image_module_info(info)
    compat_hub.add_signature(inputs={"images": images}, outputs=features)


def _export(spec: compat_hub.ModuleSpec, path: Path) -> str:
    with tf.Graph().as_default():
        module = compat_hub.Module(spec)
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            module.export(path, session)
    return str(path)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("text")
    (folder / "words.txt").write_text("\n".join(WORDS))
    spec = compat_hub.create_module_spec(lambda: _text_fn(str(folder / "words.txt")))
    return _export(spec, folder / "module")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _export(
        compat_hub.create_module_spec(_image_fn), tmp_path_factory.mktemp("image") / "module"
    )


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    w = tf.Variable([[1.0, -1.0]])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def call(texts: tf.Tensor) -> tf.Tensor:
        return tf.matmul(tf.cast(tf.strings.length(texts), tf.float32)[:, None], w)

    # The Reusable SavedModel interface.
    reusable = tf.train.Checkpoint(variables=[w], trainable_variables=[w])
    reusable.__call__ = call
    path = str(tmp_path_factory.mktemp("saved_model"))
    tf.saved_model.save(reusable, path)
    return path


def _run(build: Callable[[], Any]) -> Any:
    """What a program gives in a graph of TF1."""
    with tf.Graph().as_default():
        fetches = build()
        with tf1.Session() as session:
            session.run([tf1.global_variables_initializer(), tf1.tables_initializer()])
            return session.run(fetches)


def _features(keys: str = "text words") -> dict[str, Any]:
    features = {
        "text": tf.constant(["two", "three"]),
        "column": tf.constant([["one"], ["?"]]),
        "words": tf.sparse.from_dense([["one", "", "three"], ["two", "", ""]]),
    }
    return {key: features[key] for key in keys.split()}


def _columns(text: str, trainable: bool = False) -> list[Any]:
    return [
        compat_hub.text_embedding_column("text", text, trainable=trainable),
        compat_hub.sparse_text_embedding_column("words", text, "sum", None, trainable),
    ]


EXPECTED = [[2, 20, 4, 40], [3, 30, 2, 20]]


def test_input_layer(text: str) -> None:
    variables: dict[Any, Any] = {}

    def build() -> Any:
        layer = fc.input_layer(_features(), _columns(text), cols_to_vars=variables)
        assert layer.shape.as_list() == [2, 4]
        assert tf1.trainable_variables() == []
        return layer

    assert _run(build).tolist() == EXPECTED
    names = {column.key: [v.op.name for v in found] for column, found in variables.items()}
    assert names == {
        "text": ["input_layer/text_hub_module_embedding/module/vectors"],
        "words": ["input_layer/words_hub_module_embedding/module/vectors"],
    }


def test_placeholders_of_unknown_shapes(text: str) -> None:
    with tf.Graph().as_default(), tf1.Session() as session:
        features = {
            "text": tf1.placeholder(tf.string),
            "words": tf1.sparse_placeholder(tf.string),
        }
        layer = fc.input_layer(features, _columns(text))
        session.run([tf1.global_variables_initializer(), tf1.tables_initializer()])
        feeds: Any = {
            features["text"]: ["two", "one"],
            features["words"]: tf1.SparseTensorValue([[1, 0], [1, 3]], ["one", "one"], [2, 4]),
        }
        assert session.run(layer, feeds).tolist() == [[2, 20, 0, 0], [1, 10, 2, 20]]


def test_linear_model_trains_the_module(text: str) -> None:
    with tf.Graph().as_default(), tf1.Session() as session:
        prediction = fc.linear_model(_features(), _columns(text, trainable=True))
        vectors = [v for v in tf1.trainable_variables() if "vectors" in v.op.name]
        assert [v.op.name for v in vectors] == [
            "linear_model/text_hub_module_embedding/module/vectors",
            "linear_model/words_hub_module_embedding/module/vectors",
        ]
        step = tf1.train.GradientDescentOptimizer(0.5).minimize(tf.reduce_sum(prediction))
        session.run([tf1.global_variables_initializer(), tf1.tables_initializer()])
        for weights in tf1.trainable_variables("linear_model/.*/weights"):
            weights.load([[1.0], [2.0]], session)
        session.run(step)
        moved = [(VECTORS - value).tolist() for value in session.run(vectors)]
        assert moved == [
            [[0, 0], [0.5, 1], [0.5, 1], [0, 0]],
            [[0.5, 1], [0.5, 1], [0.5, 1], [0, 0]],
        ]


def test_a_layer_that_does_not_train_has_no_module_that_does(text: str) -> None:
    def build() -> Any:
        layer = fc.input_layer(_features(), _columns(text, trainable=True), trainable=False)
        assert tf1.trainable_variables() == []
        return layer

    assert _run(build).tolist() == EXPECTED


def test_dense_features_in_a_graph(text: str) -> None:
    def build() -> Any:
        layer = tf_keras.layers.DenseFeatures(_columns(text, trainable=True))
        outputs = layer(_features()), layer(_features())
        assert len(layer.trainable_weights) == 2
        assert {id(v) for v in layer.weights} == {id(v) for v in tf1.trainable_variables()}
        assert {id(v) for v in layer.weights} == {id(v) for v in tf1.global_variables()}
        return outputs

    assert [value.tolist() for value in _run(build)] == [EXPECTED, EXPECTED]


@pytest.mark.parametrize("trainable", [True, False])
def test_dense_features_in_tf2(text: str, trainable: bool) -> None:
    layer = tf_keras.layers.DenseFeatures(_columns(text, trainable))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(_features()))
    assert layer(_features()).numpy().tolist() == EXPECTED
    assert len(layer.weights) == 2
    assert len(layer.trainable_weights) == 2 * trainable
    for gradient in tape.gradient(loss, layer.trainable_weights):
        assert tf.convert_to_tensor(gradient).shape == [4, 2]
    frozen = tf_keras.layers.DenseFeatures(_columns(text, trainable), trainable=False)
    assert frozen(_features()).numpy().tolist() == EXPECTED
    assert frozen.trainable_weights == []
    assert tf.function(layer)(_features()).numpy().tolist() == EXPECTED


def test_checkpoints(text: str, tmp_path: Path) -> None:
    def make() -> Any:
        layer = tf_keras.layers.DenseFeatures(_columns(text, trainable=True))
        layer(_features())
        return layer

    trained, other = make(), make()
    for variable in trained.weights:
        variable.assign_add(tf.ones_like(variable))
    path = tf.train.Checkpoint(layer=trained).save(str(tmp_path / "checkpoint"))
    tf.train.Checkpoint(layer=other).restore(path).assert_existing_objects_matched()
    assert other(_features()).numpy().tolist() == [[3, 21, 6, 42], [4, 31, 3, 21]]


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("suffix", ["model.keras", "model.h5", "model"])
def test_a_keras_model_is_trained_and_saved(text: str, tmp_path: Path, suffix: str) -> None:
    columns = _columns(text, trainable=True)
    inputs = {
        "text": tf_keras.Input([1], name="text", dtype=tf.string),
        "words": tf_keras.Input([None], name="words", dtype=tf.string, sparse=True),
    }
    dense = tf_keras.layers.DenseFeatures(columns)
    model = tf_keras.Model(inputs, tf_keras.layers.Dense(1)(dense(inputs)))
    model.compile(tf_keras.optimizers.SGD(1e-4), "mse")
    data = tf.data.Dataset.from_tensors(({**_features(), "text": [["two"], ["three"]]}, [0.0, 1.0]))
    before = [v.numpy() for v in model.trainable_weights]
    model.fit(data, verbose=0)
    after = [v.numpy() for v in model.trainable_weights]
    assert [(a != b).any() for a, b in zip(before, after, strict=True)] == [True] * 4
    model.save(str(tmp_path / suffix))
    restored = tf_keras.models.load_model(str(tmp_path / suffix))
    np.testing.assert_allclose(restored.predict(data), model.predict(data), rtol=1e-6)
    assert len(restored.trainable_weights) == 4


def test_keras_of_tf1(text: str, tmp_path: Path) -> None:
    code = f"""
import numpy as np, tensorflow as tf
tf.compat.v1.disable_v2_behavior()
import compat_hub
keras = tf.compat.v1.keras
column = compat_hub.text_embedding_column("text", {text!r}, trainable=True)
layer = keras.layers.DenseFeatures([column])
model = keras.Sequential([layer, keras.layers.Dense(1, use_bias=False)])
model.compile(keras.optimizers.SGD(1e-3), "mse")
x = {{"text": np.array([["one"], ["two"]], object)}}
model._set_inputs(x) if not model.built else None
session = keras.backend.get_session()
session.run(tf.compat.v1.tables_initializer())
model.fit(x, np.float32([[0], [1]]), verbose=0)
vectors, kernel = model.get_weights()
print(type(layer).__module__, layer.trainable_weights[0].name)
print(vectors.tolist())
"""
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1"}
    command = [sys.executable, "-c", code]
    root = Path(__file__).parents[3]
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == (
        "tf_keras.src.feature_column.dense_features "
        "dense_features/text_hub_module_embedding/module/vectors:0"
    )
    vectors = np.array(json.loads(second))
    assert (vectors[2:] == VECTORS[2:]).all()
    assert (vectors[:2] != VECTORS[:2]).all()


@pytest.mark.parametrize(
    ("combiner", "default", "expected"),
    [
        ("sum", None, [[4, 40], [0, 0], [2, 20], [0, 0]]),
        ("mean", None, [[2, 20], [0, 0], [2, 20], [0, 0]]),
        ("sqrtn", None, [[4 / 2**0.5, 40 / 2**0.5], [0, 0], [2, 20], [0, 0]]),
        ("mean", "three", [[2, 20], [3, 30], [2, 20], [3, 30]]),
        ("sum", "?", [[4, 40], [100, 100], [2, 20], [100, 100]]),
    ],
)
def test_combiners(text: str, combiner: str, default: str | None, expected: Any) -> None:
    rows = [["one", "three"], ["", ""], ["", "two"], ["", ""]]
    column = compat_hub.sparse_text_embedding_column("words", text, combiner, default)
    features = {"words": tf.sparse.from_dense(rows)}
    layer = tf_keras.layers.DenseFeatures([column])
    np.testing.assert_allclose(layer(features), expected, rtol=1e-6)
    found = _run(lambda: fc.input_layer({"words": tf.sparse.from_dense(rows)}, [column]))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_no_text_at_all(text: str) -> None:
    empty = {
        "words": tf.SparseTensor(np.zeros([0, 2], np.int64), tf.constant([], tf.string), [3, 0])
    }
    for default, expected in (None, [[0, 0]] * 3), ("two", [[2, 20]] * 3):
        column = compat_hub.sparse_text_embedding_column("words", text, "mean", default)
        assert tf_keras.layers.DenseFeatures([column])(empty).numpy().tolist() == expected


def test_images(image: str) -> None:
    column = compat_hub.image_embedding_column("photo", image)
    assert compat_hub.get_expected_image_size(column.module_spec) == [4, 5]
    pixels = np.float32(np.arange(2 * 4 * 5 * 3).reshape(2, 4, 5, 3)) / 120
    expected = np.repeat(pixels.mean((1, 2)).sum(-1, keepdims=True), 2, axis=1)
    found = _run(lambda: fc.input_layer({"photo": tf.constant(pixels)}, [column]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    layer = tf_keras.layers.DenseFeatures([column])
    np.testing.assert_allclose(layer({"photo": pixels}), expected, rtol=1e-5)
    assert layer.trainable_weights == []
    assert len(layer.weights) == 1


def test_images_that_are_columns_themselves(image: str) -> None:
    pixels = tf.feature_column.numeric_column("pixels", [4, 5, 3])
    column = compat_hub.image_embedding_column(pixels, image)
    assert column.name == "pixels_hub_module_embedding"
    assert column.parents == [pixels]
    assert column.parse_example_spec == pixels.parse_example_spec
    values = np.ones([2, 4, 5, 3], np.float32)
    found = _run(lambda: fc.input_layer({"pixels": tf.constant(values)}, [column]))
    assert found.tolist() == [[3, 3], [3, 3]]
    layer = tf_keras.layers.DenseFeatures([column])
    assert layer({"pixels": values}).numpy().tolist() == [[3, 3], [3, 3]]
    again = tf_keras.layers.DenseFeatures.from_config(layer.get_config())
    assert again({"pixels": values}).numpy().tolist() == [[3, 3], [3, 3]]


def test_what_examples_are_parsed_with(text: str, image: str) -> None:
    columns = [
        *_columns(text),
        compat_hub.image_embedding_column("photo", image),
        compat_hub.image_embedding_column("small", image, image_size=[1, 2]),
        compat_hub.text_embedding_column_v2("v2", text),
    ]
    expected = {
        "text": tf.io.FixedLenFeature([1], tf.string),
        "words": tf.io.VarLenFeature(tf.string),
        "photo": tf.io.FixedLenFeature([4, 5, 3], tf.float32),
        "small": tf.io.FixedLenFeature([1, 2, 3], tf.float32),
        "v2": tf.io.FixedLenFeature([1], tf.string),
    }
    assert tf.feature_column.make_parse_example_spec(columns) == expected
    del expected["v2"]
    assert fc.make_parse_example_spec(columns[:-1]) == expected
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"two"]))
    example = tf.train.Example(features=tf.train.Features(feature={"text": feature}))
    parsed = tf.io.parse_example([example.SerializeToString()], columns[0].parse_example_spec)
    assert tf_keras.layers.DenseFeatures(columns[:1])(parsed).numpy().tolist() == [[2, 20]]


def test_the_channels_of_a_grey_image() -> None:
    def module_fn() -> None:
        images = tf1.placeholder(tf.float32, [None, 2, 3, 1])
        compat_hub.add_signature(inputs={"images": images}, outputs=tf.reshape(images, [-1, 6]))

    column = compat_hub.image_embedding_column("x", compat_hub.create_module_spec(module_fn))
    assert column.parse_example_spec == {"x": tf.io.FixedLenFeature([2, 3, 1], tf.float32)}
    assert column.variable_shape == [6]


def _all_columns(text: str, image: str) -> list[Any]:
    return [
        compat_hub.text_embedding_column("a", text, trainable=True),
        compat_hub.sparse_text_embedding_column("b", text, "mean", "?", trainable=True),
        compat_hub.image_embedding_column("c", image),
        compat_hub.image_embedding_column("d", image, image_size=[4, 5]),
        compat_hub.text_embedding_column_v2("e", text, "default", trainable=True),
    ]


def test_columns_are_equal_where_their_arguments_are(text: str, image: str) -> None:
    columns, again = _all_columns(text, image), _all_columns(text, image)
    assert columns == again
    assert len({*columns, *again}) == len(columns)
    assert compat_hub.text_embedding_column("a", text) != columns[0]
    assert copy.deepcopy(columns) == columns
    assert pickle.loads(pickle.dumps(columns)) == columns
    assert sorted(columns) == sorted(columns, key=str)


def test_configs(text: str, image: str) -> None:
    columns = _all_columns(text, image)
    configs = [json.loads(json.dumps(column.get_config())) for column in columns]
    # The fields by which tensorflow_hub's own configs know them.
    assert configs[0] == {"key": "a", "module_spec_path": text, "trainable": True}
    assert configs[3] == {"key": "d", "module_spec_path": image, "image_size": [4, 5]}
    assert configs[4] == {
        "key": "e",
        "module_path": text,
        "output_key": "default",
        "trainable": True,
    }
    again = [type(c).from_config(config) for c, config in zip(columns, configs, strict=True)]
    assert again == columns
    layer = tf_keras.layers.DenseFeatures(columns)
    config = json.loads(json.dumps(layer.get_config()))
    assert tf_keras.layers.DenseFeatures.from_config(config)._feature_columns == columns


def test_configs_of_specs(text: str) -> None:
    spec = compat_hub.load_module_spec(text)
    column = compat_hub.text_embedding_column("a", spec)
    assert column.module_spec is spec
    assert column.get_config()["module_spec_path"] == text
    assert compat_hub.text_embedding_column("a", Path(text)).get_config() == column.get_config()
    made = compat_hub.create_module_spec(_image_fn)
    with pytest.raises(NotImplementedError, match="Export the module") as info:
        compat_hub.image_embedding_column("a", made).get_config()
    assert isinstance(info.value, compat_hub.HubError)


def _signature(inputs: Any, outputs: Any) -> compat_hub.ModuleSpec:
    """A module that takes and gives tensors of the given dtypes and shapes."""

    def module_fn() -> None:
        def given(dtype: Any, shape: Any) -> Any:
            if shape == "sparse":
                return tf1.sparse_placeholder(dtype)
            return tf1.placeholder(dtype, shape)

        def made(dtype: Any, shape: Any) -> Any:
            zeros = tf.zeros([size or 1 for size in shape or []], dtype)
            return tf1.placeholder_with_default(zeros, shape)

        compat_hub.add_signature(
            inputs={name: given(*kind) for name, kind in inputs.items()},
            outputs={name: made(*kind) for name, kind in outputs.items()},
        )

    return compat_hub.create_module_spec(module_fn)


TEXT_IN, TEXT_OUT = {"default": (tf.string, [None])}, {"default": (tf.float32, [None, 3])}
IMAGE_IN = {"images": (tf.float32, [None, 4, 5, 3])}


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ({}, TEXT_OUT, r"input has to be string \[None\], found none"),
        ({"a": (tf.string, [None]), "b": (tf.string, [None])}, TEXT_OUT, "found 'a': string"),
        ({"default": (tf.int64, [None])}, TEXT_OUT, r"found 'default': int64 \[None\]"),
        ({"default": (tf.string, [None, None])}, TEXT_OUT, r"found 'default': string \[None, None"),
        ({"default": (tf.string, [2])}, TEXT_OUT, r"found 'default': string \[2\]"),
        ({"default": (tf.string, None)}, TEXT_OUT, "string of unknown rank"),
        ({"default": (tf.string, "sparse")}, TEXT_OUT, "found 'default': sparse string"),
        (TEXT_IN, {"other": (tf.float32, [None, 3])}, r"output 'default': .* found 'other': float"),
        (TEXT_IN, {"default": (tf.float16, [None, 3])}, r"found 'default': float16 \[None, 3\]"),
        (TEXT_IN, {"default": (tf.float32, [None, None])}, r"with a known size, found 'default'"),
        (TEXT_IN, {"default": (tf.float32, [None])}, r"with a known size, found 'default'"),
        (TEXT_IN, {"default": (tf.float32, None)}, "float32 of unknown rank"),
    ],
)
def test_modules_that_are_no_text_embedding(inputs: Any, outputs: Any, message: str) -> None:
    spec = _signature(inputs, outputs)
    where = "The default signature of the module 'made from module_fn' cannot be used as a text"
    with pytest.raises(ValueError, match=f"{where} embedding: .*{message}") as info:
        compat_hub.text_embedding_column("a", spec)
    assert isinstance(info.value, compat_hub.SignatureError)
    with pytest.raises(compat_hub.SignatureError, match=message):
        compat_hub.sparse_text_embedding_column("a", spec, "sum", None)


@pytest.mark.parametrize(
    ("inputs", "outputs", "size", "message"),
    [
        ({"x": IMAGE_IN["images"]}, TEXT_OUT, None, r"has to be 'images': float32, found 'x'"),
        ({"images": (tf.uint8, [None, 4, 5, 3])}, TEXT_OUT, None, "found 'images': uint8"),
        ({**IMAGE_IN, "x": (tf.float32, [])}, TEXT_OUT, None, "its one input"),
        ({"images": (tf.float32, [None] * 4)}, TEXT_OUT, None, "Pass it as `image_size`"),
        (IMAGE_IN, TEXT_OUT, (4, 6), r"which image_size=\(4, 6\) does not fit"),
        (IMAGE_IN, {"default": (tf.float32, [None, 2, 2, 3])}, None, "with a known size"),
        (IMAGE_IN, {"default": (tf.int32, [None, 3])}, None, "found 'default': int32"),
        (IMAGE_IN, TEXT_OUT, (4, 5, 3), "a height and a width in pixels"),
        (IMAGE_IN, TEXT_OUT, (4, -5), "a height and a width in pixels"),
        (IMAGE_IN, TEXT_OUT, 4, "a height and a width in pixels"),
    ],
)
def test_modules_that_are_no_image_embedding(
    inputs: Any, outputs: Any, size: Any, message: str
) -> None:
    with pytest.raises(compat_hub.SignatureError, match=message):
        compat_hub.image_embedding_column("a", _signature(inputs, outputs), size)


def test_arguments_that_make_no_column(text: str, image: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one of 'mean', 'sqrtn', 'sum', found 'max'"):
        compat_hub.sparse_text_embedding_column("a", text, "max", None)
    for make in (
        lambda key: compat_hub.text_embedding_column(key, text),
        lambda key: compat_hub.sparse_text_embedding_column(key, text, "sum", None),
        lambda key: compat_hub.image_embedding_column(key, image),
        lambda key: compat_hub.text_embedding_column_v2(key, text),
    ):
        for key in 5, Path("a"):
            with pytest.raises(compat_hub.InputTypeError, match="or a column; found"):
                make(key)
    with pytest.raises(compat_hub.ResolveError):
        compat_hub.text_embedding_column("a", tmp_path / "nowhere")


def test_features_that_do_not_fit(text: str) -> None:
    one, several = _columns(text)
    with pytest.raises(compat_hub.InputTypeError, match=r"one string .* the shape \(2, 3\)"):
        tf_keras.layers.DenseFeatures([one])({"text": tf.constant([["a"] * 3] * 2)})
    with pytest.raises(compat_hub.InputTypeError, match=r"found a SparseTensor of the shape"):
        tf_keras.layers.DenseFeatures([one])({"text": _features()["words"]})
    with pytest.raises(compat_hub.InputTypeError, match=r"takes a SparseTensor, found a .*Tensor"):
        tf_keras.layers.DenseFeatures([several])({"words": tf.constant(["a"])})
    with pytest.raises(compat_hub.InputTypeError, match=r"expected string \[None\], found int32"):
        tf_keras.layers.DenseFeatures([one])({"text": tf.constant([1])})


def test_the_old_functions_need_a_graph(text: str) -> None:
    with pytest.raises(RuntimeError, match="executes eagerly"):
        fc.input_layer(_features(), _columns(text))


@pytest.mark.parametrize("trainable", [True, False])
def test_v2_of_a_saved_model(saved_model: str, trainable: bool) -> None:
    column = compat_hub.text_embedding_column_v2("text", saved_model, trainable=trainable)
    layer = tf_keras.layers.DenseFeatures([column])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(_features("text")))
    assert layer(_features("text")).numpy().tolist() == [[3, -3], [5, -5]]
    assert len(layer.weights) == 1
    gradients = tape.gradient(loss, layer.trainable_weights)
    assert [g.numpy().tolist() for g in gradients] == [[[8, 8]]] * trainable
    again = tf_keras.layers.DenseFeatures.from_config(layer.get_config())
    assert again(_features("text")).numpy().tolist() == [[3, -3], [5, -5]]
    assert layer.compute_output_shape([8]) == (8, 2)


def test_v2_of_a_module(text: str) -> None:
    column = compat_hub.text_embedding_column_v2("column", text, trainable=True)
    assert column.variable_shape == [2]
    layer = tf_keras.layers.DenseFeatures([column])
    assert layer(_features("column")).numpy().tolist() == [[1, 10], [100, 100]]
    assert len(layer.trainable_weights) == 1


def test_v2_is_for_tf2(text: str, saved_model: str) -> None:
    with tf.Graph().as_default():
        layer = tf_keras.layers.DenseFeatures([compat_hub.text_embedding_column_v2("text", text)])
        with pytest.raises(
            compat_hub.GraphError, match=r"use compat_hub.text_embedding_column\(\)"
        ):
            layer(_features("text"))
    column = compat_hub.text_embedding_column_v2("text", saved_model)
    found = _run(lambda: tf_keras.layers.DenseFeatures([column])(_features("text")))
    assert found.tolist() == [[3, -3], [5, -5]]


def test_v2_with_an_output_key(tmp_path: Path) -> None:
    class Named(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
            lengths = tf.cast(tf.strings.length(texts), tf.float32)
            return {"vector": tf.stack([lengths] * 3, 1), "number": lengths}

    tf.saved_model.save(Named(), str(tmp_path))
    make = compat_hub.text_embedding_column_v2
    assert make("x", tmp_path, "vector").variable_shape == [3]
    with pytest.raises(
        compat_hub.SignatureError, match=r"\['number', 'vector'\].* as `output_key`"
    ):
        _ = make("x", tmp_path).variable_shape
    with pytest.raises(compat_hub.SignatureError, match=r"with a known size, found \(None,\)"):
        _ = make("x", tmp_path, "number").variable_shape
    with pytest.raises(compat_hub.SignatureError, match="'other'"):
        _ = make("x", tmp_path, "other").variable_shape


def test_v2_of_what_takes_no_strings(image: str) -> None:
    column = compat_hub.text_embedding_column_v2("x", image)
    with pytest.raises(
        compat_hub.SignatureError, match=f"on {image!r}: the module cannot be called"
    ):
        tf_keras.layers.DenseFeatures([column])({"x": tf.constant(["a"])})
