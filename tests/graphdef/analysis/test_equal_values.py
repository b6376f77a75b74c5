from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from compat_hub.graphdef.analysis.equal_values import limit_of_range, same_value
from compat_hub.graphdef.subgraph import index_nodes
from tests.graphdef.graphs import constant, make_graph, make_node, placeholder


def _int(name: str, op: str, *inputs: str):
    return make_node(name, op, *inputs, T=tf.int32)


NODES = index_nodes(
    make_graph(
        placeholder("x"),
        placeholder("n", tf.int32),
        constant("zero", 0),
        constant("one", 1),
        constant("two", 2),
        constant("another_two", 2),
        constant("vector", np.array([0], "int32")),
        make_node("long_zero", "Const", dtype=tf.int64, value=np.int64(0)),
        _int("same_n", "Identity", "n"),
        _int("same_same_n", "Identity", "same_n:0"),
        _int("sum", "Add", "n", "two"),
        _int("same_sum", "Add", "same_n", "another_two:0", "^x"),
        _int("other_sum", "Add", "n", "one"),
        _int("product", "Mul", "n", "two"),
        make_node("split", "Unique", "n", T=tf.int32, out_idx=tf.int32),
        make_node("random", "RandomUniform", "n", T=tf.int32, dtype=tf.float32),
        make_node("random_2", "RandomUniform", "n", T=tf.int32, dtype=tf.float32),
        make_node("range", "Range", "zero", "n", "one", Tidx=tf.int32),
        make_node("range_same", "Range", "zero", "same_n", "one", "^x", Tidx=tf.int32),
        make_node("range_from_1", "Range", "one", "n", "one", Tidx=tf.int32),
        make_node("range_by_2", "Range", "zero", "n", "two", Tidx=tf.int32),
        make_node("range_of_vector", "Range", "vector", "n", "one", Tidx=tf.int32),
        make_node("range_of_n", "Range", "n", "n", "one", Tidx=tf.int32),
        _int("behind", "Identity", "range"),
    )
)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("n:0", "n"),
        ("n", "same_same_n:0"),
        ("two", "another_two"),
        ("sum", "same_sum"),
        ("range", "range_same"),
        ("range", "behind"),
        ("elsewhere:1", "elsewhere:1"),
    ],
)
def test_the_same_value(a: str, b: str) -> None:
    assert same_value(NODES, a, b)
    assert same_value(NODES, b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("x", "n"),
        ("one", "two"),
        ("zero", "long_zero"),
        ("sum", "other_sum"),
        ("sum", "product"),
        ("split:0", "split:1"),
        ("random", "random_2"),
        ("n", "elsewhere"),
        ("range", "range_from_1"),
    ],
)
def test_not_known_to_be_the_same(a: str, b: str) -> None:
    assert not same_value(NODES, a, b)
    assert not same_value(NODES, b, a)


def test_long_computations_are_given_up() -> None:
    chains = []
    for name in "ab":
        chains.append(_int(f"{name}0", "Add", "n", "two"))
        chains += [_int(f"{name}{k}", "Add", f"{name}{k - 1}", "two") for k in range(1, 40)]
    nodes = {**NODES, **index_nodes(make_graph(*chains))}
    assert same_value(nodes, "a5", "b5")
    assert not same_value(nodes, "a39", "b39")


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        ("range", "n:0"),
        ("range:0", "n:0"),
        ("behind", "n:0"),
        ("range_same", "same_n:0"),
        ("range_from_1", None),
        ("range_by_2", None),
        ("range_of_vector", None),
        ("range_of_n", None),
        ("sum", None),
        ("elsewhere", None),
    ],
)
def test_ranges_from_zero(tensor: str, expected: str | None) -> None:
    assert limit_of_range(NODES, tensor) == expected
