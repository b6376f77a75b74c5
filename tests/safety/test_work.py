"""The check takes time in proportion to the graph: twice the nodes, twice the nodes looked at."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from compat_hub.format.host_access import find_host_access
from compat_hub.format.variant import GraphVariant
from compat_hub.graphdef.analysis.host_nodes import PassedOn
from compat_hub.graphdef.subgraph import NodeIndex
from tests.authoring import add_meta_graph
from tests.graphdef.graphs import make_node

v1 = tf.compat.v1


def _variant(length: int, signatures: int) -> GraphVariant:
    """A chain from an asset to what reads it, and one from there to the outputs."""
    saved_model = saved_model_pb2.SavedModel()
    with tf.Graph().as_default():
        x = v1.placeholder(tf.string, [], "x")
        add_meta_graph(
            saved_model, {f"s{k}": ({"x": x}, {"default": x}) for k in range(signatures)}
        )
    meta_graph = saved_model.meta_graphs[0]
    nodes = meta_graph.graph_def.node
    nodes.append(make_node("asset", "Const", dtype=tf.string, value=b""))
    meta_graph.asset_file_def.add(filename="file").tensor_info.name = "asset:0"
    last = "asset"
    for k in range(length):
        last = _append(nodes, f"name{k}", "Identity", last)
    last = _append(nodes, "read", "ReadFile", last)
    for k in range(length):
        last = _append(nodes, f"content{k}", "Identity", last)
    for signature in meta_graph.signature_def.values():
        signature.outputs["default"].name = f"{last}:0"
    return GraphVariant(meta_graph, "module")


def _append(nodes: Any, name: str, op: str, source: str) -> str:
    nodes.append(make_node(name, op, source))
    return name


@pytest.mark.parametrize("signatures", [1, 3])
def test_long_chains(signatures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def count(owner: type, name: str) -> None:
        method = getattr(owner, name)

        def counted(*args: Any) -> Any:
            nonlocal looks
            looks += 1
            return method(*args)

        monkeypatch.setattr(owner, name, counted)

    count(NodeIndex, "sources")
    count(NodeIndex, "consumers")
    count(NodeIndex, "get")
    count(PassedOn, "__contains__")

    def work(length: int) -> int:
        nonlocal looks
        variant = _variant(length, signatures)
        looks = 0
        assert find_host_access(variant) == []
        return looks

    assert 1000 < work(2000) <= 2.1 * work(1000)
