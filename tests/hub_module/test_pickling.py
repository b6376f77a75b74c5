"""Modules, descriptions and layers through pickle and deepcopy, and in forked processes."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import compat_hub
from compat_hub import keras2, keras3
from tests.authoring import write_module
from tests.records import FIXTURES, Record, assert_close

FRUIT = str(FIXTURES / "fruit/module")
X = np.random.default_rng(0).normal(size=[2, 5]).astype("float32")
ROOT = Path(__file__).parents[2]


def _pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


WAYS = pytest.mark.parametrize("way", [_pickled, copy.deepcopy], ids=["pickle", "deepcopy"])


def test_a_description_is_read_again() -> None:
    spec = compat_hub.load_module_spec(FRUIT, allow_host_access=True)
    again = _pickled(spec)
    assert again is spec  # as if it were read by its handle
    data = pickle.dumps(spec)
    assert len(data) < 1000
    assert copy.deepcopy(spec) is spec


def test_a_description_whose_folder_is_elsewhere_now(copy_of) -> None:
    copied = copy_of("fruit")
    data = pickle.dumps(compat_hub.load_module_spec(copied.path))
    copied.folder.rename(copied.folder.with_name("moved"))
    with pytest.raises(compat_hub.ResolveError, match="which does not exist"):
        pickle.loads(data)


@WAYS
def test_a_description_that_is_in_no_folder(way: Callable[[Any], Any]) -> None:
    def module_fn() -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 2])
        compat_hub.add_signature(inputs=x, outputs=2.0 * x)

    spec = compat_hub.create_module_spec(module_fn)
    again = way(spec)
    assert again.handle == spec.handle
    np.testing.assert_array_equal(compat_hub.load(again)([[1.0, 2.0]]), [[2.0, 4.0]])


@WAYS
@pytest.mark.parametrize("fixture", ["fruit", "partitioned", "text_table", "bfloat16", "cond"])
def test_a_module(fixture: str, way: Callable[[Any], Any]) -> None:
    record = Record(FIXTURES / fixture)
    again = way(compat_hub.load(record.path))
    for signature in record.signatures([]):
        outputs = again(record.inputs(signature), signature, as_dict=True)
        for name, expected in record.outputs([], signature).items():
            assert_close(outputs[name], expected, record.output_tolerance, name)


@WAYS
def test_a_module_takes_its_values_along(way: Callable[[Any], Any]) -> None:
    module = compat_hub.load(FRUIT, tags=[])
    bias = module.variable_map["cats/bias"]
    bias.assign([3.0, 4.0])
    again = way(module)
    assert again.tags == set()
    assert again.variable_map["cats/bias"].numpy().tolist() == [3.0, 4.0]
    bias.assign([5.0, 6.0])
    assert again.variable_map["cats/bias"].numpy().tolist() == [3.0, 4.0]


@WAYS
def test_a_module_takes_the_content_of_tables_along(
    way: Callable[[Any], Any], tmp_path: Path
) -> None:
    def build() -> Any:
        key = tf.compat.v1.placeholder(tf.string, [None])
        table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
        with tf.control_dependencies([table.insert(key, tf.ones_like(key, tf.int64))]):
            size = tf.identity(table.size())
        return {"default": ({"key": key}, {"default": size})}

    module = compat_hub.load(write_module(tmp_path / "module", none=build))
    assert module(["a", "b"]).numpy() == 2
    again = way(module)
    assert again(["c"]).numpy() == 3
    assert module(["a"]).numpy() == 2


def test_a_module_of_a_graph_says_why_not() -> None:
    with tf.Graph().as_default():
        module = compat_hub.load(FRUIT)
        with pytest.raises(compat_hub.GraphError, match="whose session has the values"):
            pickle.dumps(module)


@WAYS
@pytest.mark.parametrize("layer_class", [keras2.KerasLayer, keras3.KerasLayer])
def test_a_layer(layer_class: Any, way: Callable[[Any], Any]) -> None:
    layer = layer_class(FRUIT, trainable=True, name="hub")
    layer(X)
    layer.resolved_object.variable_map["from_apples"].assign_add(tf.ones([4, 5]))
    again = way(layer)
    assert (again.name, again.trainable) == ("hub", True)
    np.testing.assert_allclose(again(X), layer(X), rtol=1e-6)
    assert again.resolved_object is not layer.resolved_object
    assert len(again.trainable_weights) == len(layer.trainable_weights)


@WAYS
@pytest.mark.parametrize(
    ("library", "layer_class"), [(tf_keras, keras2.KerasLayer), (keras, keras3.KerasLayer)]
)
def test_a_model(library: Any, layer_class: Any, way: Callable[[Any], Any]) -> None:
    model = library.Sequential([layer_class(FRUIT), library.layers.Dense(2)])
    model(X)
    np.testing.assert_allclose(way(model)(X), model(X), rtol=1e-6)


def test_a_layer_without_a_config_says_why_not() -> None:
    layer = keras2.KerasLayer(compat_hub.create_module_spec(_twice))
    with pytest.raises(compat_hub.ConfigError, match="is on a module that is in no folder"):
        pickle.dumps(layer)


def _twice() -> None:
    x = tf.compat.v1.placeholder(tf.float32, [None, 2])
    compat_hub.add_signature(inputs=x, outputs=2.0 * x)


# Processes ----------------------------------------------------------------------------------------


def _run(program: str) -> str:
    start = "import os, sys, tensorflow as tf, compat_hub\n"
    done = subprocess.run(
        [sys.executable, "-c", start + textwrap.dedent(program), FRUIT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_forked_process_is_told_what_to_do() -> None:
    found = _run(
        """
        module = compat_hub.load(sys.argv[1])
        module(tf.ones([2, 5]))
        uses = [
            lambda: module(tf.ones([2, 5])),
            lambda: module(tf.ones([2, 5]).numpy(), as_dict=True),
            module.regularization_losses[0],
            tf.function(lambda: module(tf.ones([2, 5]))),
            lambda: compat_hub.load(sys.argv[1]),
            lambda: compat_hub.KerasLayer(sys.argv[1]),
        ]
        child = os.fork()
        if child == 0:
            for use in uses:
                try:
                    use()
                except compat_hub.GraphError as error:
                    print(error, flush=True)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """
    )
    assert found.count("forked from one that had used TensorFlow") == 6
    assert found.count("compat_hub.load() in the child") == 6


def test_what_works_in_a_forked_process() -> None:
    found = _run(
        """
        first = os.fork()
        if first == 0:  # before anything of TensorFlow runs
            print(compat_hub.load(sys.argv[1])(tf.ones([2, 5])).shape, flush=True)
            os._exit(0)
        assert os.waitpid(first, 0)[1] == 0
        compat_hub.load(sys.argv[1])(tf.ones([2, 5]))
        second = os.fork()
        if second == 0:
            print(compat_hub.load_module_spec(sys.argv[1]).get_signature_names(), flush=True)
            os._exit(0)
        assert os.waitpid(second, 0)[1] == 0
        """
    )
    assert found.startswith("(2, ")
    assert "['default', 'fruit_to_pet']" in found
