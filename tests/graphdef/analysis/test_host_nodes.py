"""Which nodes of a graph touch the host, functions included, and in linear time."""

from __future__ import annotations

from typing import Any

import pytest

from compat_hub.graphdef.analysis import host_nodes
from compat_hub.graphdef.analysis.host_nodes import HostFunctions, HostNodes, PassedOn
from compat_hub.graphdef.subgraph import NodeIndex, dependents, names_by_op
from tests.graphdef.graphs import make_function, make_graph, make_node

SUSPECTS = {"ReadFile", "SaveV2"}


def test_what_identity_passes_on() -> None:
    nodes = {
        "a": ("Const",),
        "c": ("Identity", "b:0"),
        "b": ("Identity", "a", "^x"),
        "d": ("StringJoin", "b"),
        "e": ("Identity", "d"),
        "f": ("Identity", "split:1"),
        "g": ("Identity", "h"),
        "h": ("Identity", "g"),
    }
    nodes = {name: make_node(name, *rest) for name, rest in nodes.items()}
    tensors = {f"{name}:0" for name in nodes} | {"split:0", "split:1", "b:1"}

    def passed_on(*names: str, fed: tuple[str, ...] = ()) -> set[str]:
        found = PassedOn(names, nodes, fed)
        return {tensor for tensor in sorted(tensors) if tensor in found}

    assert passed_on("a:0") == {"a:0", "b:0", "c:0"}
    assert passed_on("split:1") == {"split:1", "f:0"}
    assert passed_on("split:0") == {"split:0"}
    assert passed_on("a:0", fed=("b:0",)) == {"a:0"}
    assert passed_on("a:0", fed=("a:0",)) == set()


def _function(name: str, *nodes: Any) -> Any:
    return make_function(name, {}, {}, *nodes)


def _library() -> Any:
    return make_graph(
        functions=[
            _function("harmless", make_node("n", "NoOp")),
            _function("reads", make_node("n", "ReadFile", "name")),
            _function("calls", make_node("n", "PartitionedCall", f="reads")),
            _function("has_gradient", make_node("n", "NoOp")),
            _function("has_op_as_gradient", make_node("n", "NoOp")),
            _function("nests", make_node("n", "reads")),
        ],
        has_gradient="calls",
        has_op_as_gradient="WriteFile",
    ).library


def test_functions_and_what_they_call() -> None:
    functions = HostFunctions(_library(), SUSPECTS)
    expected = {"reads", "calls", "has_gradient", "has_op_as_gradient", "nests"}
    assert functions.names == expected
    listed: set[str] = set()
    (place,) = functions.places(["has_gradient"], listed)
    assert (place.op, place.name) == ("ReadFile", "reads/n")
    assert list(functions.places(["nests"], listed)) == []
    (place,) = functions.places(["has_op_as_gradient"], listed)
    assert (place.op, place.name) == ("WriteFile", "has_op_as_gradient/gradient")


def test_nodes() -> None:
    graph = make_graph(
        make_node("path", "Const"),
        make_node("own", "ReadFile", "path"),
        make_node("other", "ReadFile", "own"),
        make_node("call", "PartitionedCall", f="nests"),
        make_node("harmless", "PartitionedCall", f="harmless"),
        make_node("saved", "SaveV2"),
        make_node("sum", "AddN", "own", "^call"),
    )
    graph.library.CopyFrom(_library())
    nodes = NodeIndex(graph)
    hosts = HostNodes(nodes, names_by_op(nodes), graph.library, SUSPECTS, {"saved"})
    assert hosts.names == {"own", "other", "call"}
    own = PassedOn(["path:0"], nodes)
    assert hosts.beyond(own) == {"other", "call"}
    within = dependents(nodes, hosts.names)
    assert hosts.needed(["sum:0"], [], within) == {"own", "call"}
    assert hosts.needed(["sum:0"], ["own:0"], within) == {"call"}
    assert hosts.needed(["sum:0"], ["own:0", "call:0"], within) == set()
    assert [p.name for p in hosts.places(["own", "call"], own, set())] == ["reads/n"]


class _Counted(dict[str, Any]):
    """Nodes that count how often they are looked at."""

    looks = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.looks += 1
        return super().get(key, default)


@pytest.mark.parametrize("readers", [1, 10])
def test_long_chains_are_walked_once(readers: int) -> None:
    def looks(length: int) -> int:
        chain = {f"c{k}": make_node(f"c{k}", "Identity", f"c{k - 1}") for k in range(1, length)}
        nodes = _Counted({"c0": make_node("c0", "Const"), **chain})
        found = PassedOn(["c0:0"], nodes)
        assert all(f"c{length - 1 - k}:0" in found for k in range(readers))
        return nodes.looks

    assert looks(2000) <= 2.1 * looks(1000)


def test_functions_that_call_the_next_are_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    called_functions = host_nodes.called_functions

    def counted(*args: Any) -> Any:
        nonlocal looks
        looks += 1
        return called_functions(*args)

    monkeypatch.setattr(host_nodes, "called_functions", counted)

    def work(length: int) -> int:
        nonlocal looks
        looks = 0
        chain = [
            _function(
                f"f{k}",
                make_node("a", "PartitionedCall", f=f"f{k + 1}"),
                make_node("b", "PartitionedCall", f=f"f{k + 1}"),
            )
            for k in range(length)
        ]
        functions = HostFunctions(
            make_graph(
                functions=[*chain, _function(f"f{length}", make_node("r", "ReadFile"))]
            ).library,
            SUSPECTS,
        )
        assert len(functions.names) == length + 1
        assert len(list(functions.places(["f0"], set()))) == 1
        return looks

    assert work(200) <= 2.1 * work(100)
