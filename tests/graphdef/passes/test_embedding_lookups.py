from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

import compat_hub
from compat_hub.graphdef.passes.embedding_lookups import keep_lookups_of_rows
from tests.authoring import write_module
from tests.graphdef.graphs import make_graph, make_node

v1 = tf.compat.v1


def test_indices_of_lookups_are_hidden() -> None:
    graph = make_graph(
        make_node("ids/rows", "Placeholder", dtype=tf.int64),
        make_node("ids", "Unique", "ids/rows", T=tf.int64, out_idx=tf.int32),
        make_node("lookup", "ResourceGather", "table", "ids", dtype=tf.float32, Tindices=tf.int64),
        make_node("again", "ResourceGather", "table", "ids:0", dtype=tf.float32, Tindices=tf.int64),
        make_node("other", "ResourceGather", "table", "ids:1", dtype=tf.float32, Tindices=tf.int32),
        make_node("plain", "ResourceGather", "table", "ids/rows", dtype=tf.float32),
    )
    keep_lookups_of_rows(graph)
    nodes = {node.name: node for node in graph.node}
    assert [list(nodes[n].input) for n in ("lookup", "again", "other", "plain")] == [
        ["table", "ids/rows_"],
        ["table", "ids/rows_"],
        ["table", "ids:1"],
        ["table", "ids/rows"],
    ]
    assert (nodes["ids/rows_"].op, list(nodes["ids/rows_"].input)) == ("EnsureShape", ["ids"])


def _embedding() -> dict[str, Any]:
    ids = v1.placeholder(tf.int64, [None], "ids")
    table = v1.get_variable("table", [9, 2], use_resource=True)
    rows, positions = tf.unique(ids)
    segments = tf.zeros_like(positions)
    mean = tf.raw_ops.SparseSegmentMean(
        data=tf.gather(table, rows), indices=positions, segment_ids=segments
    )
    return {"default": ({"ids": ids}, {"default": mean})}


def test_a_lookup_in_a_function_reads_no_table(tmp_path: Path) -> None:
    module = compat_hub.load(write_module(tmp_path / "module", none=_embedding))
    ids = tf.constant([3, 5, 3], tf.int64)
    expected = module(ids)
    runtime = context.context()
    runtime.enable_run_metadata()
    found = tf.function(module)(ids)
    metadata = runtime.export_run_metadata()
    runtime.disable_run_metadata()
    graphs = [g.post_optimization_graph for g in metadata.function_graphs]
    ops = [node.op for graph in graphs for node in graph.node]
    assert "ResourceGather" in ops
    assert "ReadVariableOp" not in ops
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    table = module.variables[0].numpy()
    np.testing.assert_allclose(found, [table[[3, 5, 3]].mean(axis=0)], rtol=1e-6)
