from __future__ import annotations

import collections
import gc
import shutil
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import struct_pb2, text_format
from tensorflow.core.protobuf import saved_model_pb2

import compat_hub
from compat_hub import keras2, keras3
from compat_hub.format import protos
from compat_hub.programs.importing import import_bare
from tests.records import FIXTURES, OUTPUT_TOLERANCE, Record, assert_close


def _load(fixture: str, tags: Any = None) -> compat_hub.HubModule:
    return compat_hub.load(FIXTURES / fixture / "module", tags)


def _record(fixture: str) -> Record:
    return Record(FIXTURES / fixture)


def _check(module: compat_hub.HubModule, fixture: str, tags: list[str] | None = None) -> None:
    record = _record(fixture)
    for signature in record.signatures(tags or []):
        outputs = module(record.inputs(signature), signature, as_dict=True)
        for name, value in record.outputs(tags or [], signature).items():
            assert_close(outputs[name], value, OUTPUT_TOLERANCE, name)


def _normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the graph functions that are built from here on."""
    names = []
    wrap_function = tf.compat.v1.wrap_function

    def count(function: Callable[..., Any], signature: Any, name: str) -> Any:
        names.append(name)
        return wrap_function(function, signature, name=name)

    def count_bare(variant: Any, graph_def: Any, name: str, *arguments: Any) -> Any:
        names.append(name)
        return import_bare(variant, graph_def, name, *arguments)

    monkeypatch.setattr(tf.compat.v1, "wrap_function", count)
    monkeypatch.setattr("compat_hub.programs.program.import_bare", count_bare)
    # What other tests have loaded is not shared here.
    monkeypatch.setattr("compat_hub.format.spec._read", weakref.WeakValueDictionary())
    return names


# load ---------------------------------------------------------------------------------------------


def test_load_a_path_in_every_form(fixture_path) -> None:
    path = fixture_path("fruit")
    for handle in (path, Path(path), f"{path}/", f"file://{path}"):
        module = compat_hub.load(handle)
        assert isinstance(module, compat_hub.HubModule)
        assert module.spec.path == path
        assert module.tags is None


def test_load_a_spec(fixture_path) -> None:
    spec = compat_hub.load_module_spec(fixture_path("image_bn"))
    first, second = compat_hub.load(spec), compat_hub.load(spec, tags="train")
    assert first.spec is second.spec is spec
    assert first.variables[0] is not second.variables[0]
    assert second.tags == frozenset({"train"})
    _check(first, "image_bn")


def test_load_a_text_proto(copy_of) -> None:
    copy = copy_of("text_table")
    with copy.saved_model() as saved_model:
        copy.file("saved_model.pbtxt").write_text(text_format.MessageToString(saved_model))
    copy.file("saved_model.pb").unlink()
    _check(compat_hub.load(copy.path), "text_table")


@pytest.mark.parametrize("fixture", ["text_table", "sharded"])
def test_load_from_a_filesystem_of_tensorflow(fixture: str, fixture_path) -> None:
    source = Path(fixture_path(fixture))
    target = f"ram://test_module/{fixture}"
    for file in source.rglob("*"):
        if file.is_file():
            path = f"{target}/{file.relative_to(source).as_posix()}"
            tf.io.gfile.makedirs(path.rpartition("/")[0])
            with tf.io.gfile.GFile(path, "wb") as writer:
                writer.write(file.read_bytes())
    _check(compat_hub.load(target), fixture)


class _Doubling(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None])])
    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return self.factor * x


def test_load_a_plain_saved_model(tmp_path: Path) -> None:
    tf.saved_model.save(_Doubling(), str(tmp_path))
    for tags in (None, "serve", ["serve"], {"serve"}):
        loaded = compat_hub.load(tmp_path, tags=tags)
        assert not isinstance(loaded, compat_hub.HubModule)
        assert loaded(tf.constant([3.0])).numpy().tolist() == [6.0]
        assert loaded.factor.numpy() == 2.0
    with pytest.raises(Exception, match="nope"):
        compat_hub.load(tmp_path, tags="nope")


def test_load_options_reach_tensorflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fixture_path
) -> None:
    tf.saved_model.save(_Doubling(), str(tmp_path))
    options = tf.saved_model.LoadOptions(experimental_io_device="/job:localhost")
    seen = []
    load = tf.saved_model.load
    monkeypatch.setattr(
        tf.saved_model,
        "load",
        lambda path, tags, options: (seen.append(options), load(path, tags, options))[1],
    )
    assert compat_hub.load(tmp_path, options=options).factor.numpy() == 2.0
    assert seen == [options]
    _check(compat_hub.load(fixture_path("fruit"), options=options), "fruit")


@pytest.mark.parametrize("tags", ["train", ["train"], {"train"}, ("train",), frozenset({"train"})])
def test_explicit_tags_pin_every_call(tags: Any) -> None:
    module = _load("image_bn", tags)
    assert module.tags == {"train"}
    x = _record("image_bn").inputs("default")
    expected = _record("image_bn").outputs(["train"], "default")["default"]
    for training in (False, True):
        assert_close(module(x, training=training), expected, OUTPUT_TOLERANCE, str(training))


def test_no_tags_pin_inference() -> None:
    module = _load("image_bn", [])
    assert module.tags == frozenset()
    x = _record("image_bn").inputs("default")
    assert_close(module(x, training=True), module(x), 0, "output")
    assert module.get_signature_names() == ["default", "image_feature_vector"]


def test_a_module_without_an_inference_variant() -> None:
    module = _load("train_only_tags")
    with pytest.raises(compat_hub.UnknownNameError, match=r'set\(\).*It has: {"serve"}, {"train"}'):
        module(_normal(5, 3))
    assert module(_normal(5, 3), training=True).shape == [5, 4]
    _check(_load("train_only_tags", "serve"), "train_only_tags", ["serve"])


# What is built and what runs ----------------------------------------------------------------------


def test_loading_builds_no_graph_function(built: list[str]) -> None:
    module = _load("image_bn")
    assert built == []
    module.get_signature_names(), module.signatures["default"], module.variables, repr(module)
    assert len(module.regularization_losses) == 2
    assert built == []


def test_a_graph_function_is_built_at_its_first_use(built: list[str]) -> None:
    module = _load("image_bn")
    x = _normal(2, 8, 8, 3)
    module(x)
    assert built == ["default"]
    module(x), module({"images": x[:1]}), module.call_signature(x, outputs=["default"])
    assert built == ["default"]
    module(x, training=True)
    assert built == ["default"] * 2
    module(x, "image_feature_vector", as_dict=True)
    assert built == [*["default"] * 2, "image_feature_vector"]
    module.regularization_losses[0]()
    module.regularization_losses[0]()
    assert built[3:] == ["regularization_loss"]


def test_only_what_is_fetched_runs() -> None:
    module = _load("counter")
    x = {"x": _normal(3, 2)}
    calls = module.variable_map["calls"]
    module.call_signature(x, outputs=["default"])
    module(x, "plain")
    assert calls.numpy() == 0
    module.call_signature(x, outputs=["calls"])
    assert calls.numpy() == 1
    module(x, as_dict=True)
    assert calls.numpy() == 2
    result = module.call_signature(x, outputs=["running"])
    assert list(result.outputs) == ["running"]
    assert calls.numpy() == 3


def test_inputs_that_an_output_does_not_need_are_required_all_the_same() -> None:
    # As hub.Module has it: a call fits the signature or not, whatever is fetched.
    module = _load("ragged_io")
    with pytest.raises(compat_hub.InputTypeError, match="missing 'deep'"):
        module.call_signature({"ragged": [[1.0]]}, outputs=["default"])


def test_update_ops_run_once_for_each_training_call() -> None:
    module = _load("unfed_update")
    steps = module.variable_map["steps"]
    module({"x": _normal(5, 4)})
    assert steps.numpy() == 0
    for k in range(1, 4):
        module({"x": _normal(5, 4)}, training=True)
        assert steps.numpy() == k
    total = module.variable_map["total"].numpy()
    z = _normal(3, 2)
    module({"z": z}, "other", training=True)
    np.testing.assert_allclose(module.variable_map["total"], total + z.sum(0), rtol=1e-5)
    assert steps.numpy() == 4


# Calls --------------------------------------------------------------------------------------------


def test_inputs_in_every_form() -> None:
    module = _load("fruit")
    x = _normal(2, 5)
    expected = module(x)
    for value in (x.astype("float64"), x.tolist(), tf.constant(x), tf.Variable(x), {"default": x}):
        np.testing.assert_allclose(module(value), expected, rtol=1e-6)
    assert isinstance(module(x), tf.Tensor)
    assert set(module(x, as_dict=True)) == {"default"}
    assert module(inputs=x, signature="default", as_dict=False, training=False).shape == [2, 4]
    assert module(x, None, True, True).keys() == {"default"}


def test_inputs_with_defaults() -> None:
    module = _load("optional_inputs")
    x = _normal(4, 3)
    base = module.variable_map["base"].numpy()
    np.testing.assert_allclose(module(x), (x * 1.5 + 2 * base) ** 2 + 0.5, rtol=1e-5)
    np.testing.assert_allclose(module({"x": x}, "all"), module(x))
    np.testing.assert_allclose(module(x, "all"), module(x))
    found = module({"x": x, "power": 1, "bias": [0.0, 1.0, 2.0]}, "all")
    np.testing.assert_allclose(found, x * 1.5 + [0.5, 1.5, 2.5], rtol=1e-5, atol=1e-6)


def test_a_signature_without_inputs() -> None:
    module = _load("constant")
    weights = module.variable_map["weights"]
    np.testing.assert_array_equal(module(), weights)
    np.testing.assert_array_equal(module(None), weights)
    np.testing.assert_array_equal(module({}), weights)
    outputs = module(signature="sum", as_dict=True)
    np.testing.assert_allclose(outputs["sum"], np.sum(weights.numpy()), rtol=1e-6)
    with pytest.raises(compat_hub.InputTypeError, match="expected no inputs"):
        module(1.0)


def test_static_shapes_follow_from_those_of_the_inputs() -> None:
    module = _load("shapes")

    @tf.function
    def call(images: tf.Tensor) -> tf.Tensor:
        outputs = module({"scalar": 1.0, "anything": images[0], "images": images}, as_dict=True)
        assert outputs["padded"].shape == [4, 4, 5]
        assert outputs["columns"].shape == [4, 3]
        assert outputs["anything"].shape == [4, 3]
        return outputs["default"]

    function = call.get_concrete_function(tf.TensorSpec([2, 4, 3]))
    assert function.structured_outputs.shape == [2, 4, 3]

    @tf.function
    def flatten(batch: tf.Tensor) -> tf.Tensor:
        return module({"batch": batch}, "flatten", as_dict=True)["flat"]

    assert flatten.get_concrete_function(tf.TensorSpec([7, 6, 6, 1])).output_shapes == [7, 32]
    unknown = flatten.get_concrete_function(tf.TensorSpec(None))
    assert unknown.output_shapes.as_list() == [None, 32]


def test_training_as_a_tensor_chooses_the_variant_as_the_program_runs() -> None:
    module = _load("image_bn")
    record = _record("image_bn")
    x = record.inputs("default")["images"]

    @tf.function(input_signature=[tf.TensorSpec([], tf.bool)])
    def call(training: tf.Tensor) -> tf.Tensor:
        return module({"images": x}, training=training)

    moving = module.variable_map["batch_normalization/moving_mean"]
    before = moving.numpy()
    expected = record.outputs([], "default")["default"]
    assert_close(call(False), expected, OUTPUT_TOLERANCE, "inference")
    np.testing.assert_array_equal(moving, before)
    expected = record.outputs(["train"], "default")["default"]
    assert_close(call(True), expected, OUTPUT_TOLERANCE, "training")
    mean = tf.nn.conv2d(x, module.variable_map["conv2d/kernel"], 1, "SAME")
    mean = tf.reduce_mean(mean + module.variable_map["conv2d/bias"], [0, 1, 2])
    np.testing.assert_allclose(moving, 0.8 * before + 0.2 * mean, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("true", [True, 1, np.True_, np.array(True), tf.constant(True)])
def test_training_as_a_constant_of_every_kind(true: Any, built: list[str]) -> None:
    module = _load("unfed_update")
    module({"x": _normal(5, 4)}, training=true)
    assert module.variable_map["steps"].numpy() == 1
    assert len(built) == 1


def test_training_as_a_variable_in_a_tf_function() -> None:
    module = _load("unfed_update")
    training = tf.Variable(False)

    @tf.function
    def call() -> tf.Tensor:
        return module({"x": tf.ones([5, 4])}, training=training)

    call()
    assert module.variable_map["steps"].numpy() == 0
    training.assign(True)
    call()
    assert module.variable_map["steps"].numpy() == 1


def test_gradients_with_respect_to_inputs() -> None:
    module = _load("fruit")
    x = tf.constant(_normal(2, 5))
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(tf.square(module(x)))
    weights = module.variable_map["from_apples"].numpy()
    expected = 2.0 * (x.numpy() @ weights.T) @ weights
    np.testing.assert_allclose(tape.gradient(loss, x), expected, rtol=1e-5)


def test_gradients_of_gradients() -> None:
    module = _load("fruit")
    inputs = {"apples": tf.constant(_normal(2, 4)), "oranges": tf.constant(_normal(2, 3))}
    weights = module.variable_map["from_oranges"]
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            loss = tf.reduce_sum(module(inputs, "fruit_to_pet", as_dict=True)["hidden"])
        gradient = tf.reduce_sum(inner.gradient(loss, weights))
    hidden = module(inputs, "fruit_to_pet", as_dict=True)["hidden"].numpy()
    # d/dw of the sum of (1 - tanh(.)^2) x
    slope = -2.0 * hidden * (1 - hidden**2) * inputs["oranges"].numpy().sum(1, keepdims=True)
    expected = inputs["oranges"].numpy().T @ slope
    np.testing.assert_allclose(outer.gradient(gradient, weights), expected, rtol=1e-4, atol=1e-6)


def test_a_tape_that_watches_nothing_else() -> None:
    module = _load("fruit")
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(module.variable_map["from_apples"])
        loss = tf.reduce_sum(module(_normal(2, 5)))
    assert tape.gradient(loss, module.variable_map["from_apples"]) is not None
    with tf.GradientTape() as tape:
        module(_normal(2, 5))
    assert [v.name for v in tape.watched_variables()] == ["from_apples:0"]


def test_two_modules_whose_functions_have_the_same_names() -> None:
    first, second = _load("functions"), _load("functions_clash")
    record = _record("functions"), _record("functions_clash")
    x = record[0].inputs("default")["default"]

    @tf.function
    def call(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return first(x), second(x), first(x)

    outputs = call(x)
    for output, k in zip(outputs, (0, 1, 0), strict=True):
        assert_close(output, record[k].outputs([], "default")["default"], OUTPUT_TOLERANCE, str(k))
    with tf.GradientTape(persistent=True) as tape:
        outputs = first(x), second(x)
    gradients = [tape.gradient(outputs[k], m.variables[0]) for k, m in enumerate((first, second))]
    assert not np.allclose(*gradients)


@pytest.mark.parametrize("fixture", ["fruit", "image_bn", "text_table"])
def test_in_a_vectorized_map(fixture: str) -> None:
    module, record = _load(fixture), _record(fixture)
    inputs = {n: tf.stack([v, v]) for n, v in record.inputs("default").items()}
    outputs = tf.vectorized_map(lambda x: module(x, as_dict=True), inputs)
    for name, expected in record.outputs([], "default").items():
        for found in outputs[name]:
            assert_close(found, expected, OUTPUT_TOLERANCE, name)


def test_loops_in_a_vectorized_map_are_more_than_tensorflow_takes() -> None:
    """The control of what docs/gradients.md says, without compat_hub; and what works instead."""
    loop = tf.function(
        lambda x: tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, a * 2.0), [0, x])[1]
    )
    graph_def = loop.get_concrete_function(tf.TensorSpec([2])).graph.as_graph_def()
    name = next(node.name for node in graph_def.node if node.op == "Placeholder")
    result = f"{graph_def.node[-1].name}:0"

    def body(x: Any) -> Any:
        return tf.graph_util.import_graph_def(graph_def, {name: x}, [result])[0]

    imported: Any = tf.compat.v1.wrap_function(body, [tf.TensorSpec([2])])
    with pytest.raises((AttributeError, TypeError)):
        tf.vectorized_map(lambda x: imported(x), tf.ones([3, 2]))  # noqa: PLW0108
    module, record = _load("while_rnn"), _record("while_rnn")
    inputs = {n: tf.stack([v, v]) for n, v in record.inputs("default").items()}
    found = tf.map_fn(module, inputs, fn_output_signature=tf.float32)
    for output in found:
        assert_close(output, record.outputs([], "default")["default"], OUTPUT_TOLERANCE, "map_fn")


# Threads ------------------------------------------------------------------------------------------


def _in_threads(functions: list[Callable[[], Any]]) -> list[Any]:
    barrier = threading.Barrier(len(functions))
    results: dict[int, Any] = {}

    def run(k: int) -> None:
        barrier.wait()
        try:
            results[k] = functions[k]()
        except Exception as error:
            results[k] = error

    threads = [threading.Thread(target=run, args=[k]) for k in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results.values():
        if isinstance(result, Exception):
            raise result
    return [results[k] for k in range(len(functions))]


def test_threads_that_call_one_signature_first(built: list[str]) -> None:
    module = _load("image_bn")
    record = _record("image_bn")
    x = record.inputs("default")
    for output in _in_threads([lambda: module(x)] * 8):
        expected = record.outputs([], "default")["default"]
        assert_close(output, expected, OUTPUT_TOLERANCE, "output")
    assert built == ["default"]


def test_threads_that_call_different_signatures_first(built: list[str]) -> None:
    module = _load("fruit")
    pets = {"apples": _normal(2, 4), "oranges": _normal(2, 3)}
    code = _normal(2, 5)
    calls = [
        lambda: module(code),
        lambda: module(pets, "fruit_to_pet", as_dict=True)["cats"],
        lambda: tf.function(module)(code),
        module.regularization_losses[0],
    ]
    results = _in_threads(calls * 2)
    for k, result in enumerate(results):
        np.testing.assert_allclose(result, calls[k % 4](), rtol=1e-6)
    counts = collections.Counter(built)
    # The tf.function has another, which serves eager calls, too, if it is the first.
    assert counts.pop("default") in {1, 2}
    assert counts == {"fruit_to_pet": 1, "regularization_loss": 1}


def test_threads_that_train() -> None:
    module = _load("unfed_update")
    x = {"x": _normal(5, 4)}
    _in_threads([lambda: module(x, training=True)] * 8)
    assert module.variable_map["steps"].numpy() == 8


@pytest.mark.parametrize("fixture", ["while_captures", "cond"])
def test_threads_that_take_the_first_gradient(fixture: str, copy_of) -> None:
    x = _record(fixture).inputs("default")

    def gradient(module: compat_hub.HubModule, persistent: bool = False) -> list[Any]:
        with tf.GradientTape(persistent=persistent) as tape:
            outputs = tf.nest.flatten(module(x, as_dict=True))
            loss = tf.add_n([tf.reduce_sum(y) for y in outputs if y.dtype == tf.float32])
        found = tape.gradient(loss, module.trainable_variables)
        return [None if g is None else tf.convert_to_tensor(g) for g in found]

    expected = gradient(_load(fixture))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        for turn in range(2):
            module = compat_hub.load(copy_of(fixture, f"copy{turn}").path)
            ways = [
                lambda module=module: gradient(module),
                lambda module=module: gradient(module, persistent=True),
                lambda module=module: tf.function(gradient)(module),
            ]
            for found in _in_threads(ways * 2):
                for a, b in zip(found, expected, strict=True):
                    assert (a is None) == (b is None)
                    if b is not None:
                        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    finally:
        sys.setswitchinterval(interval)


# As a tf.Module -----------------------------------------------------------------------------------


def test_variables_are_there_once_each() -> None:
    module = _load("partitioned")
    assert len({v.ref() for v in module.variables}) == len(module.variables) == 13
    assert module.variables == module.trainable_variables
    assert module.non_trainable_variables == ()
    image = _load("image_bn")
    assert len(image.variables) == 12
    assert len(image.trainable_variables) == 8
    together = [*image.trainable_variables, *image.non_trainable_variables]
    assert {v.ref() for v in together} == {v.ref() for v in image.variables}


def test_in_a_module_around() -> None:
    class Outer(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hub = _load("image_bn")
            self.scale = tf.Variable(1.0)

    outer = Outer()
    assert len(outer.variables) == 13
    assert len(outer.trainable_variables) == 9
    assert outer.hub in outer.submodules


def test_a_checkpoint_round_trip(tmp_path: Path) -> None:
    module = _load("partitioned")
    x = _record("partitioned").inputs("default")
    for variable in module.variables:
        variable.assign(variable * 2.0 + 1.0)
    expected = module(x)
    path = tf.train.Checkpoint(module=module).save(str(tmp_path / "checkpoint"))
    fresh = _load("partitioned")
    assert not np.allclose(fresh(x), expected)
    status = tf.train.Checkpoint(module=fresh).restore(path)
    status.assert_existing_objects_matched()
    np.testing.assert_allclose(fresh(x), expected, rtol=1e-6)
    for a, b in zip(module.variables, fresh.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_checkpoint_with_tables_and_assets(tmp_path: Path) -> None:
    module = _load("text_table")
    path = tf.train.Checkpoint(module=module).save(str(tmp_path / "checkpoint"))
    fresh = _load("text_table")
    for variable in fresh.variables:
        variable.assign(tf.zeros_like(variable))
    tf.train.Checkpoint(module=fresh).restore(path).assert_existing_objects_matched()
    _check(fresh, "text_table")


def test_repr(fixture_path) -> None:
    path = fixture_path("fruit")
    spec = f"<compat_hub.ModuleSpec {path!r} (set(): default, fruit_to_pet)>"
    assert repr(_load("fruit")) == f"<compat_hub.HubModule of {spec}: 6 variables>"
    assert 'pinned to {"train"} of' in repr(_load("image_bn", "train"))


# Signatures ---------------------------------------------------------------------------------------


def test_signatures_are_a_mapping() -> None:
    signatures = _load("fruit").signatures
    assert list(signatures) == list(signatures.keys()) == ["default", "fruit_to_pet"]
    assert len(signatures) == 2
    assert "fruit_to_pet" in signatures
    for name in ("nope", "", None, 3):
        assert name not in signatures
        assert signatures.get(name) is None
        assert signatures.get(name, 7) == 7
        with pytest.raises(KeyError):
            signatures[name]
    assert [s.name for s in signatures.values()] == list(signatures)
    assert dict(signatures).keys() == {"default", "fruit_to_pet"}
    assert repr(signatures) == "<signatures default, fruit_to_pet>"
    with pytest.raises(TypeError):
        signatures["new"] = None


def test_a_signature_is_called_as_after_tf_saved_model_load() -> None:
    module = _load("fruit")
    pets = module.signatures["fruit_to_pet"]
    inputs = {"apples": tf.constant(_normal(2, 4)), "oranges": tf.constant(_normal(2, 3))}
    outputs = pets(**inputs)
    assert list(outputs) == ["cats", "dogs", "hidden"]
    np.testing.assert_allclose(pets(inputs)["dogs"], outputs["dogs"])
    args, kwargs = pets.structured_input_signature
    assert args == ()
    assert kwargs == {"apples": tf.TensorSpec([None, 4]), "oranges": tf.TensorSpec([None, 3])}
    assert pets.structured_outputs["cats"] == tf.TensorSpec([None, 2])
    code = tf.constant(_normal(2, 5))
    for outputs in (module.signatures["default"](code), module.signatures["default"](default=code)):
        np.testing.assert_allclose(outputs["default"], module(code))


@pytest.mark.parametrize("fixture", ["sparse_io", "ragged_io"])
def test_composite_inputs_of_a_signature_by_component(fixture: str) -> None:
    module, record = _load(fixture), _record(fixture)
    for name in record.signatures([]):
        given: dict[str, Any] = {}
        values = record.inputs(name)
        for key, value in values.items():
            if isinstance(value, tf.SparseTensor):
                parts = ("indices", "values", "dense_shape")
                given.update({f"{key}_{p}": getattr(value, p).numpy() for p in parts})
            elif isinstance(value, tf.RaggedTensor):
                flat = tf.nest.flatten(value, expand_composites=True)
                given.update({f"{key}_component_{k}": part for k, part in enumerate(flat)})
            else:
                given[key] = value
        signature = module.signatures[name]
        for outputs in (signature(**given), signature(**values), tf.function(signature)(**given)):
            for key, expected in record.outputs([], name).items():
                assert_close(outputs[key], expected, OUTPUT_TOLERANCE, key)
        dropped = next((key for key in given if key not in values), None)
        if dropped is None:
            continue
        rest = {key: value for key, value in given.items() if key != dropped}
        message = f"signature '{name}', input .* without '{dropped}'"
        with pytest.raises(compat_hub.InputTypeError, match=message):
            signature(**rest)
        with pytest.raises(compat_hub.InputTypeError, match="found both"):
            signature(**{**given, **values})


@pytest.mark.parametrize("signature", [tf.zeros([2]), ["default"], {"default"}, 3, b"default"])
def test_a_signature_is_a_name(signature: Any) -> None:
    module = _load("fruit")
    for use in (
        lambda: module(_normal(2, 5), signature),
        lambda: module.call_signature(_normal(2, 5), signature),
        lambda: module.get_input_info_dict(signature),
        lambda: compat_hub.KerasLayer(module, signature=signature),
    ):
        with pytest.raises(compat_hub.HubError, match=r"fruit.*`signature` is a name, found a"):
            use()


@pytest.mark.parametrize("tags", [[["train"]], [{"train"}], 3, [3, "train"]])
def test_tags_are_strings(tags: Any) -> None:
    for use in (compat_hub.load, keras2.KerasLayer, keras3.KerasLayer):
        with pytest.raises(compat_hub.InputTypeError, match="`tags` are a set of strings"):
            use(FIXTURES / "fruit/module", tags=tags)


def test_a_signature_has_what_a_concrete_function_has() -> None:
    module, record = _load("fruit"), _record("fruit")
    signature = module.signatures["fruit_to_pet"]
    assert {t.shape.as_list()[1] for t in signature.inputs if t.dtype == tf.float32} == {3, 4}
    assert len(signature.outputs) == len(signature.structured_outputs)
    assert signature.graph is signature.concrete_function.graph
    used = {v.name for v in signature.variables}
    assert used
    assert used <= {v.name for v in module.variables}
    assert {v.name for v in signature.trainable_variables} <= used
    function = signature.concrete_function
    values = {n: tf.constant(v) for n, v in record.inputs("fruit_to_pet").items()}
    for name, expected in record.outputs([], "fruit_to_pet").items():
        assert_close(function(**values)[name], expected, OUTPUT_TOLERANCE, name)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    assert len(converter.convert()) > 0


def test_inputs_of_any_name() -> None:
    module = _load("names")
    record = _record("names")
    outputs = module.signatures["default"](**record.inputs("default"))
    for name, value in record.outputs([], "default").items():
        assert_close(outputs[name], value, OUTPUT_TOLERANCE, name)


def test_signatures_of_the_variant_that_a_module_is_pinned_to() -> None:
    record = _record("image_bn")
    x = record.inputs("default")
    module = _load("image_bn", "train")
    moving = module.variable_map["batch_normalization/moving_mean"].numpy()
    expected = record.outputs(["train"], "default")["default"]
    outputs = module.signatures["default"](**x)
    assert_close(outputs["default"], expected, OUTPUT_TOLERANCE, "output")
    # It is no training call: the update ops do not run.
    np.testing.assert_array_equal(module.variable_map["batch_normalization/moving_mean"], moving)


def test_signatures_in_a_data_pipeline_and_a_function() -> None:
    call = _load("fruit").signatures["fruit_to_pet"]
    gc.collect()
    inputs = {"apples": _normal(4, 4), "oranges": _normal(4, 3)}
    data = tf.data.Dataset.from_tensor_slices(inputs).batch(2).map(call)
    found = np.concatenate([batch["cats"].numpy() for batch in data])
    np.testing.assert_allclose(found, call(**inputs)["cats"], rtol=1e-5, atol=1e-6)
    assert tf.function(lambda i: call(**i))(inputs)["cats"].shape == [4, 2]


def test_what_a_module_says_of_its_signatures() -> None:
    module = _load("aux_variant")
    assert module.get_signature_names() == module.get_signature_names("train") == ["default"]
    assert list(module.get_output_info_dict()) == ["default"]
    assert list(module.get_output_info_dict(tags="train")) == ["aux", "default"]
    assert list(module.get_input_info_dict("default", ["gpu", "small"])) == ["x"]
    pinned = _load("aux_variant", ["small", "gpu"])
    assert str(pinned.get_output_info_dict()["default"]) == "float32 [None, 3]"
    assert list(pinned.get_output_info_dict(tags="train")) == ["aux", "default"]
    assert list(pinned.get_output_info_dict(tags=[])) == ["default"]
    assert str(pinned.get_output_info_dict(tags=[])["default"]) == "float32 [None, 2]"


def test_attached_messages() -> None:
    module = _load("image_bn")
    info = module.get_attached_message("image_module_info", protos.ImageModuleInfo)
    assert info.default_image_size.width == 8
    assert module.get_attached_message("other", protos.ImageModuleInfo, tags="train") is None
    with pytest.raises(compat_hub.UnknownNameError, match="'other'"):
        module.get_attached_message("other", protos.ImageModuleInfo, required=True)


# Regularization losses ----------------------------------------------------------------------------


def test_regularization_losses() -> None:
    module = _load("fruit")
    from_apples, kernel = (module.variable_map[n] for n in ("from_apples", "cats/kernel"))
    l2, l1 = module.regularization_losses
    assert (l2.name, "from_apples/Regularizer/mul:0" in repr(l2)) == (
        "from_apples/Regularizer/mul:0",
        True,
    )
    with tf.GradientTape() as tape:
        losses = [l2(), l1()]
        total = tf.add_n(losses)
    assert [loss.shape.as_list() for loss in losses] == [[], []]
    np.testing.assert_allclose(losses[0], 0.005 * np.sum(from_apples.numpy() ** 2), rtol=1e-5)
    np.testing.assert_allclose(losses[1], 0.02 * np.abs(kernel.numpy()).sum(), rtol=1e-5)
    gradients = tape.gradient(total, [from_apples, kernel])
    np.testing.assert_allclose(gradients[0], 0.01 * from_apples, rtol=1e-5)
    np.testing.assert_allclose(gradients[1], 0.02 * np.sign(kernel), rtol=1e-5)
    from_apples.assign(tf.zeros([4, 5]))
    assert l2().numpy() == 0.0
    assert tf.function(l1)().numpy() == losses[1].numpy()


def test_regularization_losses_are_those_of_the_training_variant() -> None:
    names = [loss.name.split("/")[0] for loss in _load("aux_variant").regularization_losses]
    assert names == ["trunk", "aux"]
    names = [loss.name.split("/")[0] for loss in _load("aux_variant", []).regularization_losses]
    assert names == ["trunk"]


def test_a_loss_that_needs_an_input_is_no_callable_without_one() -> None:
    assert len(_load("activity").regularization_losses) == 1
    assert _load("counter").regularization_losses == []


def test_the_list_of_losses_may_be_changed() -> None:
    module = _load("fruit")
    module.regularization_losses.clear()
    assert len(module.regularization_losses) == 2


# Export -------------------------------------------------------------------------------------------


def _files(folder: str | Path) -> dict[str, bytes]:
    root = Path(folder)
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def _values(path: str, tags: Any = None) -> dict[str, np.ndarray]:
    module = compat_hub.load(path, tags)
    return {v.name.removesuffix(":0"): v.numpy() for v in module.variables}


@pytest.mark.parametrize("fixture", ["aux_variant", "text_two_assets", "partitioned", "dtypes"])
def test_an_export_is_the_module_again(fixture: str, fixture_path, tmp_path: Path) -> None:
    path = fixture_path(fixture)
    assert _load(fixture).export(tmp_path / "exported") == str(tmp_path / "exported")
    before, after = _files(path), _files(tmp_path / "exported")
    messages = {"saved_model.pb": saved_model_pb2.SavedModel, "tfhub_module.pb": protos.ModuleDef}
    for name, message in messages.items():
        assert message.FromString(after.pop(name)) == message.FromString(before.pop(name))
    assets = {n: content for n, content in before.items() if n.startswith("assets/")}
    assert {n: content for n, content in after.items() if n.startswith("assets/")} == assets
    assert {n.partition("/")[0] for n in after} == {n.partition("/")[0] for n in before}
    _check(compat_hub.load(tmp_path / "exported"), fixture)
    if not Path(path, "variables/variables.index").exists():
        return
    own = tf.train.load_checkpoint(f"{path}/variables/variables")
    written = tf.train.load_checkpoint(str(tmp_path / "exported/variables/variables"))
    assert written.get_variable_to_shape_map() == own.get_variable_to_shape_map()
    for name in own.get_variable_to_shape_map():
        np.testing.assert_array_equal(written.get_tensor(name), own.get_tensor(name))


def test_an_export_has_the_values_of_now(tmp_path: Path) -> None:
    module = _load("image_bn")
    x = _record("image_bn").inputs("default")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(module(x, training=True)))
    gradients = tape.gradient(loss, module.trainable_variables)
    for variable, gradient in zip(module.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.01 * gradient)
    module.export(tmp_path / "tuned")
    again = compat_hub.load(tmp_path / "tuned")
    for a, b, old in zip(
        module.variables, again.variables, _load("image_bn").variables, strict=True
    ):
        np.testing.assert_array_equal(a, b)
        # A bias before a normalization has no gradient. Update ops move the averages.
        assert a.name == "conv2d/bias:0" or not np.array_equal(a, old), a.name
    np.testing.assert_array_equal(module(x), again(x))


def test_an_export_of_partitioned_variables_after_training(tmp_path: Path) -> None:
    module = _load("partitioned")
    parted = {k: v for k, v in module.variable_map.items() if isinstance(v, list)}
    for k, part in enumerate(p for parts in parted.values() for p in parts):
        part.assign_add(tf.fill(part.shape, float(k + 1)))
    module.export(tmp_path / "exported")
    again = compat_hub.load(tmp_path / "exported")
    for name, parts in parted.items():
        for a, b in zip(parts, again.variable_map[name], strict=True):
            np.testing.assert_array_equal(a, b)
    reader = tf.train.load_checkpoint(str(tmp_path / "exported/variables/variables"))
    assert parted.keys() <= reader.get_variable_to_shape_map().keys()


def test_an_export_does_not_need_the_folder_that_was_read(copy_of, tmp_path: Path) -> None:
    copy = copy_of("fruit")
    module = compat_hub.load(copy.path)
    shutil.rmtree(copy.path)
    module.export(tmp_path / "exported")
    _check(compat_hub.load(tmp_path / "exported"), "fruit")


def test_an_export_without_variables(tmp_path: Path) -> None:
    _load("no_variables").export(tmp_path / "exported")
    assert not (tmp_path / "exported/variables").exists()
    _check(compat_hub.load(tmp_path / "exported"), "no_variables")


@pytest.mark.parametrize(
    ("tags", "known"),
    [([], ["top", "trunk"]), (["gpu", "small"], ["trunk"]), ("train", ["aux", "top", "trunk"])],
)
def test_an_export_of_a_pinned_module_is_the_whole_module(
    tags: Any, known: list[str], fixture_path, tmp_path: Path
) -> None:
    module = _load("aux_variant", tags)
    for variable in module.variables:
        variable.assign_add(tf.ones_like(variable))
    module.export(tmp_path / "exported")
    before, after = _values(fixture_path("aux_variant")), _values(str(tmp_path / "exported"))
    assert before.keys() == after.keys()
    for name, value in before.items():
        change = 1.0 if name.partition("/")[0] in known else 0.0
        np.testing.assert_array_equal(after[name], value + np.float32(change))
    exported = compat_hub.load_module_spec(str(tmp_path / "exported"))
    assert exported.get_tags() == module.spec.get_tags()


def _two_variants(name: str) -> None:
    x = tf.compat.v1.placeholder(tf.float32, [None], "x")
    weight = tf.compat.v1.get_variable(name, [], initializer=tf.compat.v1.ones_initializer())
    compat_hub.add_signature(inputs=x, outputs=x * weight)
    compat_hub.attach_message("info", struct_pb2.Value(string_value=name))


def _created_spec() -> compat_hub.ModuleSpec:
    return compat_hub.create_module_spec(
        _two_variants, [(set(), {"name": "a"}), ({"train"}, {"name": "b"})]
    )


def test_an_export_of_a_created_spec(tmp_path: Path) -> None:
    module = compat_hub.load(_created_spec())
    for k, variable in enumerate(module.variables):
        variable.assign(3.0 + k)
    module.export(tmp_path / "exported")
    assert _values(str(tmp_path / "exported")) == {"a": 3.0, "b": 4.0}
    again = compat_hub.load(tmp_path / "exported")
    for tags, name in (set(), "a"), ({"train"}, "b"):
        message = again.get_attached_message("info", struct_pb2.Value, tags)
        assert message == struct_pb2.Value(string_value=name)


def test_an_export_of_a_variant_whose_siblings_have_no_values(tmp_path: Path) -> None:
    module = compat_hub.load(_created_spec(), tags="train")
    with pytest.raises(compat_hub.HubError, match=r"one variant only.*\('a'\).*without `tags`"):
        module.export(tmp_path / "exported")
    assert not list(tmp_path.iterdir())


def test_an_export_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(FileExistsError):
        _load("fruit").export(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def _aged(copy: Any) -> str:
    """The path of a module whose files were written a while ago."""
    time.sleep(0.15)
    return copy.path


def test_modules_of_one_folder_share_programs_and_no_values(copy_of) -> None:
    path = _aged(copy_of("fruit"))
    first, second = compat_hub.load(path), compat_hub.load(path)
    assert first.spec is second.spec
    inputs = {"apples": np.ones([1, 4]), "oranges": np.ones([1, 3])}

    def cats(module: compat_hub.HubModule) -> np.ndarray:
        return module(inputs, "fruit_to_pet", as_dict=True)["cats"].numpy()

    before = cats(first)
    (program,) = first.spec.variant().programs.values()
    np.testing.assert_array_equal(cats(second), before)
    assert list(first.spec.variant().programs.values()) == [program]
    for variable in second.variables:
        variable.assign(tf.zeros_like(variable))
    np.testing.assert_array_equal(cats(second), np.zeros_like(before))
    np.testing.assert_array_equal(cats(first), before)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(second(inputs, "fruit_to_pet", as_dict=True)["cats"])
    found = tape.gradient(loss, [*first.trainable_variables, *second.trainable_variables])
    count = len(first.trainable_variables)
    assert all(gradient is None for gradient in found[:count])
    assert any(gradient is not None for gradient in found[count:])


def test_a_folder_that_has_changed_is_read_again(copy_of) -> None:
    copy = copy_of("fruit")
    first = compat_hub.load(_aged(copy))
    with copy.meta_graph() as meta_graph:
        del meta_graph.signature_def["default"]
    second = compat_hub.load(_aged(copy))
    assert "default" in first.get_signature_names()
    assert "default" not in second.get_signature_names()


def test_a_module_that_is_gone_leaves_no_description(copy_of) -> None:
    module = compat_hub.load(_aged(copy_of("fruit")))
    module(np.ones([1, 5]))
    left = weakref.ref(module.spec)
    del module
    gc.collect()
    assert left() is None


def test_programs_that_draw_random_numbers_are_not_shared(copy_of) -> None:
    module = compat_hub.load(_aged(copy_of("dropout")))
    (name, info), *_ = module.get_input_info_dict(tags={"train"}).items()
    module({name: np.ones([4, *info.get_shape()[1:]])}, training=True)
    assert not module.spec.variant({"train"}).programs
