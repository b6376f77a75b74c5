"""Which ops touch the host."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.op_def_pb2 import OpDef, OpList
from tensorflow.python.client import pywrap_tf_session

from compat_hub.graphdef.analysis import contained_ops, host_ops
from compat_hub.graphdef.analysis.contained_ops import CONTAINED_OPS
from compat_hub.graphdef.analysis.host_ops import host_access, is_judged, may_touch_host

# Ops whose arguments sound like files, addresses or programs, and are none.
_SOUNDING = {
    "ExperimentalSetStatsAggregatorDataset": "a tag",
    "SetStatsAggregatorDataset": "a tag",
}
_CONDITIONAL = {
    *("Copy", "CopyHost", "DebugIdentity", "DebugIdentityV2", "DebugIdentityV3", "DebugNanCount"),
    *("DebugNumericSummary", "FixedUnigramCandidateSampler", "PrintV2"),
    *("ParseTensor", "DeserializeSparse", "DeserializeManySparse"),
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
        ("XlaCallModule", "programs"),
        ("Abort", "ends the process"),
        ("SleepOp", "wait"),
        ("SleepDataset", "wait"),
    ],
)
def test_ops_that_always_do(op: str, what: str) -> None:
    assert what in (host_access(_node(op)) or "")


@pytest.mark.parametrize(
    "op", ["MatMul", "VarHandleOp", "HashTableV2", "While", "Print", "Assert", "RangeDataset"]
)
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


def test_where_ops_print_and_decode() -> None:
    assert host_access(_node("PrintV2", output_stream=b"stderr")) is None
    assert host_access(_node("PrintV2")) is None
    assert host_access(_node("PrintV2", output_stream=b"file:///tmp/log")) is not None
    assert host_access(_node("DecodeProtoV2", descriptor_source=b"local://")) is None
    assert host_access(_node("DecodeProtoV2", descriptor_source=b"bytes://abc")) is None
    assert host_access(_node("DecodeProtoV2", descriptor_source=b"/etc/passwd")) is not None
    assert host_access(_node("Copy")) is None
    node = _node("CopyHost")
    node.attr["debug_ops_spec"].list.s.append(b"DebugIdentity;grpc://somewhere;0")
    assert host_access(node) is not None
    assert host_access(_node("FixedUnigramCandidateSampler")) is None
    assert host_access(_node("FixedUnigramCandidateSampler", vocab_file=b"/etc/x")) is not None
    node = _node("DebugIdentity")
    assert host_access(node) is None
    node.attr["debug_urls"].list.s.append(b"grpc://somewhere")
    assert host_access(node) is not None


def _registered() -> dict[str, OpDef]:
    ops = OpList()
    buffer: Any = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    ops.ParseFromString(buffer)
    return {op.name: op for op in ops.op}


def test_each_op_of_tensorflow_is_judged() -> None:
    """One that fails this is new: see what its kernel does, and put it in either table."""
    registered = _registered()
    assert len(registered) > 1800, tf.__version__
    assert {op for op in registered if not is_judged(op)} == set()
    assert {op for op in CONTAINED_OPS if host_access(_node(op)) is not None} == set()


def test_no_op_is_judged_twice() -> None:
    names = [*" ".join(contained_ops._OPS).split(), *" ".join(host_ops._ALWAYS.values()).split()]
    assert sorted(names) == sorted(set(names))


def test_no_argument_that_sounds_like_the_host_is_forgotten() -> None:
    words = {"file", "filename", "filenames", "path", "dir", "directory", "address", "url", "urls"}
    words |= {"logdir", "uri", "prefix", "module", "backend", "microseconds", "exit"}
    sounding = {
        op.name
        for op in _registered().values()
        for arg in (*op.attr, *op.input_arg)
        if words & {*arg.name.lower().split("_")}
    }
    assert len(sounding) > 50, tf.__version__
    forgotten = {op for op in sounding if host_access(_node(op)) is None}
    assert forgotten - set(_SOUNDING) - _CONDITIONAL == set()
    assert not any(map(may_touch_host, _SOUNDING))
    assert all(map(may_touch_host, (sounding | _CONDITIONAL) - set(_SOUNDING)))


def test_an_op_that_nobody_has_judged() -> None:
    assert may_touch_host("NewOp")
    assert not is_judged("NewOp")
    assert "does not know" in (host_access(_node("NewOp")) or "")


@pytest.mark.parametrize(
    ("op", "attr"),
    [
        ("ParseTensor", "out_type"),
        ("DeserializeSparse", "dtype"),
        ("DeserializeManySparse", "dtype"),
    ],
)
def test_tensors_of_bytes(op: str, attr: str) -> None:
    node = _node(op)
    for dtype in (tf.float32, tf.string):
        node.attr[attr].type = dtype.as_datatype_enum
        assert host_access(node) is None
    for dtype in (tf.variant, tf.resource):
        node.attr[attr].type = dtype.as_datatype_enum
        assert "out of bytes" in (host_access(node) or "")
