from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import compat_hub
from compat_hub.errors import InputTypeError, SignatureError
from compat_hub.tools.beam.batching import Batcher, Call, split


@pytest.fixture
def batcher_of(fixture_path):
    def make(name: str, signature: str = "default", **arguments: object) -> Batcher:
        variant = compat_hub.load_module_spec(fixture_path(name)).variant()
        return Batcher(variant, variant.signatures[signature], arguments)

    return make


def test_examples_of_one_shape_are_one_call(batcher_of) -> None:
    batcher = batcher_of("fruit", "fruit_to_pet")
    rows = [{"apples": [k] * 4, "oranges": np.ones(3)} for k in range(3)]
    (call,) = batcher.batches(rows)
    assert call.numbers == [0, 1, 2]
    assert call.rows == 3
    np.testing.assert_array_equal(call.inputs["apples"], [[0] * 4, [1] * 4, [2] * 4])


def _tokens(length: int) -> dict[str, np.ndarray]:
    return {n: np.ones(length, int) for n in ("input_ids", "input_mask", "segment_ids")}


def test_examples_of_other_shapes_are_other_calls(batcher_of) -> None:
    calls = list(batcher_of("albert", "tokens").batches([_tokens(n) for n in (2, 3, 2)]))
    assert [call.numbers for call in calls] == [[0, 2], [1]]


def test_a_fixed_number_of_rows_is_filled_up(batcher_of) -> None:
    batcher = batcher_of("stateful_lm")
    calls = list(batcher.batches([[1, 2], [3, 4], [5, 6]]))
    assert [(call.numbers, call.rows) for call in calls] == [([0, 1], 2), ([2], 2)]
    np.testing.assert_array_equal(calls[1].inputs["tokens"], [[5, 6], [5, 6]])


def test_one_value_for_the_only_input_is_an_example(batcher_of) -> None:
    (call,) = batcher_of("text_table").batches(["a b", b"c"])
    (value,) = call.inputs.values()
    assert value.tolist() == ["a b", b"c"]


def test_strings_keep_zero_bytes(batcher_of) -> None:
    (call,) = batcher_of("text_table").batches([b"a\0"])
    assert next(iter(call.inputs.values())).tolist() == [b"a\0"]


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ({"apples": np.ones(4)}, "missing 'oranges'"),
        ({"apples": np.ones(5), "oranges": np.ones(3)}, r"float32 \[None, 4\], found"),
        ({"apples": ["x"] * 4, "oranges": np.ones(3)}, "input 'apples'"),
        (np.ones(4), "expected a dict"),
    ],
    ids=["missing", "shape", "dtype", "no dict"],
)
def test_an_example_that_does_not_fit(batcher_of, example: object, message: str) -> None:
    batcher = batcher_of("fruit", "fruit_to_pet")
    with pytest.raises(InputTypeError, match=message):
        batcher.check(example)
    good = {"apples": np.ones(4), "oranges": np.ones(3)}
    batcher.check(good)
    with pytest.raises(InputTypeError, match=message):
        list(batcher.batches([good, example]))


def test_one_value_for_a_whole_batch_is_an_argument(batcher_of) -> None:
    with pytest.raises(InputTypeError, match="'nothing' of `arguments` is not an input"):
        batcher_of("fruit", "fruit_to_pet", nothing=1.0)


@pytest.mark.parametrize("value", [tf.constant(1.0), tf.zeros([3, 2])], ids=["scalar", "rows"])
def test_an_output_without_a_row_for_each_example(value: tf.Tensor) -> None:
    with pytest.raises(SignatureError, match="not one row for each example: a batch of 2"):
        split(value, Call([0, 1], 2, {}), "The output 'x'")


def test_rows_of_outputs() -> None:
    call = Call([5, 7], 3, {})
    dense, _ = split(tf.constant([1, 2, 3]), call, "x")
    assert dense == 1
    ragged = split(tf.ragged.constant([[1], [], [2, 3]]), call, "x")
    assert [row.tolist() for row in ragged] == [[1], []]
    deep = split(tf.ragged.constant([[[1], []], [], [[2]]]), call, "x")
    assert deep == [[[1], []], []]
    sparse = tf.SparseTensor([[1, 0], [0, 2], [0, 1]], [3, 2, 1], [3, 4])
    first, second = split(sparse, call, "x")
    assert (first.indices.tolist(), first.values.tolist()) == ([[1], [2]], [1, 2])
    assert (second.indices.tolist(), second.dense_shape.tolist()) == ([[0]], [4])
