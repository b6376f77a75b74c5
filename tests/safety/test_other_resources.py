"""What other parts of a program hold stays out of a module's reach, whatever names it knows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from tests.authoring import write_module

v1 = tf.compat.v1
SECRET = "what another model has"
X = np.ones([2], np.float32)


def _module(folder: Path, read: Callable[[], tf.Tensor], where: str) -> str:
    """A module whose output is what `read` gives, in the graph, a function or a dataset."""

    def build() -> Any:
        x = v1.placeholder(tf.float32, [None], "x")
        if where == "graph":
            y = read()
        elif where == "function":
            y = tf.function(read, autograph=False)()
        else:
            dataset = tf.data.Dataset.range(1).map(lambda _: read())
            y = v1.data.make_one_shot_iterator(dataset).get_next()
        return {"default": ({"x": x}, {"default": y})}

    return str(write_module(folder / "module", none=build))


def _keys_of(name: str, is_old: bool = False) -> Callable[[], tf.Tensor]:
    """Reads the keys of the table of that name."""

    def read() -> tf.Tensor:
        ops: Any = tf.raw_ops
        if is_old:
            table = ops.MutableHashTable(
                key_dtype=tf.string, value_dtype=tf.int64, shared_name=name
            )
            return ops.LookupTableExport(table_handle=table, Tkeys=tf.string, Tvalues=tf.int64)[0]
        table = ops.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name=name)
        return ops.LookupTableExportV2(table_handle=table, Tkeys=tf.string, Tvalues=tf.int64)[0]

    return read


def _result(call: Callable[[], Any]) -> str:
    """What a call gives, or why it does not."""
    try:
        return str(call())
    except (compat_hub.HubError, tf.errors.OpError) as error:
        return str(error)


@pytest.mark.parametrize("where", ["graph", "function", "dataset"])
def test_tables_of_the_program(tmp_path: Path, where: str) -> None:
    table: Any = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    table.insert([SECRET], [1])
    path = _module(tmp_path, _keys_of(table._shared_name), where)
    module = compat_hub.load(path)
    assert SECRET not in _result(lambda: module(X))
    module.save(str(tmp_path / "saved"))
    again: Any = tf.saved_model.load(str(tmp_path / "saved"))
    assert SECRET not in _result(lambda: again(X))


@pytest.mark.parametrize("where", ["graph", "function", "dataset"])
def test_tables_in_a_graph(tmp_path: Path, where: str) -> None:
    path = _module(tmp_path, _keys_of("private"), where)
    with tf.Graph().as_default(), v1.Session() as session:
        ops: Any = tf.raw_ops
        table = ops.MutableHashTableV2(
            key_dtype=tf.string, value_dtype=tf.int64, shared_name="private"
        )
        one = tf.constant([1], tf.int64)
        session.run(ops.LookupTableInsertV2(table_handle=table, keys=[SECRET], values=one))
        y = compat_hub.Module(path)(X)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        assert SECRET not in _result(lambda: session.run(y))


def test_variables_in_a_graph(tmp_path: Path) -> None:
    def read() -> tf.Tensor:
        handle = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="private/w")
        return tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)

    path = _module(tmp_path, read, "dataset")
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("private/w", initializer=7919.0, use_resource=True)
        y = compat_hub.Module(path)(X)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        assert "7919" not in _result(lambda: session.run(y))


def test_one_name_is_one_resource_within_a_module(tmp_path: Path) -> None:
    def read() -> tf.Tensor:
        ops: Any = tf.raw_ops
        first, second = (
            ops.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name="own")
            for _ in range(2)
        )
        one = tf.constant([1], tf.int64)
        insert = ops.LookupTableInsertV2(table_handle=first, keys=["own"], values=one)
        with tf.control_dependencies([insert]):
            return ops.LookupTableExportV2(table_handle=second, Tkeys=tf.string, Tvalues=tf.int64)[
                0
            ]

    module = compat_hub.load(_module(tmp_path, read, "function"))
    assert module(X).numpy().tolist() == [b"own"]


@pytest.mark.parametrize(
    "read",
    [
        lambda: tf.raw_ops.GetSessionTensor(handle="GetSessionHandle;0;", dtype=tf.float32),
        lambda: tf.raw_ops.IteratorGetNext(
            iterator=tf.raw_ops.IteratorFromStringHandleV2(string_handle="_1_OneShotIterator"),
            output_types=[tf.float32],
            output_shapes=[[]],
        )[0],
    ],
    ids=["tensor of the session", "iterator"],
)
@pytest.mark.parametrize("where", ["graph", "dataset"])
def test_names_as_values(tmp_path: Path, read: Callable[[], tf.Tensor], where: str) -> None:
    path = _module(tmp_path, read, where)
    with pytest.raises(compat_hub.HubError, match="what other parts of the program hold"):
        compat_hub.load(path)(X)
    with tf.Graph().as_default(), pytest.raises(compat_hub.HubError, match="other parts"):
        compat_hub.Module(path)(X)


def test_calls_that_run_together(tmp_path: Path) -> None:
    def write(name: str, is_reversed: bool) -> str:
        def build() -> Any:
            x = v1.placeholder(tf.float32, [None, 1], "x")

            def body(x: tf.Tensor) -> tf.Tensor:
                return tf.reverse(x, [0]) if is_reversed else 1.0 * x

            batch: Any = tf.nondifferentiable_batch_function
            options = {"allowed_batch_sizes": [2], "max_enqueued_batches": 10}
            y = batch(1, 2, 500_000, **options)(body)(x)
            return {"default": ({"x": x}, {"default": y})}

        return str(write_module(tmp_path / name, none=build))

    victim, stranger = write("victim", False), write("stranger", True)
    modules = [compat_hub.load(path) for path in (victim, stranger, victim)]
    results: list[Any] = [None] * len(modules)

    def call(k: int) -> None:
        results[k] = modules[k](np.array([[float(k)]], np.float32)).numpy().tolist()

    threads = [threading.Thread(target=call, args=(k,)) for k in range(len(modules))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[[0.0]], [[1.0]], [[2.0]]]


def test_memory_of_others(tmp_path: Path) -> None:
    path = _module(tmp_path, lambda: tf.raw_ops.Empty(shape=[1000], dtype=tf.float32), "graph")
    module = compat_hub.load(path)
    for _ in range(5):
        freed = tf.fill([1000], 7919.0)
        del freed
        assert not module(X).numpy().any()
