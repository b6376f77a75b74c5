"""Nothing in a written graph tells of the machine that built it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from compat_hub.graphdef.passes.strip_machine import (
    clear_checkpoint_paths,
    clear_devices,
    rename_files,
)
from tests.graphdef.graphs import make_function, make_graph, make_node, placeholder


def _on_device(name: str, op: str = "NoOp", **attrs: object):
    node = make_node(name, op, **attrs)
    node.device = "/job:worker/task:3/device:GPU:7"
    return node


def test_devices() -> None:
    function = make_function("f", {}, {}, _on_device("inner", config_proto=b"\n\x07\n\x03GPU"))
    graph = make_graph(
        _on_device("a", _class=b"kept"),
        make_node("call", "StatefulPartitionedCall", config_proto=b"\n\x07\n\x03CPU", f="f"),
        functions=[function],
    )
    clear_devices(graph)
    text = graph.SerializeToString()
    assert b"PU" not in text
    assert b"worker" not in text
    assert graph.node[0].attr["_class"].s == b"kept"
    assert "config_proto" not in graph.node[0].attr
    assert graph.node[1].attr["f"].func.name == "f"


def test_files() -> None:
    function = make_function("f", {}, {}, make_node("t", "HashTableV2", shared_name=b"h_/a/b_-2"))
    graph = make_graph(
        make_node("t", "HashTableV2", shared_name=b"h_/a/b_-2_-1"),
        make_node("u", "HashTableV2", shared_name=b"h_/a/b.txt_/a/b"),
        make_node("v", "VarHandleOp", shared_name=b"v"),
        make_node("w", "Const"),
        functions=[function],
    )
    rename_files(graph, {"/a/b": "b", "/a/b.txt": "b0"})
    assert [n.attr["shared_name"].s for n in graph.node[:3]] == [b"h_b_-2_-1", b"h_b0_b", b"v"]
    assert "shared_name" not in graph.node[3].attr
    assert graph.library.function[0].node_def[0].attr["shared_name"].s == b"h_b_-2"


def test_tables_of_different_files_stay_apart() -> None:
    # "b" is also what "/a/b" is renamed to.
    graph = make_graph(
        make_node("t", "HashTableV2", shared_name=b"h_/a/b"),
        make_node("u", "HashTableV2", shared_name=b"h_b"),
    )
    rename_files(graph, {"/a/b": "b", "b": "b0"})
    assert [n.attr["shared_name"].s for n in graph.node] == [b"h_b", b"h_b0"]


def test_paths_that_are_no_text() -> None:
    graph = make_graph(make_node("t", "HashTableV2", shared_name=b"h_/a(\xff[_"))
    rename_files(graph, {"/a(\udcff[": "b"})
    assert graph.node[0].attr["shared_name"].s == b"h_b_"
    rename_files(graph, {})
    assert graph.node[0].attr["shared_name"].s == b"h_b_"


@pytest.mark.parametrize("op", ["RestoreV2", "Restore", "RestoreSlice"])
def test_checkpoints(op: str) -> None:
    def build():
        return make_graph(
            make_node("path", "Const", value=np.array(b"/a/b")),
            make_node("names", "Const", value=np.array([b"w"])),
            make_node("restore", op, "path", "names", dtypes=[]),
        )

    def value(graph) -> list[bytes]:
        return list(graph.node[0].attr["value"].tensor.string_val)

    graph = build()
    clear_checkpoint_paths(graph, needed=set())
    assert value(graph) == [b""]
    assert list(graph.node[1].attr["value"].tensor.string_val) == [b"w"]
    for needed in ({"restore", "path", "names"}, {"path"}):
        graph = build()
        clear_checkpoint_paths(graph, needed)
        assert value(graph) == [b"/a/b"]


def test_a_computed_path_of_a_checkpoint_is_left() -> None:
    graph = make_graph(
        placeholder("path", tf.string),
        make_node("restore", "RestoreV2", "path"),
        make_node("damaged", "RestoreV2", "nowhere"),
    )
    before = graph.SerializeToString(deterministic=True)
    clear_checkpoint_paths(graph, needed=set())
    assert graph.SerializeToString(deterministic=True) == before
