from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.op_def_pb2 import OpDef

from compat_hub.graphdef.passes.inline_functions import (
    CUSTOM_GRADIENT_ATTR,
    _stateful_functions,
    called_function,
    inline_calls,
)
from compat_hub.tf_private import op_registry
from tests.graphdef.graphs import (
    FLOAT,
    INT,
    RESOURCE,
    constant,
    make_function,
    make_graph,
    make_node,
    names,
    placeholder,
    run,
)


def _inline(graph: Any, asked: list[tuple[str, str]] | None = None) -> Any:
    def custom_gradient(function: str, gradient: str) -> str:
        if asked is not None:
            asked.append((function, gradient))
        return f"registered_{function}"

    return inline_calls(graph, op_registry.op_def, custom_gradient)


def _check(graph: Any, fetches: Sequence[str], **feeds: Any) -> Any:
    """Inlines a graph that then computes the same, without a call; returns the new graph."""
    inlined = _inline(graph)
    functions = {f.signature.name: f for f in graph.library.function}
    assert not [n.name for n in inlined.node if called_function(n, functions)]
    expected, found = run(graph, fetches, **feeds), run(inlined, fetches, **feeds)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    return inlined


def _unary(name: str, op: str) -> Any:
    inner = make_node("y", op, "x", T=tf.float32)
    return make_function(name, {"x": FLOAT}, {"y": ("y:y:0", FLOAT)}, inner)


SINE = _unary("sine", "Sin")


def test_a_graph_without_calls_is_returned_as_it_is() -> None:
    graph = make_graph(placeholder("x"), make_node("y", "Sin", "x", T=tf.float32), functions=[SINE])
    assert _inline(graph) is graph


def test_a_call() -> None:
    graph = make_graph(placeholder("x"), make_node("call", "sine", "x"), functions=[SINE])
    inlined = _check(graph, ["call:0"], x=0.5)
    assert names(inlined) == ["x", "call/argument/x", "call/y", "call"]
    assert not inlined.library.function
    assert len(graph.node) == 2


@pytest.mark.parametrize("op", ["PartitionedCall", "StatefulPartitionedCall"])
def test_a_partitioned_call(op: str) -> None:
    call = make_node("call", op, "x", Tin=[tf.float32], Tout=[tf.float32], f="sine")
    graph = make_graph(placeholder("x"), call, functions=[SINE])
    _check(graph, ["call:0"], x=0.5)


def test_two_calls_of_one_function() -> None:
    graph = make_graph(
        placeholder("x"),
        make_node("a", "sine", "x"),
        make_node("b", "sine", "a"),
        make_node("y", "AddV2", "a", "b:0", T=tf.float32),
        functions=[SINE],
    )
    _check(graph, ["y:0", "a:0"], x=0.5)


def test_nested_calls() -> None:
    middle = make_function(
        "middle",
        {"x": FLOAT},
        {"y": ("sum:z:0", FLOAT)},
        make_node("first", "sine", "x"),
        make_node(
            "second",
            "PartitionedCall",
            "first:y:0",
            Tin=[tf.float32],
            Tout=[tf.float32],
            f="sine",
        ),
        make_node("sum", "AddV2", "first:y:0", "second:output:0", T=tf.float32),
    )
    outer = make_function(
        "outer", {"x": FLOAT}, {"y": ("call:y:0", FLOAT)}, make_node("call", "middle", "x")
    )
    graph = make_graph(
        placeholder("x"), make_node("call", "outer", "x"), functions=[SINE, middle, outer]
    )
    inlined = _check(graph, ["call:0"], x=0.5)
    assert "call/call/second/y" in names(inlined)


def test_outputs_of_ops_with_several() -> None:
    function = make_function(
        "parts",
        {"x": FLOAT, "i": INT},
        {
            "third": ("split:output:2", FLOAT),
            "index": ("unique:idx:0", INT),
            "two": ("n:output:1", INT),
        },
        constant("axis", 0),
        make_node("split", "Split", "axis:output:0", "x", num_split=3, T=tf.float32),
        make_node("unique", "Unique", "i", T=tf.int32, out_idx=tf.int32),
        make_node("n", "IdentityN", "x", "unique:y:0", T=[tf.float32, tf.int32]),
    )
    graph = make_graph(
        placeholder("x"),
        placeholder("i", tf.int32),
        make_node("call", "parts", "x", "i"),
        functions=[function],
    )
    feeds = {"x": np.arange(6, dtype="float32"), "i": [7, 5, 7]}
    _check(graph, ["call:0", "call:1", "call:2"], **feeds)
    assert run(graph, ["call:1"], **feeds)[0].tolist() == [0, 1, 0]


def test_arguments_that_are_returned_as_they_are() -> None:
    function = make_function(
        "swap",
        {"a": FLOAT, "b": INT},
        {"first": ("b", INT), "second": ("a", FLOAT), "again": ("b", INT)},
    )
    graph = make_graph(
        placeholder("x"),
        placeholder("i", tf.int32),
        make_node("call", "swap", "x", "i"),
        functions=[function],
    )
    _check(graph, ["call:0", "call:1", "call:2"], x=1.5, i=3)


def test_a_function_of_nothing() -> None:
    function = make_function("two", {}, {"y": ("c:output:0", FLOAT)}, constant("c", 2.0))
    graph = make_graph(make_node("call", "two"), functions=[function])
    _check(graph, ["call:0"])


def test_types_that_the_call_chooses() -> None:
    function = make_function(
        "double",
        {"x": "T"},
        {"y": ("y:z:0", "T")},
        make_node("y", "AddV2", "x", "x", T=("placeholder", "T")),
    )
    graph = make_graph(
        placeholder("x"),
        placeholder("i", tf.int32),
        make_node("a", "double", "x", T=tf.float32),
        make_node("b", "double", "i", T=tf.int32),
        functions=[function],
    )
    # TensorFlow's importer takes no such function, but older graphs have them.
    assert run(_inline(graph), ["a:0", "b:0"], x=1.5, i=3) == [3.0, 6]


def test_an_input_that_is_a_second_output() -> None:
    graph = make_graph(
        placeholder("x"),
        constant("axis", 0),
        make_node("split", "Split", "axis", "x", num_split=2, T=tf.float32),
        make_node("call", "sine", "split:1"),
        functions=[SINE],
    )
    _check(graph, ["call:0"], x=np.array([1.0, 2.0], "float32"))


# Order and side effects ---------------------------------------------------------------------------


def _counter(name: str = "counter") -> list[Any]:
    """The nodes of a variable, its initializer and a read of it."""
    shape = make_node(name, "VarHandleOp", dtype=tf.float32, shared_name=name.encode())
    shape.attr["shape"].shape.SetInParent()
    return [
        shape,
        constant("zero", 0.0),
        make_node("initialize", "AssignVariableOp", name, "zero", dtype=tf.float32),
    ]


def _steps(graph: Any, *steps: list[str], **feeds: Any) -> list[Any]:
    """What one session gives for fetches, one run after the other."""
    with tf.Graph().as_default() as session_graph:
        tf.graph_util.import_graph_def(graph, name="")
        with tf.compat.v1.Session(graph=session_graph) as session:
            session.run("initialize")
            return [session.run(s, {f"{k}:0": v for k, v in feeds.items()}) for s in steps]


def _add_to(handle: str, value: str, name: str = "add", *controls: str) -> Any:
    return make_node(name, "AssignAddVariableOp", handle, value, *controls, dtype=tf.float32)


READ = make_node("read", "ReadVariableOp", "counter", dtype=tf.float32)


def test_the_stateful_ops_of_a_function_run() -> None:
    count = make_function(
        "count", {"h": RESOURCE, "x": FLOAT}, {"y": ("x", FLOAT)}, _add_to("h", "x")
    )
    graph = make_graph(
        *_counter(),
        placeholder("x"),
        make_node("call", "count", "counter", "x"),
        READ,
        functions=[count],
    )
    steps = ["call:0"], ["call:0"], ["read:0"]
    expected = [[3.0], [3.0], [6.0]]
    assert _steps(graph, *steps, x=3.0) == _steps(_inline(graph), *steps, x=3.0) == expected


def test_the_stateful_ops_of_a_function_within_a_function_run() -> None:
    count = make_function(
        "count", {"h": RESOURCE, "x": FLOAT}, {"y": ("x", FLOAT)}, _add_to("h", "x")
    )
    outer = make_function(
        "outer",
        {"h": RESOURCE, "x": FLOAT},
        {"y": ("y:y:0", FLOAT)},
        make_node("call", "count", "h", "x"),
        make_node("y", "Sin", "x", T=tf.float32),
    )
    outer.signature.is_stateful = True
    graph = make_graph(
        *_counter(),
        placeholder("x"),
        make_node("call", "outer", "counter", "x"),
        READ,
        functions=[count, outer],
    )
    steps = ["call:0"], ["read:0"]
    expected = _steps(graph, *steps, x=3.0)
    assert expected[1] == [3.0]
    assert _steps(_inline(graph), *steps, x=3.0) == expected


def test_control_outputs_run_and_nothing_else() -> None:
    function = make_function(
        "count",
        {"h": RESOURCE, "x": FLOAT},
        {"y": ("x", FLOAT)},
        _add_to("h", "x", "wanted"),
        control=["wanted"],
    )
    call = make_node(
        "call",
        "StatefulPartitionedCall",
        "counter",
        "x",
        Tin=[tf.resource, tf.float32],
        Tout=[tf.float32],
        f="count",
    )
    graph = make_graph(*_counter(), placeholder("x"), call, READ, functions=[function])
    steps = ["call:0"], ["read:0"]
    assert _steps(graph, *steps, x=3.0) == _steps(_inline(graph), *steps, x=3.0) == [[3.0], [3.0]]


def test_control_inputs_come_before_the_body() -> None:
    read = make_function(
        "read",
        {"h": RESOURCE},
        {"y": ("r:value:0", FLOAT)},
        make_node("r", "ReadVariableOp", "h", dtype=tf.float32),
    )
    graph = make_graph(
        *_counter(),
        constant("five", 5.0),
        _add_to("counter", "five"),
        make_node("call", "read", "counter", "^add"),
        functions=[read],
    )
    for candidate in (graph, _inline(graph)):
        assert _steps(candidate, *[["call:0"]] * 3) == [[5.0], [10.0], [15.0]]


def test_control_outputs_come_after_the_body() -> None:
    count = make_function(
        "count", {"h": RESOURCE, "x": FLOAT}, {"y": ("x", FLOAT)}, _add_to("h", "x")
    )
    graph = make_graph(
        *_counter(),
        constant("five", 5.0),
        make_node("call", "count", "counter", "five"),
        make_node("after", "ReadVariableOp", "counter", "^call", dtype=tf.float32),
        functions=[count],
    )
    for candidate in (graph, _inline(graph)):
        assert _steps(candidate, *[["after:0"]] * 3) == [[5.0], [10.0], [15.0]]


def test_a_function_without_results() -> None:
    count = make_function("count", {"h": RESOURCE, "x": FLOAT}, {}, _add_to("h", "x"))
    graph = make_graph(
        *_counter(),
        constant("five", 5.0),
        make_node("call", "count", "counter", "five"),
        READ,
        functions=[count],
    )
    inlined = _inline(graph)
    assert {n.name: n.op for n in inlined.node}["call"] == "NoOp"
    for candidate in (graph, inlined):
        assert _steps(candidate, ["call"], ["read:0"]) == [[None], [5.0]]


def test_control_inputs_within_the_body_keep_their_order() -> None:
    function = make_function(
        "count_and_read",
        {"h": RESOURCE, "x": FLOAT},
        {"y": ("r:value:0", FLOAT)},
        _add_to("h", "x"),
        make_node("r", "ReadVariableOp", "h", "^add", dtype=tf.float32),
    )
    graph = make_graph(
        *_counter(),
        constant("five", 5.0),
        make_node("call", "count_and_read", "counter", "five"),
        functions=[function],
    )
    for candidate in (graph, _inline(graph)):
        assert _steps(candidate, *[["call:0"]] * 3) == [[5.0], [10.0], [15.0]]


def test_control_inputs_on_arguments() -> None:
    zero = constant("zero", 0.0)
    zero.input.extend(["^h", "^x"])
    function = make_function(
        "double",
        {"h": RESOURCE, "x": FLOAT},
        {"y": ("add:z:0", FLOAT)},
        zero,
        make_node("two", "AddV2", "x", "x", "^x", T=tf.float32),
        make_node("add", "AddV2", "two:z:0", "zero:output:0", "^h", "^zero", T=tf.float32),
    )
    graph = make_graph(
        *_counter(),
        placeholder("x"),
        make_node("before", "NoOp"),
        make_node("call", "double", "counter", "x", "^before"),
        functions=[function],
    )
    inlined = _check(graph, ["call:0"], x=3.0)
    inputs = {node.name: [*node.input] for node in inlined.node}
    assert inputs["call/zero"] == ["^before", "^call/argument/x"]
    assert inputs["call/two"][2:] == ["^call/argument/x", "^before"]
    assert inputs["call/add"][2:] == ["^before", "^call/zero"]


@pytest.mark.parametrize(("flag", "expected"), [(True, 5.0), (False, 0.0)])
def test_in_a_branch_that_is_not_taken_nothing_runs(flag: bool, expected: float) -> None:
    # The body's constants and reads have no inputs: they wait for the call's argument.
    count = make_function(
        "count",
        {"h": RESOURCE, "x": FLOAT},
        {"y": ("x", FLOAT)},
        constant("five", 5.0),
        _add_to("h", "five:output:0"),
    )
    graph = make_graph(
        *_counter(),
        placeholder("flag", tf.bool),
        constant("one", 1.0),
        make_node("switch", "Switch", "one", "flag", T=tf.float32),
        make_node("call", "count", "counter", "switch:1"),
        make_node("merge", "Merge", "switch:0", "call", T=tf.float32, N=2),
        READ,
        functions=[count],
    )
    for candidate in (graph, _inline(graph)):
        assert _steps(candidate, ["merge:0"], ["read:0"], flag=flag) == [[1.0], [expected]]


def test_a_call_in_a_loop() -> None:
    add_two = make_function(
        "add_two",
        {"x": FLOAT},
        {"y": ("sum:z:0", FLOAT)},
        constant("two", 2.0),
        make_node("sum", "AddV2", "x", "two:output:0", T=tf.float32),
    )
    graph = make_graph(
        constant("start", 0.0),
        constant("end", 7.0),
        make_node("enter", "Enter", "start", T=tf.float32, frame_name=b"f"),
        make_node("enter_end", "Enter", "end", T=tf.float32, frame_name=b"f", is_constant=True),
        make_node("merge", "Merge", "enter", "next", T=tf.float32, N=2),
        make_node("less", "Less", "merge", "enter_end", T=tf.float32),
        make_node("cond", "LoopCond", "less"),
        make_node("switch", "Switch", "merge", "cond", T=tf.float32),
        make_node("call", "add_two", "switch:1"),
        make_node("next", "NextIteration", "call", T=tf.float32),
        make_node("exit", "Exit", "switch:0", T=tf.float32),
        functions=[add_two],
    )
    _check(graph, ["exit:0"])
    assert run(graph, ["exit:0"]) == [8.0]


def test_a_loop_in_a_function_that_is_called_twice() -> None:
    """Each call has a frame of its own."""
    loop = make_function(
        "count_up",
        {"x": FLOAT},
        {"y": ("exit:output:0", FLOAT)},
        constant("end", 7.0),
        constant("two", 2.0),
        make_node("enter", "Enter", "x", T=tf.float32, frame_name=b"f"),
        make_node("e", "Enter", "end:output:0", T=tf.float32, frame_name=b"f", is_constant=True),
        make_node("t", "Enter", "two:output:0", T=tf.float32, frame_name=b"f", is_constant=True),
        make_node("merge", "Merge", "enter:output:0", "next:output:0", T=tf.float32, N=2),
        make_node("less", "Less", "merge:output:0", "e:output:0", T=tf.float32),
        make_node("cond", "LoopCond", "less:z:0"),
        make_node("switch", "Switch", "merge:output:0", "cond:output:0", T=tf.float32),
        make_node("sum", "AddV2", "switch:output_true:0", "t:output:0", T=tf.float32),
        make_node("next", "NextIteration", "sum:z:0", T=tf.float32),
        make_node("exit", "Exit", "switch:output_false:0", T=tf.float32),
    )
    graph = make_graph(
        placeholder("x"),
        constant("ten", 10.0),
        make_node("a", "count_up", "x"),
        make_node("b", "count_up", "ten"),
        functions=[loop],
    )
    inlined = _inline(graph)
    assert run(inlined, ["a:0", "b:0"], x=0.5) == [8.5, 10.0]
    frames = {n.attr["frame_name"].s for n in inlined.node if n.op == "Enter"}
    assert len(frames) == 2


# Gradients and what stays in the library ----------------------------------------------------------


def test_a_function_with_a_gradient_of_its_own() -> None:
    gradient = make_function(
        "sine_gradient",
        {"x": FLOAT, "g": FLOAT},
        {"y": ("y:z:0", FLOAT)},
        make_node("y", "Mul", "x", "g", T=tf.float32),
    )
    graph = make_graph(
        placeholder("x"),
        make_node("call", "sine", "x"),
        functions=[SINE, gradient],
        sine="sine_gradient",
    )
    asked: list[tuple[str, str]] = []
    inlined = _inline(graph, asked)
    assert asked == [("sine", "sine_gradient")]
    end = inlined.node[-1]
    assert (end.name, end.op) == ("call", "IdentityN")
    assert end.attr[CUSTOM_GRADIENT_ATTR].s == b"registered_sine"
    # The results, and then the arguments, which the gradient needs.
    assert list(end.input) == ["call/y:0", "x"]
    np.testing.assert_allclose(run(inlined, ["call:0"], x=0.5), run(graph, ["call:0"], x=0.5))


def test_functions_that_are_called_by_other_ops_stay() -> None:
    branch = make_node(
        "if",
        "If",
        "flag",
        "call",
        Tcond=tf.bool,
        Tin=[tf.float32],
        Tout=[tf.float32],
        then_branch="then",
        else_branch="sine",
    )
    then = make_function(
        "then", {"x": FLOAT}, {"y": ("call:y:0", FLOAT)}, make_node("call", "cosine", "x")
    )
    graph = make_graph(
        placeholder("x"),
        placeholder("flag", tf.bool),
        make_node("call", "sine", "x"),
        branch,
        functions=[SINE, then, _unary("cosine", "Cos"), _unary("unused", "Tan")],
    )
    inlined = _inline(graph)
    kept = {f.signature.name for f in inlined.library.function}
    assert kept == {"sine", "then", "cosine"}
    for flag in (True, False):
        found = run(inlined, ["if:0"], x=0.5, flag=flag)
        np.testing.assert_allclose(found, run(graph, ["if:0"], x=0.5, flag=flag))


def test_versions_are_kept() -> None:
    graph = make_graph(placeholder("x"), make_node("call", "sine", "x"), functions=[SINE])
    graph.versions.producer = 27
    assert _inline(graph).versions.producer == 27


def test_gradients_get_through() -> None:
    double = make_function(
        "outer", {"x": FLOAT}, {"y": ("call:y:0", FLOAT)}, make_node("call", "sine", "x")
    )
    graph = make_graph(placeholder("x"), make_node("call", "outer", "x"), functions=[SINE, double])
    inlined = _inline(graph)

    def body(x: tf.Tensor) -> tf.Tensor:
        return tf.graph_util.import_graph_def(inlined, {"x:0": x}, ["call:0"])[0]

    function = tf.compat.v1.wrap_function(body, [tf.TensorSpec([])])
    x = tf.constant(0.5)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    np.testing.assert_allclose(tape.gradient(y, x), np.cos(0.5), rtol=1e-6)


def test_a_function_that_calls_itself_stays_a_call() -> None:
    twice = make_function(
        "twice",
        {"x": FLOAT},
        {"y": ("a:y:0", FLOAT)},
        make_node("a", "twice", "x"),
        make_node("b", "twice", "x"),
    )
    graph = make_graph(placeholder("x"), make_node("call", "twice", "x"), functions=[twice])
    assert _inline(graph) is graph


def test_the_work_grows_with_the_functions_and_not_with_the_ways_through_them() -> None:
    def asked(depth: int) -> int:
        functions: dict[str, Any] = {}
        for k in range(depth):
            function = functions[f"f{k}"] = FunctionDef()
            for name in ("one", "other") if k else ():
                function.node_def.add(name=name, op=f"f{k - 1}")
            function.node_def.add(name="leaf", op="Neg")
        count = 0

        def op_def(name: str) -> Any:
            nonlocal count
            count += 1
            return OpDef(name=name)

        assert _stateful_functions(functions, op_def) == set()
        return count

    assert asked(200) == 2 * asked(100)
