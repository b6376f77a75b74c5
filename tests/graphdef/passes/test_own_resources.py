from __future__ import annotations

from tensorflow.core.framework.graph_pb2 import GraphDef

from compat_hub.graphdef.passes.own_resources import (
    fill_memory,
    own_resources,
    own_resources_of_functions,
)
from compat_hub.tf_private import op_registry


def _graph() -> GraphDef:
    graph_def = GraphDef()
    function = graph_def.library.function.add()
    function.signature.name = "body"
    for nodes in graph_def.node, function.node_def:
        nodes.add(name="named", op="FIFOQueueV2").attr["shared_name"].s = b"queue"
        nodes.add(name="unnamed", op="Stage")
        nodes.add(name="private", op="HashTableV2")
        shared = nodes.add(name="shared", op="HashTableV2")
        shared.attr["use_node_name_sharing"].b = True
        several = nodes.add(name="several", op="_VarHandlesOp")
        several.attr["shared_names"].list.s.extend([b"a", b""])
        nodes.add(name="empty", op="Empty")
        nodes.add(name="other", op="NoSuchOp")
        nodes.add(name="add", op="AddSparseToTensorsMap")
        nodes.add(name="take", op="TakeManySparseFromTensorsMap").attr["shared_name"].s = b"add"
    return graph_def


def _names(nodes) -> list[bytes]:
    by_name = {node.name: node for node in nodes}
    single = [by_name[n].attr["shared_name"].s for n in ("named", "unnamed", "private", "shared")]
    return [*single, *by_name["several"].attr["shared_names"].list.s]


def test_names_of_resources() -> None:
    owned = [b"own/queue", b"own/unnamed", b"", b"own/shared", b"own/a", b"own/several"]
    in_function = [b"own/queue", b"own/body/unnamed", b"", b"own/body/shared", b"own/a"]
    in_function.append(b"own/body/several")
    graph_def = _graph()
    own_resources_of_functions(graph_def, "own", op_registry.op_def)
    assert _names(graph_def.library.function[0].node_def) == in_function
    assert _names(graph_def.node) == [b"queue", b"", b"", b"", b"a", b""]
    graph_def = _graph()
    own_resources(graph_def, "own", op_registry.op_def)
    assert _names(graph_def.node) == owned
    assert _names(graph_def.library.function[0].node_def) == in_function


def test_a_node_that_another_one_names() -> None:
    graph_def = _graph()
    own_resources(graph_def, "own", op_registry.op_def)
    for nodes in graph_def.node, graph_def.library.function[0].node_def:
        names = {node.name: node.attr["shared_name"].s for node in nodes}
        assert names["add"] == names["take"] == b"own/add"


def test_memory() -> None:
    graph_def = _graph()
    fill_memory(graph_def)
    for nodes in graph_def.node, graph_def.library.function[0].node_def:
        assert [n.name for n in nodes if n.attr["init"].b] == ["empty"]
