from __future__ import annotations

import gc
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import variable_pb2

import compat_hub
from tests.authoring import write_module
from tests.copies import node
from tests.records import FIXTURES, Record, value_of


def _load(fixture: str, tags: object = None) -> compat_hub.HubModule:
    return compat_hub.load(FIXTURES / fixture / "module", tags)


def test_a_variable_that_several_variants_have_is_one() -> None:
    module = _load("aux_variant")
    assert sorted(v.name for v in module.variables) == [
        "aux/bias:0",
        "aux/kernel:0",
        "top/bias:0",
        "top/kernel:0",
        "trunk/bias:0",
        "trunk/kernel:0",
    ]
    assert len({v.ref() for v in module.variables}) == 6


@pytest.mark.parametrize(
    ("tags", "layers"),
    [([], ["top", "trunk"]), (["gpu", "small"], ["trunk"]), ("train", ["aux", "top", "trunk"])],
)
def test_a_variant_that_is_asked_for_brings_only_its_variables(tags, layers: list[str]) -> None:
    names = {v.name.partition("/")[0] for v in _load("aux_variant", tags).variables}
    assert sorted(names) == layers


def test_all_variants_read_and_write_the_same_variable() -> None:
    module = _load("hparams")
    x = np.random.default_rng(0).normal(size=[8, 5]).astype("float32")
    before = module({"x": x})
    module.variable_map["gamma"].assign_add([1.0] * 5)
    assert not np.allclose(module({"x": x}), before)
    moving_mean = module.variable_map["moving_mean"].numpy()
    module({"x": x}, training=True)
    expected = 0.9 * moving_mean + 0.1 * x.mean(0)
    np.testing.assert_allclose(module.variable_map["moving_mean"], expected, rtol=1e-5)


def test_variables_are_those_of_the_checkpoint_in_the_order_of_the_graph() -> None:
    module = _load("fruit")
    assert [v.name for v in module.variables] == [
        "from_apples:0",
        "from_oranges:0",
        "cats/kernel:0",
        "cats/bias:0",
        "dogs/kernel:0",
        "dogs/bias:0",
    ]
    assert list(module.variable_map) == [v.name.removesuffix(":0") for v in module.variables]
    assert all(isinstance(v, tf.Variable) and v.trainable for v in module.variables)


def test_a_variable_that_some_variant_trains_is_trainable(copy_of) -> None:
    copy = copy_of("image_bn")
    with copy.saved_model() as saved_model:
        del saved_model.meta_graphs[0].collection_def["trainable_variables"]
    module = compat_hub.load(copy.path)
    assert len(module.trainable_variables) == 8
    assert all(v.trainable for v in module.trainable_variables)
    assert not any(v.trainable for v in module.non_trainable_variables)
    assert not compat_hub.load(copy.path, tags=[]).trainable_variables


def test_a_partitioned_variable_is_a_list_of_its_parts_in_order() -> None:
    module = _load("partitioned")
    parts = module.variable_map["outer/inner/weights"]
    assert isinstance(parts, list)
    assert [p.name for p in parts] == [f"outer/inner/weights/part_{k}:0" for k in range(3)]
    assert [p.shape.as_list() for p in parts] == [[3, 4], [2, 4], [2, 4]]
    assert isinstance(module.variable_map["whole"], tf.Variable)
    ids = {id(v) for v in module.variables}
    assert all(id(p) in ids for p in parts)


def test_parts_are_put_in_order_whatever_the_order_of_the_collection(copy_of) -> None:
    copy = copy_of("partitioned")
    with copy.meta_graph() as meta_graph:
        values = meta_graph.collection_def["variables"].bytes_list.value
        backwards = list(values)[::-1]
        del values[:]
        values.extend(backwards)
    parts = compat_hub.load(copy.path).variable_map["outer/inner/weights"]
    assert [p.name[-3:] for p in parts] == ["0:0", "1:0", "2:0"]


def test_every_dtype() -> None:
    module = _load("dtypes")
    for name in ("float16", "float64", "int32", "int64", "uint8", "complex64", "bool"):
        assert module.variable_map[f"of_{name}"].dtype.name == name
    assert _load("bfloat16").variable_map["weights"].dtype == tf.bfloat16


# The graphs' initializers have seeds of their own. The checkpoints hold what they gave, moved by a
# normal variate times 0.05, and variances by a factor of about 1.
@pytest.mark.parametrize(
    "fixture",
    ["image_bn", "partitioned", "reference_partitioned", "ema", "dtypes", "cond_bn", "text_table"],
)
def test_without_a_checkpoint_the_initializers_run_on_request(fixture: str, copy_of) -> None:
    copy = copy_of(fixture)
    shutil.rmtree(copy.file("variables"))
    with pytest.raises(compat_hub.CheckpointError, match="checkpoint is missing"):
        compat_hub.load(copy.path)
    module = compat_hub.load(copy.path, missing="initial")
    expected = Record(FIXTURES / fixture).variables(0)
    assert expected.keys() == module.variable_map.keys()
    moved = 0
    for name, value in expected.items():
        found = value_of(module.variable_map[name])
        assert (found.dtype, found.shape) == (value.dtype, value.shape)
        if value.dtype.kind not in "fc":
            np.testing.assert_array_equal(found, value)
            continue
        tolerance = 1.2 if "variance" in name else 0.25
        np.testing.assert_allclose(found, value, rtol=0, atol=tolerance)
        moved += not np.array_equal(found, value)
    assert moved


def test_initial_values_that_need_other_variables(copy_of) -> None:
    copy = copy_of("ema")
    shutil.rmtree(copy.file("variables"))
    values = compat_hub.load(copy.path, missing="initial").variable_map
    average = values["weights/ExponentialMovingAverage"]
    np.testing.assert_array_equal(average, values["weights"])
    assert np.std(average) > 0.1


def _initialized(variable: tf.Variable) -> tf.Tensor:
    return tf.cond(
        tf.compat.v1.is_variable_initialized(variable),
        variable.read_value,
        lambda: variable.initial_value,
    )


def test_initial_values_that_need_variables_which_come_later(tmp_path: Path) -> None:
    def build():
        x = tf.compat.v1.placeholder(tf.float32, [], "x")
        first = tf.compat.v1.get_variable("first", initializer=2.0, use_resource=True)
        after_first = _initialized(first) + 1.0
        second = tf.compat.v1.get_variable("second", initializer=after_first, use_resource=True)
        after_second = _initialized(second) * 2.0
        third = tf.compat.v1.get_variable("third", initializer=after_second, use_resource=True)
        tf.compat.v1.get_collection_ref(tf.compat.v1.GraphKeys.GLOBAL_VARIABLES).reverse()
        return {"default": ({"x": x}, {"default": x + first + second + third})}

    path = write_module(tmp_path / "module", none=build)
    shutil.rmtree(Path(path) / "variables")
    module = compat_hub.load(path, missing="initial")
    assert {n: v.numpy() for n, v in module.variable_map.items()} == {
        "third": 6.0,
        "second": 3.0,
        "first": 2.0,
    }
    assert module(1.0) == 12.0


def test_initial_values_that_cannot_be(copy_of) -> None:
    copy = copy_of("fruit")
    shutil.rmtree(copy.file("variables"))
    with copy.meta_graph() as meta_graph:
        node(meta_graph, "from_apples/Initializer/random_uniform").input[0] = "apples"
    with pytest.raises(compat_hub.ModuleFormatError, match=r"'from_apples'.*a placeholder"):
        compat_hub.load(copy.path, missing="initial")


def test_initial_values_of_another_shape(copy_of) -> None:
    copy = copy_of("fruit")
    shutil.rmtree(copy.file("variables"))
    with copy.meta_graph() as meta_graph:
        values = meta_graph.collection_def["variables"].bytes_list.value
        found = [variable_pb2.VariableDef.FromString(value) for value in values]
        names = [v.variable_name for v in found]
        of_bias = found[names.index("cats/bias:0")].initial_value_name
        changed = found[names.index("cats/kernel:0")]
        changed.initial_value_name = of_bias
        values[names.index("cats/kernel:0")] = changed.SerializeToString()
    with pytest.raises(
        compat_hub.ModuleFormatError, match=r"'cats/kernel' is float32 \(2,\), expected .*\(5, 2\)"
    ):
        compat_hub.load(copy.path, missing="initial")


def test_an_argument_that_is_none(fixture_path) -> None:
    with pytest.raises(compat_hub.InputTypeError, match="'error' or 'initial', found 'zeros'"):
        compat_hub.load(fixture_path("fruit"), missing="zeros")  # type: ignore[arg-type]


def test_no_variables_at_all() -> None:
    module = _load("no_variables")
    assert module.variables == module.trainable_variables == ()
    assert module.variable_map == {}
    np.testing.assert_allclose(module([2.0]), [3.0])


def test_state_is_made_outside_of_the_function_around(fixture_path) -> None:
    made = []

    @tf.function
    def call(x: tf.Tensor) -> tf.Tensor:
        if not made:
            made.append(compat_hub.load(fixture_path("fruit")))
        return made[0](x)

    x = tf.ones([2, 5])
    expected = _load("fruit")(x)
    np.testing.assert_allclose(call(x), expected, rtol=1e-6)
    np.testing.assert_array_equal(made[0].variables[0], _load("fruit").variables[0])


def test_a_module_that_is_gone_leaves_nothing_behind() -> None:
    module = _load("image_bn")
    module(np.zeros([1, 8, 8, 3], "float32"))
    variables = [weakref.ref(v) for v in module.variables]
    del module
    gc.collect()
    assert all(variable() is None for variable in variables)


@pytest.mark.parametrize("is_filled", [False, True])
def test_a_table_that_is_filled_from_a_queue(tmp_path: Path, is_filled: bool) -> None:
    """Nothing else fills the queue, so that `load` would wait for ever."""

    def build() -> Any:
        v1: Any = tf.compat.v1
        x = v1.placeholder(tf.string, [None], "x")
        queue: Any = tf.queue.FIFOQueue(4, [tf.string], shapes=[[]])
        fill = [queue.enqueue("a")] if is_filled else []
        with tf.control_dependencies(fill):
            keys = queue.dequeue_many(1)
        ops: Any = tf.raw_ops
        table = ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
        values = tf.constant([7], tf.int64)
        initializer = ops.InitializeTableV2(table_handle=table, keys=keys, values=values)
        v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, initializer)
        found = ops.LookupTableFindV2(
            table_handle=table, keys=x, default_value=tf.constant(-1, tf.int64)
        )
        return {"default": ({"x": x}, {"default": found})}

    path = write_module(tmp_path / "module", none=build)
    if is_filled:
        assert compat_hub.load(path)(["a", "b"]).numpy().tolist() == [7, -1]
        return
    with pytest.raises(compat_hub.ModuleFormatError, match=r"QueueDequeueManyV2.*waits for"):
        compat_hub.load(path)
