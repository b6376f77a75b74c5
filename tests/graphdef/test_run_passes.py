"""The order of passes, and what is checked behind each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from compat_hub.errors import ModuleFormatError
from compat_hub.graphdef.run_passes import Mode, Pass, PassError, run_passes
from compat_hub.tf_private import op_registry
from tests.graphdef.graphs import FLOAT, make_graph, make_node


@dataclasses.dataclass
class _Rewrite:
    graph_def: Any
    mode: Mode = Mode.FUNCTION
    fetches: list[str] = dataclasses.field(default_factory=lambda: ["y:0"])
    targets: list[str] = dataclasses.field(default_factory=list)
    dtypes: dict[str, int] = dataclasses.field(default_factory=lambda: {"x:0": FLOAT})
    where: str = "somewhere"
    ran: list[str] = dataclasses.field(default_factory=list)

    def op_def(self, op: str, /) -> Any:
        return op_registry.op_def(op)


def _rewrite(*more: Any, **changes: Any) -> _Rewrite:
    return _Rewrite(make_graph(make_node("y", "Neg", "x", T=tf.float32), *more), **changes)


def _named(name: str, do: Callable[[_Rewrite], Any] = lambda _: None, **options: Any) -> Pass:
    def run(rewrite: _Rewrite) -> None:
        rewrite.ran.append(name)
        do(rewrite)

    run.__name__ = name
    return Pass(run, **options)


def test_those_run_that_are_for_the_mode_and_apply() -> None:
    passes = [
        _named("first"),
        _named("for graphs", modes=frozenset({Mode.GRAPH})),
        _named("nothing to do", applies=lambda _: False),
        _named("after the first", applies=lambda rewrite: rewrite.ran == ["first"]),
    ]
    rewrite = _rewrite()
    run_passes(passes, rewrite)
    assert rewrite.ran == ["first", "after the first"]


@pytest.mark.parametrize("new_graph", [False, True])
def test_a_name_that_is_taken_is_refused_without_any_setting(
    new_graph: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COMPAT_HUB_CHECK_PASSES")

    def add(rewrite: _Rewrite) -> None:
        if new_graph:
            rewrite.graph_def = make_graph(*rewrite.graph_def.node)
        rewrite.graph_def.node.add(name="y", op="NoOp")

    with pytest.raises(ModuleFormatError, match="two nodes would have the name 'y'"):
        run_passes([_named("adds", add)], _rewrite())


def test_a_function_whose_name_is_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPAT_HUB_CHECK_PASSES")

    def add(rewrite: _Rewrite) -> None:
        for _ in range(2):
            rewrite.graph_def.library.function.add().signature.name = "f"

    with pytest.raises(ModuleFormatError, match="two functions would have the name 'f'"):
        run_passes([_named("adds", add)], _rewrite())


def _take_nothing(rewrite: _Rewrite) -> None:
    rewrite.graph_def.node[0].input[0] = "nothing"


def _forget(rewrite: _Rewrite) -> None:
    del rewrite.graph_def.node[:]


def test_a_fault_names_its_pass() -> None:
    with pytest.raises(PassError, match="after the pass 'second' the node 'y' takes 'nothing'"):
        run_passes([_named("first"), _named("second", _take_nothing)], _rewrite())


def test_what_is_wanted_has_to_be_there() -> None:
    with pytest.raises(PassError, match="after the pass 'forgets' there is no 'y:0'"):
        run_passes([_named("forgets", _forget)], _rewrite())
    rewrite = _rewrite(make_node("t", "NoOp"), fetches=[], targets=["t"])
    with pytest.raises(PassError, match=r"after the pass 'forgets' there is no '\^t'"):
        run_passes([_named("forgets", _forget)], rewrite)


def test_a_graph_that_was_damaged_is_left_to_the_importer() -> None:
    rewrite = _rewrite(make_node("z", "Neg", "nothing", T=tf.float32))
    run_passes([_named("takes nothing", _take_nothing)], rewrite)
    assert rewrite.graph_def.node[0].input[0] == "nothing"


def test_without_the_setting_nothing_but_names_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPAT_HUB_CHECK_PASSES", "0")
    run_passes([_named("takes nothing", _take_nothing)], _rewrite())
