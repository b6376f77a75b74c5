from __future__ import annotations

import pytest
import tensorflow as tf

from compat_hub.graphdef.checks.table_files import find_bad_column, find_large_vocabulary


@pytest.mark.parametrize("name", ["key_index", "value_index"])
@pytest.mark.parametrize("column", [-2, -1, 0, 7, -3, 2**31])
def test_columns(name: str, column: int) -> None:
    graph_def = tf.compat.v1.GraphDef()
    node = graph_def.node.add(name="fill", op="InitializeTableFromTextFileV2")
    node.attr[name].i = column
    message = find_bad_column(graph_def) or ""
    assert (f"'fill' reads the column {column}" in message) is (column in {-3, 2**31})


@pytest.mark.parametrize("size", [-1, 0, 7, 11, 12, 2**45])
def test_lines_that_a_file_cannot_have(size: int) -> None:
    node = tf.compat.v1.NodeDef(name="fill", op="InitializeTableFromTextFileV2")
    node.attr["vocab_size"].i = size
    message = find_large_vocabulary({"fill": node}, {node.op: ["fill"]}, most_bytes=10)
    assert (message is not None) is (size > 11)
    assert message is None or f"'fill' fills a table from {size:,} lines" in message
