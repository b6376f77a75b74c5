"""The probes: each is one small program that does with a tool what its row says.

A probe returns what it found, or raises `UnableError`, which stands for "no". Any other exception
is a mistake in the probe. Needs TensorFlow, tf_keras and numpy, and compat_hub only as the tool.
"""

from __future__ import annotations

import functools
import http.server
import importlib.metadata
import os
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.comparison.tools import Outcome, Tool, UnableError, attempt, member, no, partly, yes
from tests.records import (
    FIXTURES,
    Record,
    assert_close,
    read_records,
    value_of,
)

Probe = Callable[[Tool, Path], Outcome]
PROBES: dict[str, Probe] = {}
TITLES: dict[str, str] = {}

_FRUIT = {
    "apples": np.array([[1.0, 0.0, 2.0, 0.5]], np.float32),
    "oranges": np.array([[0.0, 1.0, 3.0]], np.float32),
}


def probe(title: str) -> Callable[[Probe], Probe]:
    """Makes a function the probe of a row with this title."""

    def register(function: Probe) -> Probe:
        PROBES[function.__name__] = function
        TITLES[function.__name__] = title
        return function

    return register


def _record(name: str) -> Record:
    return Record(FIXTURES / name)


def _by_name(loaded: Any) -> dict[str, Any]:
    """The variables by name."""
    return {v.name.partition(":")[0]: v for v in member(loaded, "variables")}


# Load


@probe("import it where setuptools is of today")
def imports(tool: Tool, _: Path) -> Outcome:
    """Setuptools has no `pkg_resources` since version 82; an older one is made to look so."""
    name = "tensorflow" if tool.name == "tensorflow" else tool.name
    hide = "import sys; sys.modules['pkg_resources'] = None; "
    code = f"{hide if _has_pkg_resources() else ''}import {name}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        return no(f"`{done.stderr.strip().splitlines()[-1]}`; it needs `setuptools<82`")
    return yes()


def _has_pkg_resources() -> bool:
    try:
        return int(importlib.metadata.version("setuptools").partition(".")[0]) < 82
    except importlib.metadata.PackageNotFoundError:
        return False


@probe("load a module from a web address, and keep it in a cache")
def downloads(tool: Tool, folder: Path) -> Outcome:
    """The second load is done without the server."""
    served = Path(tempfile.mkdtemp(dir=folder))
    with tarfile.open(served / "fruit.tar.gz", "w:gz") as archive:
        for file in sorted(Path(_record("fruit").path).iterdir()):
            archive.add(file, file.name)
    os.environ["TFHUB_CACHE_DIR"] = tempfile.mkdtemp(dir=folder)
    handler = functools.partial(_Quiet, directory=str(served))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    handle = f"http://127.0.0.1:{server.server_port}/fruit.tar.gz"
    try:
        attempt(lambda: tool.load(handle))
    finally:
        server.shutdown()
        server.server_close()
    assert tool.load(handle).signatures
    return yes()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@probe("load SavedModels of TensorFlow 2 by the same call")
def saved_models(tool: Tool, folder: Path) -> Outcome:
    loaded = attempt(lambda: tool.package.load(str(folder / "converted")))
    assert set(loaded.signatures) == {"fruit_to_pet", "serving_default"}
    return yes()


@probe("list variants, signatures and shapes without loading")
def descriptions(tool: Tool, _: Path) -> Outcome:
    path = _record("pets").path
    if tool.name == "tensorflow":
        command = [Path(sys.executable).parent / "saved_model_cli", "show", "--dir", path, "--all"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "signature_def['fruit_to_pet']" in shown
        return partly("by `saved_model_cli show`, which TensorFlow brings")
    spec = attempt(lambda: tool.find("load_module_spec")(path))
    assert set(spec.get_tags()) == {frozenset(), frozenset({"train"})}
    assert spec.get_input_info_dict("fruit_to_pet")["apples"].get_shape().as_list() == [None, 4]
    return yes()


@probe("refuse a module that would read files or call Python")
def host_access(tool: Tool, folder: Path) -> Outcome:
    """`prepare` wrote one whose output is the content of a file."""
    try:
        loaded = attempt(lambda: tool.load(str(folder / "reading_files")))
    except UnableError as error:
        if "ReadFile" not in str(error.__cause__):
            raise
        return yes("unless it is allowed")
    secret = loaded.signatures["leak"](x=tf.ones([1, 2]))["secret"].numpy()
    assert secret == Path("/etc/hostname").read_bytes()
    return no("it reads the file")


# Call


@probe("call a signature")
def signature(tool: Tool, _: Path) -> Outcome:
    record = _record("pets")
    loaded = attempt(lambda: tool.load(record.path))
    found = _call(loaded.signatures["fruit_to_pet"], record.inputs("fruit_to_pet"))
    for name, value in record.outputs([], "fruit_to_pet").items():
        assert_close(found[name], value, record.output_tolerance, name)
    return yes()


def _call(function: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Calls a signature: composite values by their components, where it takes those."""
    specs = function.structured_input_signature[1]
    values: dict[str, Any] = {}
    for name, value in inputs.items():
        if name in specs:
            is_dense = isinstance(specs[name], tf.TensorSpec)
            values[name] = tf.constant(value, specs[name].dtype) if is_dense else value
        else:
            values.update(_components(name, value))
    return function(**values)


def _components(name: str, value: Any) -> dict[str, tf.Tensor]:
    if isinstance(value, tf.SparseTensor):
        parts = ("indices", "values", "dense_shape")
        return {f"{name}_{part}": getattr(value, part) for part in parts}
    parts = [value.flat_values, *value.nested_row_splits]
    return {f"{name}_component_{k}": part for k, part in enumerate(parts)}


def _constants(inputs: dict[str, Any]) -> dict[str, Any]:
    return {k: tf.constant(v) if isinstance(v, np.ndarray) else v for k, v in inputs.items()}


@probe("call every signature of every variant of MODULES fixture modules")
def all_signatures(tool: Tool, _: Path) -> Outcome:
    """A module counts if all outputs are those of TensorFlow 1.15."""
    records = read_records(FIXTURES)
    failing = [name for name, record in records.items() if not _gives_all(tool, record)]
    if not failing:
        return yes()
    names = ", ".join(f"`{name}`" for name in failing)
    return partly(f"of {len(records) - len(failing)} modules; not of {names}")


def _gives_all(tool: Tool, record: Record) -> bool:
    for tags in record.tag_sets:
        for name in record.signatures(tags):
            try:
                loaded = tool.load(record.path, tags)  # anew, for a call may change variables
                found = _call(loaded.signatures[name], record.inputs(name))
                for key, value in record.outputs(tags, name).items():
                    assert_close(found[key], value, record.output_tolerance, key)
            except Exception:
                return False
    return True


@probe("call the module itself: `module(x)`")
def call_itself(tool: Tool, _: Path) -> Outcome:
    record = _record("text_table")
    (words,) = record.inputs("default").values()
    loaded = attempt(lambda: tool.load(record.path))
    expected = record.outputs([], "default")["default"]
    if callable(loaded):
        assert_close(loaded(tf.constant(words)), expected, record.output_tolerance, "default")
        return yes()
    if tool.name == "tensorflow":
        return no("what it returns is not callable")
    found = tool.find("KerasLayer")(record.path)(tf.constant(words))
    assert_close(found, expected, record.output_tolerance, "default")
    return partly("`hub.KerasLayer` is callable, what `hub.load` returns is not")


@probe("give numpy arrays and lists to a signature")
def plain_values(tool: Tool, _: Path) -> Outcome:
    record = _record("pets")
    loaded = tool.load(record.path)
    fruit = {name: value.tolist() for name, value in record.inputs("fruit_to_pet").items()}
    arrays = attempt(lambda: loaded.signatures["fruit_to_pet"](**record.inputs("fruit_to_pet")))
    lists = attempt(lambda: loaded.signatures["fruit_to_pet"](**fruit))
    assert_close(arrays["cats"], lists["cats"], record.output_tolerance, "cats")
    return yes()


@probe("leave out an input that has a default")
def defaults(tool: Tool, _: Path) -> Outcome:
    record = _record("hparams")
    loaded = tool.load(record.path)
    inputs = record.inputs("with_momentum")
    inputs.pop("batch_norm_momentum")
    attempt(lambda: _call(loaded.signatures["with_momentum"], inputs))
    return yes()


@probe("pass a SparseTensor")
def sparse(tool: Tool, _: Path) -> Outcome:
    return _composite(tool, "sparse_io")


@probe("pass a RaggedTensor")
def ragged(tool: Tool, _: Path) -> Outcome:
    return _composite(tool, "ragged_io")


def _composite(tool: Tool, name: str) -> Outcome:
    record = _record(name)
    loaded = attempt(lambda: tool.load(record.path))
    function = loaded.signatures["default"]
    inputs = record.inputs("default")
    found = attempt(lambda: _call(function, inputs))
    for key, value in record.outputs([], "default").items():
        assert_close(found[key], value, record.output_tolerance, key)
    taken = function.structured_input_signature[1]
    if inputs.keys() <= taken.keys():
        return yes()
    name = min(taken.keys() - inputs.keys())
    return partly(f"by its components, such as `{name}`")


@probe("use tables and assets, of a module that has moved")
def tables(tool: Tool, folder: Path) -> Outcome:
    record = _record("text_table")
    moved = Path(tempfile.mkdtemp(dir=folder)) / "moved"
    shutil.copytree(record.path, moved)
    loaded = attempt(lambda: tool.load(str(moved)))
    found = _call(loaded.signatures["default"], record.inputs("default"))
    expected = record.outputs([], "default")["default"]
    assert_close(found["default"], expected, record.output_tolerance, "default")
    return yes()


@probe("read attached messages, such as the image size")
def attachments(tool: Tool, _: Path) -> Outcome:
    loaded = tool.load(_record("image_bn").path)
    size = attempt(lambda: tool.find("get_expected_image_size")(loaded))
    assert len(size) == 2
    return yes()


# Train


@probe("read and assign variables")
def variables(tool: Tool, _: Path) -> Outcome:
    record = _record("pets")
    loaded = tool.load(record.path)
    found = _by_name(loaded)
    for name, value in record.variables(0).items():
        assert_close(found[name].numpy(), value, 0, name)
    before = loaded.signatures["fruit_to_pet"](**_constants(_FRUIT))["cats"]
    found["cats/bias"].assign_add(tf.ones_like(found["cats/bias"]))
    after = loaded.signatures["fruit_to_pet"](**_constants(_FRUIT))["cats"]
    assert_close(after - before, np.ones_like(before), 1e-5, "cats")
    return yes()


@probe("tell which variables train")
def trainable_variables(tool: Tool, _: Path) -> Outcome:
    record = _record("pets")
    loaded = tool.load(record.path)
    assert record.train is not None
    expected = {name.removeprefix("module/") for name in record.train["trainable"]}
    found = {v.name.partition(":")[0] for v in getattr(loaded, "trainable_variables", ())}
    if found == expected:
        return yes()
    flagged = {name for name, v in _by_name(loaded).items() if v.trainable}
    if flagged == expected:
        return partly("what it returns has no `trainable_variables`; `v.trainable` tells")
    return no("what it returns has no `trainable_variables`, and `v.trainable` is wrong")


@probe("reference variables of TensorFlow 1")
def reference_variables(tool: Tool, _: Path) -> Outcome:
    record = _record("reference")
    loaded = tool.load(record.path)
    found = attempt(lambda: _call(loaded.signatures["default"], record.inputs("default")))
    expected = record.outputs([], "default")["default"]
    assert_close(found["default"], expected, record.output_tolerance, "default")
    there = {v.name.partition(":")[0] for v in loaded.variables}
    return (
        yes()
        if there == set(record.variables(0))
        else partly("it calls the module; the reference variables are not among `variables`")
    )


@probe("variables shared by the inference and the training variant")
def shared_variables(tool: Tool, _: Path) -> Outcome:
    path = _record("pets").path
    if tool.name == "compat_hub":
        module = tool.load(path)
        before = module(_FRUIT, signature="fruit_to_pet", as_dict=True)["cats"]
        module(_FRUIT, signature="fruit_to_pet", as_dict=True, training=True)
        after = module(_FRUIT, signature="fruit_to_pet", as_dict=True)["cats"]
        assert np.abs(after - before).max() > 0
        return yes()
    inference, train = tool.load(path), tool.load(path, ["train"])
    _by_name(train)["cats/bias"].assign(tf.zeros([2]) + 7.0)
    assert not (_by_name(inference)["cats/bias"].numpy() == 7.0).any()
    return no("each variant is loaded with variables of its own")


@probe("gradients of dense and convolution layers")
def gradients_of_layers(tool: Tool, _: Path) -> Outcome:
    return _gradients(tool, "gradient_conv")


@probe("gradients through a loop (`tf.while_loop`, `dynamic_rnn`)")
def gradients_of_loops(tool: Tool, _: Path) -> Outcome:
    return _gradients(tool, "while_captures")


@probe("gradients through a conditional (`tf.cond`)")
def gradients_of_conditionals(tool: Tool, _: Path) -> Outcome:
    return _gradients(tool, "cond")


def _gradients(tool: Tool, name: str) -> Outcome:
    """A step of SGD with the gradients of a tape is the step that TensorFlow 1.15 made."""
    record = _record(name)
    train = record.train
    assert train is not None
    assert not train["reg"] + train["update_ops"]
    loaded = tool.load(record.path, train["tags"])
    trained = [n.removeprefix("module/") for n in train["trainable"]]
    found = _by_name(loaded)
    function = loaded.signatures[train["signature"]]
    inputs = record.inputs(train["signature"])

    def step() -> None:
        with tf.GradientTape() as tape:
            outputs = _call(function, inputs)
            loss = tf.add_n([tf.reduce_sum(outputs[n] ** 2) for n in train["outputs"]])
        values = tape.gradient(loss, [found[n] for n in trained], unconnected_gradients="zero")
        for key, gradient in zip(trained, values, strict=True):
            found[key].assign_sub(train["learning_rate"] * tf.convert_to_tensor(gradient))

    attempt(step)
    for key, value in record.variables(1).items():
        assert_close(value_of(found[key]), value, record.step_tolerance, key)
    return yes()


@probe('call the `{"train"}` variant with its update ops')
def update_ops(tool: Tool, _: Path) -> Outcome:
    """The batch's statistics are used, and the moving averages move."""
    record = _record("pets")
    fruit = {name: np.concatenate([v, 2 * v]) for name, v in _FRUIT.items()}
    loaded = tool.load(record.path, ["train"])
    mean = _by_name(loaded)["features/norm/moving_mean"]
    before = mean.numpy()
    if tool.name == "compat_hub":
        found = loaded(fruit, signature="fruit_to_pet", as_dict=True, training=True)
    else:
        found = _call(loaded.signatures["fruit_to_pet"], fruit)
    inference = _call(tool.load(record.path).signatures["fruit_to_pet"], fruit)
    assert np.abs(found["cats"] - inference["cats"]).max() > 1e-3
    if np.abs(mean - before).max() > 0:
        return yes()
    return partly('it calls the variant with `tags=["train"]`, and runs no update ops')


@probe("regularization losses")
def regularization_losses(tool: Tool, _: Path) -> Outcome:
    record = _record("pets")
    losses = member(tool.load(record.path), "regularization_losses")
    assert record.train is not None
    assert len(losses) == record.train["reg"]
    return yes()


@probe("fine-tune in tf_keras: a layer, in `fit`")
def fine_tunes(tool: Tool, _: Path) -> Outcome:
    before, after, _losses = _fit(tool, _record("pets").path)
    assert np.abs(before["cats/kernel"] - after["cats/kernel"]).max() > 0
    return yes()


@probe('the `{"train"}` variant and its update ops in `fit`')
def train_variant(tool: Tool, _: Path) -> Outcome:
    before, after, _losses = _fit(tool, _record("pets").path)
    name = "features/norm/moving_mean"
    assert np.abs(before[name] - after[name]).max() > 0
    return yes()


@probe("regularization losses in `fit`")
def losses_in_fit(tool: Tool, _: Path) -> Outcome:
    assert _fit(tool, _record("pets").path)[2] == 3
    return yes()


def _fit(tool: Tool, path: str) -> tuple[dict[str, Any], dict[str, Any], int]:
    """The variables before and after a fit, and how many losses the layer has."""
    import tf_keras

    layer_class = tool.find("keras2.KerasLayer" if tool.name == "compat_hub" else "KerasLayer")
    arguments: dict[str, Any] = {"signature": "fruit_to_pet", "signature_outputs_as_dict": True}
    if tool.name != "compat_hub":
        arguments["tags"] = []
    layer = attempt(lambda: layer_class(path, trainable=True, **arguments))
    attempt(lambda: layer(_constants(_FRUIT)))
    fruit = {k: tf_keras.Input(v.shape[1:], name=k) for k, v in _FRUIT.items()}
    model = tf_keras.Model(fruit, layer(fruit)["cats"])
    before = {name: v.numpy() for name, v in _by_name(layer).items()}
    model.compile("sgd", "mse")
    attempt(lambda: model.fit(_FRUIT, np.ones([1, 2]), verbose=0))
    return before, {name: v.numpy() for name, v in _by_name(layer).items()}, len(layer.losses)


@probe("a layer for Keras 3")
def keras_3(tool: Tool, _: Path) -> Outcome:
    import keras

    name = "keras3.KerasLayer" if tool.name == "compat_hub" else "KerasLayer"
    layer_class = tool.find(name)
    layer = layer_class(_record("text_table").path)
    attempt(lambda: keras.Sequential([layer, keras.layers.Dense(1)]))
    return yes()


@probe("fine-tune a Reusable SavedModel of TensorFlow 2 in tf_keras")
def reusable_saved_models(tool: Tool, folder: Path) -> Outcome:
    import tf_keras

    path = str(folder / "converted")
    if tool.name == "tensorflow":
        loaded = tool.package.load(path)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(loaded(_constants(_FRUIT), training=True)["cats"])
        assert any(g is not None for g in tape.gradient(loss, loaded.trainable_variables))
        return partly("there is no layer; what it returns is called and trained under a tape")
    name = "keras2.KerasLayer" if tool.name == "compat_hub" else "KerasLayer"
    layer = attempt(lambda: tool.find(name)(path, trainable=True))
    fruit = {k: tf_keras.Input(v.shape[1:], name=k) for k, v in _FRUIT.items()}
    model = tf_keras.Model(fruit, layer(fruit)["cats"])
    model.compile("sgd", "mse")
    before = [w.numpy() for w in layer.trainable_weights]
    attempt(lambda: model.fit(_FRUIT, np.ones([1, 2]), verbose=0))
    after = [w.numpy() for w in layer.trainable_weights]
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
    assert len(layer.losses) == 3
    return yes()


# Leave


@probe("export in TF1 Hub format")
def exports(tool: Tool, folder: Path) -> Outcome:
    path = Path(tempfile.mkdtemp(dir=folder)) / "exported"
    attempt(lambda: member(tool.load(_record("pets").path), "export")(str(path)))
    assert (path / "tfhub_module.pb").exists()
    return yes()


@probe("convert to a Reusable SavedModel of TensorFlow 2")
def converts(tool: Tool, folder: Path) -> Outcome:
    path = str(Path(tempfile.mkdtemp(dir=folder)) / "converted")
    source = _record("pets").path
    if tool.name == "compat_hub":
        tool.package.convert(source, path, signatures=["fruit_to_pet"])
        again = tf.saved_model.load(path)
        assert len(again.regularization_losses) == 3
        assert len(again.trainable_variables) == 8
        assert again(_constants(_FRUIT), training=True).keys() == {"cats", "dogs"}
        return yes()
    loaded = tool.load(source)
    signatures = dict(loaded.signatures)
    attempt(lambda: tf.saved_model.save(loaded, path, signatures=signatures))
    again = tf.saved_model.load(path)
    wanted = ("regularization_losses", "trainable_variables")
    missing = [name for name in wanted if not hasattr(again, name)]
    assert missing
    assert not callable(again)
    return partly("`tf.saved_model.save` writes the signatures; no call, nothing to train")


# Programs of TensorFlow 1


@probe("run programs with `hub.Module`")
def hub_module(tool: Tool, _: Path) -> Outcome:
    module_class = tool.find("Module")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        module = module_class(_record("pets").path)
        cats = module(_FRUIT, signature="fruit_to_pet", as_dict=True)["cats"]
        session.run(tf.compat.v1.global_variables_initializer())
        assert session.run(cats).shape == (1, 2)
    return yes()


@probe("run a TF1 program with `tf.layers`")
def layers_of_tf1(tool: Tool, _: Path) -> Outcome:
    module_class, tf1 = tool.find("Module"), tool.find("tf1")
    with tf1.Graph().as_default(), tf1.Session() as session:
        logits = tf1.layers.dense(module_class(_record("pets").path)(np.ones([1, 7])), 3)
        session.run(tf1.global_variables_initializer())
        assert session.run(logits).shape == (1, 3)
    return yes()


@probe("run a TF1 program with an Estimator")
def estimators_of_tf1(tool: Tool, folder: Path) -> Outcome:
    column = tool.find("text_embedding_column")("text", _record("nnlm").path)
    tf1 = tool.find("tf1")
    classifier = tf1.estimator.DNNClassifier([3], [column], tempfile.mkdtemp(dir=folder))
    input_fn = tf1.estimator.inputs.numpy_input_fn(
        {"text": np.array(["a cat", "a dog"])}, np.array([0, 1]), num_epochs=None, shuffle=False
    )
    classifier.train(input_fn, steps=2)
    assert classifier.evaluate(input_fn, steps=1)["global_step"] == 2
    return yes()


@probe("make modules: `hub.create_module_spec`")
def authoring(tool: Tool, folder: Path) -> Outcome:
    create = tool.find("create_module_spec")

    def module_fn() -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None])
        tool.find("add_signature")(inputs=x, outputs=2 * x)

    spec = create(module_fn)
    path = Path(tempfile.mkdtemp(dir=folder)) / "made"
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tool.find("Module")(spec).export(str(path), session)
    assert tool.load(str(path))([1.0]).numpy().tolist() == [2.0]
    return yes()


@probe("feature columns: `hub.text_embedding_column_v2`")
def feature_columns(tool: Tool, _: Path) -> Outcome:
    import tf_keras

    column = tool.find("text_embedding_column_v2")("text", _record("text_table").path)
    layer = tf_keras.layers.DenseFeatures([column])
    (words,) = _record("text_table").inputs("default").values()
    attempt(lambda: layer({"text": tf.constant(words)}))
    return yes()


# Figures, which are in the record, and which no test compares


@probe("load and first call of the fixture `elmo`")
def load_time(tool: Tool, _: Path) -> Outcome:
    """The median of five processes."""
    code = f"from tests.comparison.probes import *; print(seconds_of_load({tool.name!r}))"
    command = [sys.executable, "-c", code]
    times = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _turn in range(5)
    ]
    return Outcome(f"{statistics.median(times):.2f} s")


def seconds_of_load(name: str) -> float:
    """How long it takes after another module has been loaded."""
    tool = Tool(name)
    signature(tool, FIXTURES)
    record = _record("elmo")
    inputs = record.inputs("default")
    start = time.perf_counter()
    _call(tool.load(record.path).signatures["default"], inputs)
    return time.perf_counter() - start


@probe("size of the package, besides what it needs")
def size(tool: Tool, _: Path) -> Outcome:
    if tool.name == "tensorflow":
        return Outcome("none", "it is in TensorFlow")
    (folder,) = tool.package.__path__
    files = [p for p in Path(folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    return Outcome(f"{sum(p.stat().st_size for p in files) / 1e6:.1f} MB")


@probe("packages it needs that TensorFlow and tf_keras do not")
def dependencies(tool: Tool, _: Path) -> Outcome:
    if tool.name == "tensorflow":
        return Outcome("none")
    extra = _needs(tool.name) - {tool.name} - _needs("tensorflow") - _needs("tf_keras")
    return Outcome(", ".join(sorted(extra)) or "none")


def _needs(package: str) -> set[str]:
    """A package and all that it needs, by normalized names."""
    found, pending = set(), [package]
    while pending:
        name = re.sub(r"[-_.]+", "_", pending.pop()).lower()
        if name in found:
            continue
        found.add(name)
        for requirement in importlib.metadata.requires(name) or ():
            needed, _, marker = requirement.partition(";")
            if "extra ==" not in marker and "sys_platform" not in marker:
                pending.append(re.match(r"[\w.-]+", needed.strip()).group())
    return found


FIGURES = frozenset({"load_time", "size", "dependencies"})


def find(tool: Tool, row: str, folder: Path) -> Outcome:
    """What the probe of a row finds with a tool."""
    try:
        return PROBES[row](tool, folder)
    except UnableError as error:
        return no(str(error))
