from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDefLibrary

from compat_hub.graphdef.passes.inline_functions import inline_calls
from compat_hub.graphdef.passes.ops_to_functions import inline_substitutes, substitute
from compat_hub.tf_private import op_registry
from tests.graphdef.graphs import make_graph, make_node, placeholder


def _twice(name: str = "f") -> FunctionDefLibrary:
    library = FunctionDefLibrary()
    function = library.function.add()
    function.signature.name = name
    function.signature.input_arg.add(name="x", type=1)
    function.signature.output_arg.add(name="y", type=1)
    function.node_def.add(name="sum", op="AddV2", input=["x", "x"]).attr["T"].type = 1
    function.ret["y"] = "sum:z:0"
    return library


def _function_of(node: Any) -> FunctionDefLibrary | None:
    return _twice() if node.op == "Gone" else None


def _graph() -> Any:
    nodes = [placeholder("x"), make_node("a", "Gone", "x"), make_node("b", "Gone", "a")]
    return make_graph(*nodes)


def test_nodes_become_calls_of_one_function() -> None:
    graph_def = _graph()
    assert substitute(graph_def, _function_of)
    (function,) = graph_def.library.function
    assert [n.op for n in graph_def.node][1:] == [function.signature.name] * 2
    assert not substitute(graph_def, _function_of)


def test_nodes_with_other_attributes_have_another_function() -> None:
    graph_def = _graph()
    graph_def.node[1].attr["k"].i = 1
    substitute(graph_def, _function_of)
    assert len(graph_def.library.function) == 2


def test_nodes_of_functions_become_the_bodies() -> None:
    graph_def = make_graph(placeholder("x"), make_node("b", "g", "x"))
    function = graph_def.library.function.add()
    function.CopyFrom(_twice("g").function[0])
    del function.node_def[:]
    function.node_def.add(name="one", op="Gone", input=["x"])
    function.node_def.add(name="two", op="Gone", input=["one:y:0"])
    last = function.node_def.add(name="last", op="Identity", input=["two:y:0", "^one"])
    last.attr["T"].type = 1
    function.ret["y"] = "last:output:0"
    assert substitute(graph_def, _function_of)
    assert not any(node.op.startswith(("Gone", "CompatHub")) for node in function.node_def)
    assert _value(graph_def) == 12


def test_a_function_that_ends_in_such_a_node() -> None:
    graph_def = make_graph(placeholder("x"), make_node("b", "g", "x"))
    function = graph_def.library.function.add()
    function.CopyFrom(_twice("g").function[0])
    function.node_def[0].op = "Gone"
    function.node_def[0].attr.clear()
    del function.node_def[0].input[1:]
    function.ret["y"] = "sum:y:0"
    assert substitute(graph_def, _function_of)
    assert _value(graph_def) == 6


def test_names_of_the_graph_s_own_functions_are_left_alone() -> None:
    graph_def = _graph()
    graph_def.library.MergeFrom(_twice("f"))
    substitute(graph_def, _function_of)
    names = [f.signature.name for f in graph_def.library.function]
    assert names[0] == "f"
    assert len(set(names)) == 2


def test_a_function_that_is_named_like_an_op_stays() -> None:
    graph_def = _graph()
    graph_def.library.MergeFrom(_twice("Gone"))
    assert not substitute(graph_def, _function_of)
    assert [n.op for n in graph_def.node][1:] == ["Gone", "Gone"]


def _value(graph_def: Any) -> float:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.constant(3.0)
        (y,) = tf.graph_util.import_graph_def(graph_def, {"x:0": x}, ["b:0"], name="")
        return float(session.run(y))


def test_the_bodies_take_the_place_of_the_calls() -> None:
    graph_def = _graph()
    substitute(graph_def, _function_of)
    assert _value(inline_calls(graph_def, op_registry.op_def, lambda *_: "")) == 12
    new = inline_substitutes(graph_def, op_registry.op_def)
    assert new == {"a": ["a/argument/x", "a/sum"], "b": ["b/argument/x", "b/sum"]}
    assert _value(graph_def) == 12
