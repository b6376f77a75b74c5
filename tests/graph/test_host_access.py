"""Which ops touch the host."""

from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.op_def_pb2 import OpList
from tensorflow.python.client import pywrap_tf_session

from compat_hub.graph.host_access import host_access, may_touch_host, passed_on

# Ops whose arguments sound like files and addresses, and are none.
HARMLESS = {
    "DeviceIndex",  # names of devices of the graph
    "ShardedFilename",  # strings in, a string out
    "ShardedFilespec",
    "TensorSliceDataset",  # `is_files` is a note for TensorFlow's own optimizer
    "ExperimentalSetStatsAggregatorDataset",
    "SetStatsAggregatorDataset",
}


def _node(op: str, *inputs: str, **attrs: bytes) -> NodeDef:
    node = NodeDef(name="n", op=op, input=inputs)
    for name, value in attrs.items():
        node.attr[name].s = value
    return node


@pytest.mark.parametrize(
    ("op", "what"),
    [
        ("ReadFile", "files"),
        ("WriteFile", "files"),
        ("MatchingFiles", "files"),
        ("SaveV2", "files"),
        ("RestoreV2", "files"),
        ("TFRecordDatasetV2", "files"),
        ("CreateSummaryFileWriter", "files"),
        ("ImmutableConst", "files"),
        ("PyFunc", "Python"),
        ("PyFuncStateless", "Python"),
        ("EagerPyFunc", "Python"),
        ("RpcCall", "network"),
        ("DataServiceDatasetV4", "network"),
        ("DatasetFromGraph", "programs"),
    ],
)
def test_ops_that_always_do(op: str, what: str) -> None:
    assert what in (host_access(_node(op)) or "")


@pytest.mark.parametrize("op", ["MatMul", "VarHandleOp", "HashTableV2", "While", "Print", "Assert"])
def test_ops_that_never_do(op: str) -> None:
    assert host_access(_node(op)) is None


def test_a_table_may_be_filled_from_the_modules_own_files() -> None:
    node = _node("InitializeTableFromTextFileV2", "table", "path", "^other")
    assert host_access(node) is not None
    assert host_access(node, {"path:0"}) is None
    assert host_access(node, {"table:0"}) is not None


@pytest.mark.parametrize(
    "op", ["ReadFile", "TextLineDataset", "TFRecordDatasetV2", "FixedLengthRecordDataset"]
)
def test_the_modules_own_files_may_be_read(op: str) -> None:
    node = _node(op, "path", "compression", "^other")
    assert host_access(node) is not None
    assert host_access(node, {"path:0"}) is None
    assert host_access(node, {"path:1", "compression:0", "other:0"}) is not None
    assert host_access(_node(op), {"path:0"}) is not None


def test_what_identity_passes_on() -> None:
    nodes = {
        "a": _node("Const"),
        "c": _node("Identity", "b:0"),
        "b": _node("Identity", "a", "^x"),
        "d": _node("StringJoin", "b"),
        "e": _node("Identity", "d"),
        "f": _node("Identity", "split:1"),
        "g": _node("Identity", "h"),
        "h": _node("Identity", "g"),
    }
    assert passed_on(["a:0"], nodes) == {"a:0", "b:0", "c:0"}
    assert passed_on(["split:1"], nodes) == {"split:1", "f:0"}
    assert passed_on(["split:0"], nodes) == {"split:0"}


def test_where_ops_print_and_decode() -> None:
    assert host_access(_node("PrintV2", output_stream=b"stderr")) is None
    assert host_access(_node("PrintV2")) is None
    assert host_access(_node("PrintV2", output_stream=b"file:///tmp/log")) is not None
    assert host_access(_node("DecodeProtoV2", descriptor_source=b"local://")) is None
    assert host_access(_node("DecodeProtoV2", descriptor_source=b"bytes://abc")) is None
    assert host_access(_node("DecodeProtoV2", descriptor_source=b"/etc/passwd")) is not None
    assert host_access(_node("FixedUnigramCandidateSampler")) is None
    assert host_access(_node("FixedUnigramCandidateSampler", vocab_file=b"/etc/x")) is not None
    node = _node("DebugIdentity")
    assert host_access(node) is None
    node.attr["debug_urls"].list.s.append(b"grpc://somewhere")
    assert host_access(node) is not None


def test_no_op_of_tensorflow_with_a_file_name_is_forgotten() -> None:
    ops = OpList()
    buffer = pywrap_tf_session.TF_GetAllOpList()
    ops.ParseFromString(pywrap_tf_session.TF_GetBuffer(buffer))
    words = ("file", "directory", "address", "url", "logdir", "db_uri", "log_dir")
    sounding = {
        op.name
        for op in ops.op
        for arg in (*op.attr, *op.input_arg)
        if any(word in arg.name.lower() for word in words)
    }
    assert len(sounding) > 40, tf.__version__
    conditional = {
        "FixedUnigramCandidateSampler",
        *(op for op in sounding if op.startswith("Debug")),
    }
    forgotten = {op for op in sounding if host_access(_node(op)) is None}
    assert forgotten - HARMLESS - conditional == set()
    certain = {op.name for op in ops.op if host_access(_node(op.name)) is not None}
    assert all(map(may_touch_host, certain | conditional))
    assert not any(map(may_touch_host, HARMLESS))
