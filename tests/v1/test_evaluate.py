from __future__ import annotations

import concurrent.futures
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import compat_hub

tf1 = tf.compat.v1
RaggedTensorValue = tf1.ragged.RaggedTensorValue
# Raised by TensorFlow itself when a session is closed.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> compat_hub.ModuleSpec:
    words = tmp_path_factory.mktemp("words") / "words.txt"
    words.write_text("one\ntwo\nthree\n")
    return compat_hub.create_module_spec(
        lambda offset: _build(str(words), offset),
        [(set(), {"offset": 0}), ({"train"}, {"offset": 100})],
    )


def _build(words: str, offset: int) -> None:
    def placeholder(dtype: Any, shape: Any) -> Any:
        return tf1.placeholder(dtype, shape)

    x = placeholder(tf.float32, [None, 2])
    w = tf1.get_variable("w", [2, 1], initializer=tf1.constant_initializer(2.0))
    compat_hub.add_signature(inputs=x, outputs={"default": tf.matmul(x, w), "twice": 2 * x})
    text = placeholder(tf.string, [None])
    table = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(words, tf.string, 0, tf.int64, -1, delimiter=" "), 1
    )
    compat_hub.add_signature("ids", text, table.lookup(text) + offset)
    a, b = placeholder(tf.float32, [None, 2]), placeholder(tf.float32, [2])
    compat_hub.add_signature("sum", {"a": a, "b": b}, a + b)
    sparse = tf1.sparse_placeholder(tf.int64, [None, 3])
    doubled = tf.SparseTensor(sparse.indices, sparse.values * 2, sparse.dense_shape)
    compat_hub.add_signature("sparse", sparse, doubled)
    ragged = tf1.ragged.placeholder(tf.int32, ragged_rank=1, value_shape=[])
    compat_hub.add_signature("ragged", ragged, ragged * 2)
    number = tf1.placeholder_with_default(3, [])
    compat_hub.add_signature("optional", {"x": x, "n": number}, x * tf.cast(number, tf.float32))
    compat_hub.add_signature("integers", placeholder(tf.int8, [None]), {"x": tf.constant(1)})
    compat_hub.add_signature("flag", placeholder(tf.bool, []), tf.constant(1))
    compat_hub.add_signature("half", {"x": placeholder(tf.bfloat16, [2])}, tf.constant(1))
    with tf.control_dependencies([tf.debugging.assert_positive(x)]):
        compat_hub.add_signature("checked", x, {"default": tf.identity(x), "safe": tf.shape(x)})


def test_values_come_and_go(spec: compat_hub.ModuleSpec) -> None:
    with compat_hub.eval_function_for_module(spec) as f:
        result = f([[1, 2], [3, 4]])
        assert isinstance(result, np.ndarray)
        assert result.dtype == np.float32
        assert result.tolist() == [[6.0], [14.0]]
        assert f(np.float64([[0.5, 0.5]])).tolist() == [[2.0]]
        assert f({"default": tf.constant([[1.0, 1.0]])}).tolist() == [[4.0]]
        both = f([[1, 2]], as_dict=True)
        assert {k: v.tolist() for k, v in both.items()} == {
            "default": [[6.0]],
            "twice": [[2.0, 4.0]],
        }
        given = {"a": [[1, 2]], "b": np.float32([3, 4])}
        assert f(given, signature="sum").tolist() == [[4.0, 6.0]]


def test_tables_are_initialized(spec: compat_hub.ModuleSpec) -> None:
    with compat_hub.eval_function_for_module(spec) as f:
        assert f(["two", "four"], signature="ids").tolist() == [1, 3]
        assert f(np.array([b"one"]), signature="ids").tolist() == [0]
        assert f([], signature="ids").tolist() == []


def test_variants(spec: compat_hub.ModuleSpec) -> None:
    with compat_hub.eval_function_for_module(spec, tags={"train"}) as f:
        assert f(["two"], signature="ids").tolist() == [101]
    with compat_hub.eval_function_for_module(spec, tags=set()) as f:
        assert f(["two"], signature="ids").tolist() == [1]


def test_a_path(fixture_path: Any) -> None:
    with compat_hub.eval_function_for_module(fixture_path("fruit")) as f:
        expected = compat_hub.load(fixture_path("fruit"))
        infos = expected.get_input_info_dict()
        given = {n: np.ones([2, *i.get_shape()[1:]], np.float32) for n, i in infos.items()}
        for key, value in f(given, as_dict=True).items():
            np.testing.assert_allclose(value, expected(given, as_dict=True)[key], rtol=1e-6)


@pytest.mark.parametrize(
    "value",
    [
        tf1.SparseTensorValue([[0, 1], [1, 2]], [4, 5], [2, 3]),
        tf1.SparseTensorValue(np.array([[0, 1], [1, 2]]), np.array([4, 5]), np.array([2, 3])),
        tf.SparseTensor([[0, 1], [1, 2]], tf.constant([4, 5], tf.int64), [2, 3]),
        ([[0, 1], [1, 2]], [4, 5], [2, 3]),
    ],
)
def test_sparse_values(spec: compat_hub.ModuleSpec, value: Any) -> None:
    with compat_hub.eval_function_for_module(spec) as f:
        result = f(value, signature="sparse")
    assert isinstance(result, tf1.SparseTensorValue)
    assert result.indices.tolist() == [[0, 1], [1, 2]]
    assert result.values.tolist() == [8, 10]
    assert result.dense_shape.tolist() == [2, 3]


@pytest.mark.parametrize(
    "value",
    [
        [[1, 2], [], [3]],
        tf.ragged.constant([[1, 2], [], [3]]),
        RaggedTensorValue(np.int32([1, 2, 3]), np.int64([0, 2, 2, 3])),
    ],
)
def test_ragged_values(spec: compat_hub.ModuleSpec, value: Any) -> None:
    with compat_hub.eval_function_for_module(spec) as f:
        result = f(value, signature="ragged")
    assert isinstance(result, RaggedTensorValue)
    assert result.to_list() == [[2, 4], [], [6]]


def test_inputs_with_a_default_may_be_left_out(spec: compat_hub.ModuleSpec) -> None:
    with compat_hub.eval_function_for_module(spec) as f:
        assert f([[1, 2]], signature="optional").tolist() == [[3.0, 6.0]]
        given = {"x": [[1, 2]], "n": 5}
        assert f(given, signature="optional").tolist() == [[5.0, 10.0]]


def test_only_what_is_returned_runs(spec: compat_hub.ModuleSpec) -> None:
    with compat_hub.eval_function_for_module(spec) as f:
        assert f([[1, 2]], signature="checked").tolist() == [[1.0, 2.0]]
        with pytest.raises(tf.errors.InvalidArgumentError):
            f([[-1, 2]], signature="checked")


@pytest.mark.parametrize(
    ("inputs", "signature", "message"),
    [
        (None, None, "missing 'default'"),
        ([[1, 2]], "sum", "expected a dict with the keys 'a', 'b', found one list"),
        ({"a": [[1, 2]]}, "sum", "missing 'b'"),
        ({"default": [[1, 2]], "x": 1}, None, "not an input: 'x'"),
        ([[1, 2, 3]], None, r"expected float32 \[None, 2\], found a list: its shape is \[1, 3\]"),
        ([1, 2], None, r"its shape is \[2\]"),
        ([[1, 2], [3]], None, "found a list: "),
        ("words", None, "found a str: its dtype is <U5"),
        ([["1", "2"]], None, "its dtype is <U1"),
        ([[1j, 2]], None, "its dtype is complex128"),
        ([[None, 2]], None, "its dtype is object"),
        ([1, 2], "ids", "its dtype is int64"),
        (["a", None], "ids", "its dtype is object"),
        ([None], "integers", "found a list: "),
        ("word", "ids", r"its shape is \[\]"),
        ([1.0], "integers", "its dtype is float64"),
        ([300], "integers", "a value of it does not fit into int8"),
        (np.array([2**70]), "integers", "found a ndarray: "),
        (1, "flag", "its dtype is int64"),
        ([["a", "b"]], "half", "its dtype is <U1"),
        ([[1, 2, 3]], "sparse", r"found a list: pass a tf.compat.v1.SparseTensorValue\("),
        (([[0, 1]], [1]), "sparse", "it has 2 components instead of 3"),
        (tf1.SparseTensorValue([[0, 1]], [4], [1, 4]), "sparse", r"its dense shape is \[1, 4\]"),
        (tf1.SparseTensorValue([[0]], [4], [3]), "sparse", r"its shape is \[1, 1\]"),
        (tf1.SparseTensorValue([[0, 1]], ["a"], [1, 3]), "sparse", "its dtype is <U1"),
        (tf1.SparseTensorValue([[0, 1]], [4], [1, 2]), None, "pass a dense array"),
        (np.ones(3), "ragged", "pass nested lists or a tf.compat.v1.ragged.RaggedTensorValue"),
        ([1, 2], "ragged", "found a list: "),
        ([["a"]], "ragged", "found a list: "),
        (tf.ragged.constant([[[1]]]), "ragged", "it has 3 components instead of 2"),
    ],
)
def test_inputs_that_do_not_fit(
    spec: compat_hub.ModuleSpec, inputs: Any, signature: str | None, message: str
) -> None:
    with (
        compat_hub.eval_function_for_module(spec) as f,
        pytest.raises(TypeError, match=message) as info,
    ):
        f(inputs, signature=signature, as_dict=True)
    assert isinstance(info.value, compat_hub.InputTypeError)
    assert f"signature {signature or 'default'!r}" in str(info.value)


def test_a_symbolic_tensor_is_no_value(spec: compat_hub.ModuleSpec) -> None:
    with compat_hub.eval_function_for_module(spec) as f, tf.Graph().as_default():
        tensor = tf1.placeholder(tf.float32, [None, 2])
        with pytest.raises(compat_hub.InputTypeError, match="input 'default'"):
            f(tensor)


def test_numbers_that_fit(spec: compat_hub.ModuleSpec) -> None:
    with compat_hub.eval_function_for_module(spec) as f:
        assert f(np.int64([1, -128]), signature="integers", as_dict=True) == {"x": 1}
        assert f({"x": [1.5, 2]}, signature="half") == 1
        assert f(True, signature="flag") == 1


def test_names_that_do_not_exist(spec: compat_hub.ModuleSpec) -> None:
    with pytest.raises(compat_hub.UnknownNameError, match=r"no graph variant .*\"other\""):
        compat_hub.eval_function_for_module(spec, tags={"other"}).__enter__()
    with compat_hub.eval_function_for_module(spec) as f:
        with pytest.raises(KeyError, match="no signature 'other'"):
            f([], signature="other")
        with pytest.raises(TypeError, match=r"no output 'default'.*as_dict=True"):
            f([1], signature="integers")
        with pytest.raises(TypeError, match="by keyword"):
            f([[1, 2]], "sum")
    with pytest.raises(compat_hub.ResolveError):
        compat_hub.eval_function_for_module("no/such/folder").__enter__()


def test_it_ends_with_the_block(spec: compat_hub.ModuleSpec) -> None:
    with compat_hub.eval_function_for_module(spec) as f:
        f([[1, 2]])
    with pytest.raises(compat_hub.GraphError, match="inside the `with` block"):
        f([[1, 2]])


def test_the_program_s_graph_is_left_alone(spec: compat_hub.ModuleSpec) -> None:
    with compat_hub.eval_function_for_module(spec) as f:
        assert tf.executing_eagerly()
        assert f([[1, 2]]).tolist() == [[6.0]]
    with tf.Graph().as_default() as graph, tf1.Session() as session:
        with compat_hub.eval_function_for_module(spec) as f:
            f([[1, 2]])
            assert tf1.get_default_graph() is graph
            assert tf1.get_default_session() is session
        assert graph.get_operations() == []


def test_a_signature_is_applied_once(spec: compat_hub.ModuleSpec, monkeypatch: Any) -> None:
    calls = []
    call = compat_hub.Module.__call__
    monkeypatch.setattr(
        compat_hub.Module, "__call__", lambda *a, **k: calls.append(k) or call(*a, **k)
    )
    with compat_hub.eval_function_for_module(spec) as f:
        assert calls == []
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda k: f([[k, 1]]).item(), range(50)))
    assert results == [2.0 * k + 2 for k in range(50)]
    assert len(calls) == 1
