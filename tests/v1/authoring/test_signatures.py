"""What a module_fn says of its graph, and what it may not say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.python.util import deprecation

import compat_hub
from compat_hub.format import protos
from compat_hub.v1.authoring.signatures import ColocationWarning, attachments, signature_defs

v1 = tf.compat.v1
add = compat_hub.add_signature
EAGER = tf.constant(1.0)


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def _placeholder(name: str = "x") -> Any:
    return v1.placeholder(tf.float32, [None], name=name)


def test_one_tensor_is_called_default(graph: tf.Graph) -> None:
    x = _placeholder()
    add(inputs=x, outputs=tf.negative(x, name="y"))
    assert list(signature_defs(graph)) == ["default"]
    found = signature_defs(graph)["default"]
    assert {key: info.name for key, info in found.inputs.items()} == {"default": "x:0"}
    assert {key: info.name for key, info in found.outputs.items()} == {"default": "y:0"}


def test_nothing_is_logged(graph: tf.Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    # TensorFlow logs a deprecation once in a process: as if it had not been yet.
    monkeypatch.setattr(deprecation, "_PRINTED_WARNING", {})
    logged: list[Any] = []
    monkeypatch.setattr(tf.get_logger(), "warning", lambda *args: logged.append(args))
    x = _placeholder()
    add(inputs=x, outputs=tf.negative(x))
    assert not logged


def test_names(graph: tf.Graph) -> None:
    x = _placeholder()
    add("", inputs={"a": x, "": x}, outputs={"b": x})
    add("with:colon and space", outputs={"b": tf.constant(1.0)})
    add("nothing at all")
    assert sorted(signature_defs(graph)) == ["default", "nothing at all", "with:colon and space"]
    assert sorted(signature_defs(graph)["default"].inputs) == ["", "a"]


def test_kinds_of_tensors(graph: tf.Graph) -> None:
    sparse = v1.sparse_placeholder(tf.int64, [None, 3])
    ragged = v1.ragged.placeholder(tf.int64, 1, [])
    add(
        inputs={"s": sparse, "r": ragged},
        outputs={"r": ragged + 1, "s": sparse, "t": sparse.values},
    )
    found = signature_defs(graph)["default"]
    kinds = {key: info.WhichOneof("encoding") for key, info in found.outputs.items()}
    assert kinds == {"r": "composite_tensor", "s": "coo_sparse", "t": "name"}


def test_a_name_used_twice(graph: tf.Graph) -> None:
    x = _placeholder()
    for name in (None, "other"):
        add(name, inputs=x, outputs=x)
        with pytest.raises(compat_hub.SignatureError, match=f"'{name or 'default'}'.*already"):
            add(name, outputs=tf.constant(1.0))
    assert all(s.inputs for s in signature_defs(graph).values())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: 1.0, "found a float"),
        (lambda: [tf.constant(1.0)], "found a list"),
        (lambda: None, "found a NoneType"),
        (lambda: tf.IndexedSlices(_placeholder("a"), _placeholder("b")), "found a IndexedSlices"),
        (lambda: v1.get_variable("v", []), r"Variable\. Pass its value, variable\.read_value\(\)"),
        (lambda: v1.get_variable("v", [], use_resource=False), r"variable\.read_value\(\)"),
        (lambda: tf.TensorArray(tf.float32, 1), "found a TensorArray"),
    ],
)
def test_what_is_no_tensor(make: Callable[[], Any], message: str, graph: tf.Graph) -> None:
    value = make()
    for kind, maps in ("input", ({"a": value}, {})), ("output", ({}, {"a": value})):
        expected = f"signature 's': the {kind} 'a' has to be one of Tensor, .*{message}"
        with pytest.raises(compat_hub.SignatureError, match=expected):
            add("s", *maps)
    assert not signature_defs(graph)


def test_tensors_of_another_graph(graph: tf.Graph) -> None:
    x = _placeholder()
    with tf.Graph().as_default():
        other = _placeholder()
        sparse = tf.SparseTensor(tf.zeros([1, 1], tf.int64), other, [1])
    for value in (other, sparse, EAGER):
        for maps in (({"a": value}, {}), ({"a": x}, {"b": value})):
            with pytest.raises(compat_hub.SignatureError, match="not a tensor of the graph"):
                add(None, *maps)
    assert not signature_defs(graph)


@pytest.mark.parametrize("arguments", [(3, None), ("s", {1: None}), ("s", {None: None})])
def test_names_that_are_no_strings(arguments: Any, graph: tf.Graph) -> None:
    name, outputs = arguments
    outputs = {key: tf.constant(1.0) for key in outputs or ()}
    with pytest.raises(compat_hub.InputTypeError, match="names are strings") as error:
        add(name, {}, outputs)
    assert isinstance(error.value, TypeError)  # as tensorflow_hub raised it
    assert not signature_defs(graph)


def test_in_an_eager_program() -> None:
    for call in (lambda: add(outputs={}), lambda: compat_hub.attach_message("k", _text())):
        with pytest.raises(compat_hub.GraphError, match="create_module_spec"):
            call()


def _unfed_dense(x: Any, y: Any) -> Any:
    return tf.negative(x + y)


def _unfed_control(x: Any, y: Any) -> Any:
    with tf.control_dependencies([y + 1]):
        return tf.identity(x)


def _unfed_sparse(x: Any, y: Any) -> Any:
    return tf.SparseTensor(tf.zeros([1, 1], tf.int64), x, tf.cast(y, tf.int64))


def _unfed_in_a_loop(x: Any, y: Any) -> Any:
    return tf.while_loop(lambda z: tf.reduce_sum(z) < 3, lambda z: z + y, [x])[0]


@pytest.mark.parametrize("build", [_unfed_dense, _unfed_control, _unfed_sparse, _unfed_in_a_loop])
@pytest.mark.parametrize("version", [1, 2])
def test_an_input_that_is_not_fed(
    build: Callable[[Any, Any], Any], version: int, graph: tf.Graph
) -> None:
    x, y = _placeholder("x"), _placeholder("y")
    was = v1.control_flow_v2_enabled()
    (v1.disable_control_flow_v2 if version == 1 else v1.enable_control_flow_v2)()
    try:
        output = build(x, y)
    finally:
        (v1.enable_control_flow_v2 if was else v1.disable_control_flow_v2)()
    with pytest.raises(
        compat_hub.SignatureError,
        match=r"signature 's': the output 'bad' depends on the placeholder 'y'.*with_default",
    ):
        add("s", x, {"good": x, "bad": output})
    assert not signature_defs(graph)
    add("s", {"x": x, "y": y}, {"bad": output})


def test_inputs_that_need_not_be_fed(graph: tf.Graph) -> None:
    x = _placeholder("x")
    rate = v1.placeholder_with_default(0.5, [], name="rate")
    middle = tf.negative(x)
    with tf.control_dependencies([middle]):
        after = tf.identity(rate)
    # What is behind an input is given with it, also for what only waits for it.
    add("inside", middle, {"y": middle * rate, "after": after, "same": middle})
    _placeholder("unused")
    add("unused", {"x": x, "other": _placeholder("other")}, x * 2)
    assert sorted(signature_defs(graph)) == ["inside", "unused"]


def test_an_input_that_is_colocated(graph: tf.Graph) -> None:
    u = tf.constant(1.0, name="u")
    with v1.colocate_with(u):
        x = _placeholder()
    sparse = tf.SparseTensor(tf.zeros([1, 1], tf.int64), x, [1])
    for value in (x, sparse):
        with pytest.raises(
            compat_hub.SignatureError,
            match=r"the tensor 'x:0' of the input 'default' is colocated.*loc:@u.*outside of",
        ):
            add(inputs=value, outputs=u)
    with v1.colocate_with(_placeholder("y")):
        z = tf.constant(1.0)
    with pytest.raises(compat_hub.SignatureError, match="is colocated"):
        add(inputs=z, outputs=u)
    assert not signature_defs(graph)


def test_inputs_of_an_op_with_several_outputs(graph: tf.Graph) -> None:
    first, second = tf.split(tf.zeros([2]), 2, name="split")
    with pytest.warns(ColocationWarning, match=r"'first' is one of 2 outputs of the op 'split'"):
        add(inputs={"first": first}, outputs=first + second)
    assert list(signature_defs(graph)) == ["default"]


def _text(value: bytes = b"text") -> Any:
    return v1.train.BytesList(value=[value])


def _attached(graph: tf.Graph) -> dict[str, bytes]:
    return {a.key: v1.train.BytesList.FromString(a.value).value[0] for a in attachments(graph)}


def test_attached_messages(graph: tf.Graph) -> None:
    for key in ("b", "A9_", "image_module_info"):
        compat_hub.attach_message(key, _text())
    compat_hub.attach_message("b", _text(b"last"))
    assert _attached(graph) == {"b": b"last", "A9_": b"text", "image_module_info": b"text"}
    compat_hub.attach_message("own", protos.ImageModuleInfo())
    assert attachments(graph)[-1].value == b""


def test_a_message_that_is_changed_afterwards(graph: tf.Graph) -> None:
    message = _text()
    compat_hub.attach_message("k", message)
    message.value[:] = [b"other"]
    assert _attached(graph) == {"k": b"text"}


@pytest.mark.parametrize("key", ["", "_a", "9a", "a-b", "a b", "a.b", "ä", "a\n", "a/b"])
def test_malformed_keys(key: str, graph: tf.Graph) -> None:
    with pytest.raises(compat_hub.SignatureError, match=r"is malformed.*begin with a letter"):
        compat_hub.attach_message(key, _text())
    assert not attachments(graph)


@pytest.mark.parametrize("key", [None, 3, b"a"])
def test_keys_that_are_no_strings(key: Any, graph: tf.Graph) -> None:
    with pytest.raises(compat_hub.InputTypeError, match="is a string, found"):
        compat_hub.attach_message(key, _text())
    assert not attachments(graph)


@pytest.mark.parametrize("message", ["text", b"bytes", None, {"a": 1}])
def test_what_is_no_message(message: Any, graph: tf.Graph) -> None:
    with pytest.raises(compat_hub.InputTypeError, match="'k' has to be a protocol message"):
        compat_hub.attach_message("k", message)
    assert not attachments(graph)


def test_what_is_said_is_no_collection_of_the_graph(graph: tf.Graph) -> None:
    add(outputs=tf.constant(1.0))
    compat_hub.attach_message("k", _text())
    assert graph.get_all_collection_keys() == []
    assert not v1.train.export_meta_graph().collection_def
