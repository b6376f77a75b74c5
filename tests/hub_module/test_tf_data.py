"""Modules and layers in the functions that tf.data maps over elements, several at a time."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub import keras2, keras3
from tests.records import FIXTURES, OUTPUT_TOLERANCE, Record, assert_close

TEXT = Record(FIXTURES / "text_table")
BATCHES = 12


def _module(kind: str) -> Any:
    if kind == "module":
        return compat_hub.load(TEXT.path)
    return {"tf_keras": keras2.KerasLayer, "keras": keras3.KerasLayer}[kind](TEXT.path)


@pytest.mark.parametrize("kind", ["module", "tf_keras", "keras"])
def test_strings_and_a_table_in_parallel(kind: str) -> None:
    module = _module(kind)
    texts = TEXT.inputs("default")["default"]
    data = tf.data.Dataset.from_tensors(tf.constant(texts)).repeat(BATCHES)
    data = data.map(module, num_parallel_calls=tf.data.AUTOTUNE)
    del module  # the dataset keeps the table
    found = list(data.prefetch(2))
    assert len(found) == BATCHES
    for output in found:
        assert_close(output, TEXT.outputs([], "default")["default"], OUTPUT_TOLERANCE, kind)


def test_a_model_is_trained_on_what_a_module_computes() -> None:
    module = compat_hub.load(TEXT.path)
    words = tf.constant(["quartz", "vow", "judge", "zebra"])
    data = tf.data.Dataset.from_tensor_slices((words, tf.ones([4, 1]))).batch(2)
    data = data.map(lambda x, y: (module(x), y), tf.data.AUTOTUNE, deterministic=True)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    before = [v.numpy() for v in module.variables if v.dtype.is_floating]
    model.fit(data, shuffle=False, verbose=0)
    after = [v.numpy() for v in module.variables if v.dtype.is_floating]
    np.testing.assert_equal(after, before)
    assert data.element_spec[0].shape[0] is None
    assert data.element_spec[0].dtype == tf.float32
