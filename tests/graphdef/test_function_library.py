from __future__ import annotations

import tensorflow as tf

from compat_hub.graphdef.function_library import (
    called_functions,
    callees_first,
    find_open_attribute,
    library_digest,
    needed_functions,
    rename_functions,
)
from tests.graphdef.graphs import FLOAT, make_function, make_graph, make_node, placeholder, run


def _unary(name: str, op: str, **attrs: object):
    inner = make_node("y", op, "x", T=tf.float32, **attrs)
    return make_function(name, {"x": FLOAT}, {"y": ("y:y:0", FLOAT)}, inner)


def _calling(name: str, called: str):
    inner = make_node("y", called, "x")
    return make_function(name, {"x": FLOAT}, {"y": ("y:y:0", FLOAT)}, inner)


def _branch(name: str):
    """An If whose branches are named in attributes, one of them with attributes of its own."""
    return make_node(
        name,
        "If",
        "flag",
        "x",
        Tcond=tf.bool,
        Tin=[tf.float32],
        Tout=[tf.float32],
        then_branch="then",
        else_branch="otherwise",
    )


FUNCTIONS = [
    _unary("sine", "Sin"),
    _unary("cosine", "Cos"),
    _unary("unused", "Tan"),
    _calling("outer", "sine"),
    _calling("then", "outer"),
    _calling("otherwise", "cosine"),
    make_function(
        "sine_gradient",
        {"x": FLOAT, "g": FLOAT},
        {"y": ("y:z:0", FLOAT)},
        make_node("c", "only_for_gradient", "x"),
        make_node("y", "Mul", "g", "c:y:0", T=tf.float32),
    ),
    _unary("only_for_gradient", "Cos"),
]


def _graph(*nodes):
    return make_graph(
        placeholder("x"),
        placeholder("flag", tf.bool),
        *nodes,
        functions=FUNCTIONS,
        sine="sine_gradient",
        unused="sine_gradient",
    )


def _needed(*nodes) -> tuple[list[str], list[str]]:
    graph = _graph()
    result = make_graph().library
    needed_functions(nodes, graph.library, into=result)
    return (
        [f.signature.name for f in result.function],
        [g.function_name for g in result.gradient],
    )


def test_called_functions() -> None:
    known = {"sine", "then", "otherwise"}
    assert list(called_functions(make_node("a", "sine", "x"), known)) == ["sine"]
    assert list(called_functions(make_node("a", "Sin", "x"), known)) == []
    assert set(called_functions(_branch("a"), known)) == {"then", "otherwise"}
    call = make_node("a", "Case")
    call.attr["branches"].list.func.add(name="then").attr["f"].func.name = "sine"
    assert list(called_functions(call, known)) == ["then", "sine"]


def test_needed_functions_are_those_reached_with_their_gradients() -> None:
    assert _needed() == ([], [])
    assert _needed(make_node("a", "Sin", "x")) == ([], [])
    assert _needed(make_node("a", "cosine", "x")) == (["cosine"], [])
    with_gradient = ["sine", "outer", "sine_gradient", "only_for_gradient"]
    assert _needed(make_node("a", "outer", "x")) == (with_gradient, ["sine"])
    functions, gradients = _needed(_branch("a"))
    assert set(functions) == {*with_gradient, "cosine", "then", "otherwise"}
    assert gradients == ["sine"]


def test_functions_that_call_each_other() -> None:
    library = make_graph(functions=[_calling("a", "b"), _calling("b", "a")]).library
    result = make_graph().library
    needed_functions([make_node("n", "a", "x")], library, into=result)
    assert [f.signature.name for f in result.function] == ["a", "b"]


def test_an_empty_library() -> None:
    result = make_graph().library
    needed_functions([make_node("n", "a", "x")], make_graph().library, into=result)
    assert result == make_graph().library


def test_digests() -> None:
    first = make_graph(functions=[_unary("f", "Sin")]).library
    same = make_graph(functions=[_unary("f", "Sin")]).library
    other = make_graph(functions=[_unary("f", "Cos")]).library
    assert library_digest(first) == library_digest(same)
    assert library_digest(first) != library_digest(other)
    assert library_digest(first).isalnum()


def test_renaming() -> None:
    call = make_node("call", "PartitionedCall", "x", Tin=[tf.float32], Tout=[tf.float32], f="outer")
    call.attr["f"].func.attr["inner"].func.name = "cosine"
    call.attr["f"].func.attr["unknown"].func.name = "elsewhere"
    graph = _graph(make_node("direct", "sine", "x"), call, _branch("if"))
    expected = run(graph, ["direct:0", "call:0", "if:0"], x=0.5, flag=False)
    rename_functions(graph, "__z")
    direct, call, branch = graph.node[2:]
    assert (direct.name, direct.op) == ("direct", "sine__z")
    assert call.attr["f"].func.name == "outer__z"
    assert call.attr["f"].func.attr["inner"].func.name == "cosine__z"
    assert call.attr["f"].func.attr["unknown"].func.name == "elsewhere"
    assert branch.attr["then_branch"].func.name == "then__z"
    functions = {f.signature.name: f for f in graph.library.function}
    assert set(functions) == {f"{f.signature.name}__z" for f in FUNCTIONS}
    assert functions["outer__z"].node_def[0].op == "sine__z"
    assert [(g.function_name, g.gradient_func) for g in graph.library.gradient] == [
        ("sine__z", "sine_gradient__z"),
        ("unused__z", "sine_gradient__z"),
    ]
    assert run(graph, ["direct:0", "call:0", "if:0"], x=0.5, flag=False) == expected
    assert graph.node[0].op == "Placeholder"


def test_renaming_in_attributes_of_functions() -> None:
    function = _unary("f", "Sin")
    function.attr["_noinline"].b = True
    function.attr["_of"].func.name = "f"
    graph = make_graph(functions=[function])
    rename_functions(graph, "_1")
    (renamed,) = graph.library.function
    assert renamed.attr["_of"].func.name == "f_1"
    assert renamed.attr["_noinline"].b


def test_functions_after_those_that_they_call() -> None:
    calls = {"a": {"b", "c"}, "b": {"c", "elsewhere"}, "c": set(), "r": {"r"}, "s": {"r"}}
    found = callees_first(calls)
    assert sorted(found) == ["a", "b", "c"]
    assert found.index("c") < found.index("b") < found.index("a")


def test_attributes_that_a_caller_gives() -> None:
    library = make_graph(functions=FUNCTIONS).library
    assert find_open_attribute(library) is None
    node = next(f for f in library.function if f.signature.name == "outer").node_def[0]
    node.attr["f"].func.attr["where"].placeholder = "anywhere"
    assert find_open_attribute(library) == ("outer", node.name, "f")
    del node.attr["f"]
    node.attr["T"].placeholder = "T"
    assert find_open_attribute(library) == ("outer", node.name, "T")
