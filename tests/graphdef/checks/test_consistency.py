from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from compat_hub.graphdef.checks.consistency import find_inconsistency
from compat_hub.tf_private import op_registry
from tests.graphdef.graphs import FLOAT, INT, make_function, make_graph, make_node


def _find(graph_def: Any) -> str | None:
    given = {"x:0": FLOAT, "p:0": tf.bool.as_datatype_enum}
    return find_inconsistency(graph_def, given, ["y:0", "^y"], op_registry.op_def)


def _graph() -> Any:
    """An If, a While and a call, each with functions that fit."""
    same = make_function(
        "same",
        {"a": FLOAT},
        {"r": ("n:y:0", FLOAT)},
        make_node("n", "Neg", "a", T=tf.float32),
    )
    small = make_function(
        "small",
        {"a": FLOAT},
        {"r": ("less:z:0", tf.bool.as_datatype_enum)},
        make_node("less", "Less", "a", "a", T=tf.float32),
    )
    call = make_node("call", "same", "x", "^p")
    branch = make_node("branch", "If", "p", "call", then_branch="same", else_branch="same")
    branch.attr["Tcond"].type = tf.bool.as_datatype_enum
    for name in ("Tin", "Tout"):
        branch.attr[name].list.type.append(FLOAT)
    loop = make_node("loop", "While", "branch", body="same", cond="small", T=[tf.float32])
    y = make_node("y", "Identity", "loop:0", "^call", T=tf.float32)
    return make_graph(call, branch, loop, y, functions=[same, small])


def _edit(edit: Callable[[Any, dict[str, Any], dict[str, Any]], None]) -> str | None:
    graph_def = _graph()
    nodes = {node.name: node for node in graph_def.node}
    functions = {f.signature.name: f for f in graph_def.library.function}
    edit(graph_def, nodes, functions)
    return _find(graph_def)


def test_a_graph_that_fits() -> None:
    assert _find(_graph()) is None


def _wrong_dtype(_: Any, nodes: Any, __: Any) -> None:
    nodes["y"].attr["T"].type = INT


def _wrong_output(_: Any, nodes: Any, __: Any) -> None:
    nodes["y"].input[0] = "loop:1"


def _no_node(_: Any, nodes: Any, __: Any) -> None:
    nodes["y"].input[0] = "nothing"


def _no_control(_: Any, nodes: Any, __: Any) -> None:
    nodes["y"].input[1] = "^nothing"


def _two_nodes(graph_def: Any, _: Any, __: Any) -> None:
    graph_def.node.add(name="call", op="NoOp")


def _two_functions(graph_def: Any, _: Any, __: Any) -> None:
    graph_def.library.function.add().signature.name = "same"


def _too_few_inputs(_: Any, nodes: Any, __: Any) -> None:
    del nodes["branch"].input[1]


def _no_function(_: Any, nodes: Any, __: Any) -> None:
    nodes["loop"].attr["body"].func.name = "none"


def _other_arguments(_: Any, __: Any, functions: Any) -> None:
    functions["small"].signature.input_arg.add(name="more", type=FLOAT)


def _other_results(_: Any, nodes: Any, __: Any) -> None:
    nodes["branch"].attr["then_branch"].func.name = "small"


def _wrong_input_in_a_function(_: Any, __: Any, functions: Any) -> None:
    functions["same"].node_def[0].input[0] = "b"


def _wrong_dtype_in_a_function(_: Any, __: Any, functions: Any) -> None:
    functions["same"].node_def[0].attr["T"].type = INT


def _wrong_result_of_a_function(_: Any, __: Any, functions: Any) -> None:
    functions["same"].ret["r"] = "n:z:0"


def _no_result_of_a_function(_: Any, __: Any, functions: Any) -> None:
    del functions["same"].ret["r"]


def _no_effect_of_a_function(_: Any, __: Any, functions: Any) -> None:
    functions["same"].control_ret["e"] = "none"


def _not_what_is_wanted(_: Any, nodes: Any, __: Any) -> None:
    nodes["y"].name = "z"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_wrong_dtype, "'y' of type 'Identity' takes 'loop:0', which is DT_FLOAT, as DT_INT32"),
        (_wrong_output, "the node 'y' takes 'loop:1', which is not there"),
        (_no_node, "the node 'y' takes 'nothing', which is not there"),
        (_no_control, "the node 'y' waits for 'nothing', which is not there"),
        (_two_nodes, "two nodes have one name"),
        (_two_functions, "two functions have one name"),
        (_too_few_inputs, "the node 'branch' of type 'If' has 1 inputs, not 2"),
        (_no_function, "'loop' has no function 'body'|'loop' calls 'none', which is not there"),
        (_other_arguments, "the function 'small' does not take what 'loop' gives it"),
        (_other_results, "the function 'small' does not give what 'branch' returns"),
        (_wrong_input_in_a_function, "'n' takes 'b', which is not there, in the function 'same'"),
        (_wrong_dtype_in_a_function, "'n' of type 'Neg' takes 'a', which is DT_FLOAT"),
        (_wrong_result_of_a_function, "there is no 'n:z:0', which is a result"),
        (_no_result_of_a_function, "nothing gives the result 'r'"),
        (_no_effect_of_a_function, "there is no node 'none', which runs besides"),
        (_not_what_is_wanted, "there is no 'y:0', which is wanted"),
    ],
)
def test_a_graph_that_does_not_fit(edit: Any, message: str) -> None:
    found = _edit(edit)
    assert found is not None
    assert re.search(message, found), found


def test_a_reference_is_its_value_and_a_call_has_its_own_dtypes() -> None:
    variable = make_node("v", "VariableV2", dtype=tf.float32)
    generic = make_function(
        "generic", {"a": "T"}, {"r": ("n:y:0", "T")}, make_node("n", "Neg", "a", T=("", "T"))
    )
    call = make_node("call", "generic", "v", T=tf.float32)
    y = make_node("y", "Identity", "call", T=tf.float32)
    assert _find(make_graph(variable, call, y, functions=[generic])) is None
    y.attr["T"].type = INT
    assert "as DT_INT32" in str(_find(make_graph(variable, call, y, functions=[generic])))


def test_nothing_is_said_of_ops_that_nobody_knows() -> None:
    odd = make_node("odd", "Frobnicate", "x", "x")
    y = make_node("y", "Identity", "odd:7", T=tf.int32)
    assert _find(make_graph(odd, y)) is None


def test_looking_changes_nothing() -> None:
    graph_def = _graph()
    before = graph_def.SerializeToString(deterministic=True)
    _find(graph_def)
    assert graph_def.SerializeToString(deterministic=True) == before
