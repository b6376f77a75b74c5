"""A part of a graph as a function."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto

from compat_hub.graphdef.passes.control_flow.make_function import (
    CycleError,
    Facts,
    IrreducibleError,
    TensorType,
    ancestors_within,
    function_name,
    make_function,
    small_constant,
    topological_order,
)
from compat_hub.tf_private import op_registry
from tests.graphdef.graphs import FLOAT, RESOURCE, constant, floats, make_node, merge

_ANY = TensorShapeProto(unknown_rank=True)
_NUMBER = TensorType(FLOAT, _ANY)


def _facts() -> Facts:
    return Facts({}, op_registry.op_def)


def _make(nodes: list[Any], given: dict[str, int], results: list[str], **more: Any) -> Any:
    arguments = max(given.values(), default=-1) + 1
    return make_function(
        "f",
        nodes,
        given,
        more.pop("types", [_NUMBER] * arguments),
        results,
        [_NUMBER] * len(results),
        more.pop("effects", []),
        more.pop("facts", _facts()),
    )


def test_inputs_are_named_as_functions_name_them() -> None:
    nodes = [
        floats("a", "Neg", "x"),
        make_node("u", "Unique", "a:0", T=tf.float32),
        floats("b", "AddN", "u", "x:0", "y:1", N=3),
    ]
    function = _make(nodes, {"x:0": 0, "y:1": 1}, ["b:0", "x:0"])
    inputs = {node.name: list(node.input) for node in function.node_def}
    assert inputs == {
        "a": ["argument_0"],
        "u": ["a:y:0"],
        "b": ["u:y:0", "argument_0", "argument_1"],
    }
    assert dict(function.ret) == {"result_0": "b:sum:0", "result_1": "argument_0"}


def test_the_second_output() -> None:
    nodes = [make_node("u", "Unique", "x", T=tf.float32)]
    function = _make(nodes, {"x:0": 0}, ["u:1"])
    assert function.ret["result_0"] == "u:idx:0"


def test_waits_for_nodes_outside_are_dropped_and_others_kept_once() -> None:
    nodes = [
        make_node("inside", "NoOp"),
        floats("a", "Neg", "x", "^inside", "^outside", "^inside"),
    ]
    function = _make(nodes, {"x:0": 0}, ["a:0"])
    assert list(function.node_def[1].input) == ["argument_0", "^inside"]


def test_what_comes_from_nowhere_is_refused() -> None:
    with pytest.raises(IrreducibleError, match="is used in 'f' from outside") as caught:
        _make([floats("a", "Neg", "stranger")], {"x:0": 0}, ["a:0"])
    assert caught.value.node == "stranger"


def test_an_argument_has_no_name_of_a_node() -> None:
    nodes = [floats("argument_0", "Neg", "x")]
    function = _make(nodes, {"x:0": 0}, ["argument_0:0"])
    assert function.signature.input_arg[0].name == "argument__0"
    assert function.ret["result_0"] == "argument_0:y:0"


def test_a_variable_behind_a_resource_is_noted() -> None:
    behind = TensorType(RESOURCE, TensorShapeProto(), (FLOAT, _ANY))
    function = _make([], {"v:0": 0}, ["v:0"], types=[behind])
    (data,) = function.signature.input_arg[0].handle_data
    assert data.dtype == FLOAT
    assert data.shape.unknown_rank


def test_what_has_an_effect_runs_even_if_nobody_takes_its_result() -> None:
    write = make_node("write", "AssignVariableOp", "v", "x", dtype=tf.float32)
    facts = _facts()
    nodes = [write, floats("a", "Neg", "x")]
    kinds = [TensorType(RESOURCE, TensorShapeProto()), _NUMBER]
    function = _make(nodes, {"v:0": 0, "x:0": 1}, ["a:0"], types=kinds, facts=facts)
    assert dict(function.control_ret) == {"write": "write"}
    assert list(function.signature.control_output) == ["write"]
    assert function.signature.is_stateful
    assert "f" not in facts.pure


def test_a_function_that_only_computes_is_pure() -> None:
    facts = _facts()
    function = _make([floats("a", "Neg", "x")], {"x:0": 0}, ["a:0"], facts=facts)
    assert not function.signature.is_stateful
    assert not function.control_ret
    assert facts.pure == {"f"}


def test_effects_that_are_asked_for() -> None:
    nodes = [floats("a", "Neg", "x"), make_node("n", "NoOp")]
    function = _make(nodes, {"x:0": 0}, ["a:0"], effects=["n"])
    assert dict(function.control_ret) == {"n": "n"}


def test_an_order_in_which_each_comes_after_what_it_needs() -> None:
    nodes = [floats("c", "Add", "b", "a:0"), floats("b", "Neg", "a"), floats("a", "Neg", "x")]
    assert topological_order({n.name: n for n in nodes}) == ["a", "b", "c"]


def test_the_way_back_of_a_loop_is_no_cycle() -> None:
    nodes = [merge("m", "x", "n"), make_node("n", "NextIteration", "m", T=tf.float32)]
    assert topological_order({n.name: n for n in nodes}) == ["m", "n"]


@pytest.mark.parametrize("wait", ["b", "^b"])
def test_another_cycle_is_refused(wait: str) -> None:
    nodes = [floats("a", "AddN", wait), floats("b", "Neg", "a")]
    with pytest.raises(CycleError) as caught:
        topological_order({n.name: n for n in nodes})
    assert caught.value.node in {"a", "b"}


def test_what_is_needed_of_some_nodes() -> None:
    nodes = {n.name: n for n in [floats("a", "Neg", "x"), floats("b", "Neg", "a:0", "^w")]}
    nodes["w"], nodes["z"] = make_node("w", "NoOp"), make_node("z", "NoOp")
    assert ancestors_within(nodes, ["b:0"], {}).keys() == {"a", "b", "w"}
    assert ancestors_within(nodes, ["b:0"], {"a:0": 0}).keys() == {"b", "w"}


def test_small_constants_are_copied_without_what_they_wait_for() -> None:
    node = constant("c", 1.0)
    node.input.append("^x")
    copy = small_constant(node)
    assert copy is not None
    assert not copy.input
    assert list(node.input) == ["^x"]
    assert small_constant(constant("c", [0.0] * 1000)) is None
    assert small_constant(floats("a", "Neg", "x")) is None
    assert small_constant(None) is None


@pytest.mark.parametrize(
    ("parts", "name"), [(("a/b", "true"), "a_b_true"), (("_x",), "x"), (("__",), "region")]
)
def test_names_of_functions(parts: tuple[str, ...], name: str) -> None:
    assert function_name(*parts) == name
