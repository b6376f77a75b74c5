"""Functions that call each other without end, or none."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from compat_hub.graphdef.checks import function_calls
from compat_hub.graphdef.checks.function_calls import find_bad_call


def _graph(**calls: str) -> Any:
    """A graph that calls `f`, with functions by what each calls."""
    graph_def = tf.compat.v1.GraphDef()
    graph_def.node.add(name="call", op="PartitionedCall").attr["f"].func.name = "f"
    for name, called in calls.items():
        function = graph_def.library.function.add()
        function.signature.name = name
        for k, other in enumerate(called.split()):
            function.node_def.add(name=f"n{k}", op="If").attr["then_branch"].func.name = other
    return graph_def


def _is_op(name: str) -> bool:
    return name == "MatMul"


@pytest.mark.parametrize("calls", [{"f": ""}, {"f": "g g h", "g": "h", "h": "MatMul"}])
def test_calls_that_end(calls: dict[str, str]) -> None:
    assert find_bad_call(_graph(**calls), _is_op) is None


@pytest.mark.parametrize(
    "calls", [{"f": "f"}, {"f": "g", "g": "h", "h": "g"}, {"f": "", "g": "h", "h": "g"}]
)
def test_calls_without_end(calls: dict[str, str]) -> None:
    assert "calls itself" in (find_bad_call(_graph(**calls), _is_op) or "")


@pytest.mark.parametrize("calls", [{}, {"f": "g"}])
def test_calls_of_no_function(calls: dict[str, str]) -> None:
    name = "g" if calls else "f"
    assert find_bad_call(_graph(**calls), _is_op) == (
        f"the function {name!r} is called, which the graph does not have"
    )


def test_an_op_that_touches_the_host_is_no_function() -> None:
    assert find_bad_call(_graph(f="WriteFile"), lambda _: True) == (
        "the op 'WriteFile' is called as a function"
    )


def _nested(depth: int, twice: bool) -> Any:
    """Branches within branches, with one function on each level, or one for each branch."""
    graph_def = tf.compat.v1.GraphDef()

    def branches(node: Any, level: int, place: str) -> None:
        for k, branch in enumerate(("then_branch", "else_branch")):
            name = f"f{level}" if twice else f"f{level}_{place}{k}"
            node.attr[branch].func.name = name
            if level and not (twice and k):
                function = graph_def.library.function.add()
                function.signature.name = name
                node_def = function.node_def.add(name="n", op="StatelessIf")
                branches(node_def, level - 1, f"{place}{k}")
            elif not (twice and k):
                graph_def.library.function.add().signature.name = name

    branches(graph_def.node.add(name="top", op="StatelessIf"), depth, "")
    return graph_def


@pytest.mark.parametrize(("depth", "twice"), [(9, False), (6, True)])
def test_branches_in_branches(depth: int, twice: bool) -> None:
    assert find_bad_call(_nested(depth, twice), _is_op) is None


def test_the_same_functions_in_branches_of_branches() -> None:
    message = find_bad_call(_nested(12, True), _is_op) or ""
    assert "within the node 'top' are more than 269" in message


def test_chains_of_functions_take_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    called_functions = function_calls.called_functions

    def counted(*args: Any) -> Any:
        nonlocal looks
        looks += 1
        return called_functions(*args)

    monkeypatch.setattr(function_calls, "called_functions", counted)

    def work(length: int) -> int:
        nonlocal looks
        looks = 0
        chain = {f"f{k}": f"f{k + 1}" for k in range(length)}
        assert find_bad_call(_graph(f="f0", **chain, **{f"f{length}": ""}), _is_op) is None
        return looks

    assert work(200) <= 2.1 * work(100)
