"""Functions that call each other without end, or none."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from compat_hub.graph.calls import find_bad_call


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
