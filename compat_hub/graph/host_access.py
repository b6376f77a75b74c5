"""The ops that touch the host: its files, its network, its processes, or the program's Python."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from compat_hub.graph.names import is_control, node_of, tensor_of

NodeDef = Any

_FILES = "reads or writes files"
_PYTHON = "calls Python"
_NETWORK = "reaches the network"
_PROGRAMS = "runs programs that are not in the graph"

_OPS = {
    **dict.fromkeys(
        [
            *("WriteFile", "MatchingFiles", "MatchingFilesDataset"),
            *("Save", "SaveSlices", "SaveV2", "Restore", "RestoreSlice", "RestoreV2"),
            *("MergeV2Checkpoints", "LoadAndRemapMatrix", "GenerateVocabRemapping"),
            "ImmutableConst",
            *("WholeFileReader", "WholeFileReaderV2", "TextLineReader", "TextLineReaderV2"),
            *("FixedLengthRecordReader", "FixedLengthRecordReaderV2", "TFRecordReader"),
            *("TFRecordReaderV2", "LMDBReader"),
            *("CacheDataset", "CacheDatasetV2", "SnapshotDataset", "SnapshotDatasetV2"),
            *("SnapshotDatasetReader", "SnapshotNestedDatasetReader", "SnapshotChunkDataset"),
            *("SaveDataset", "SaveDatasetV2", "LoadDataset", "DatasetToTFRecord"),
            *("ExperimentalDatasetToTFRecord", "ExperimentalLMDBDataset", "LMDBDataset"),
            *("SqlDataset", "ExperimentalSqlDataset", "ListSnapshotChunksDataset"),
            "DistributedSave",
            *("CreateSummaryFileWriter", "CreateSummaryDbWriter", "FileSystemSetConfiguration"),
            *("ImportEvent", "RecordInput", "Skipgram", "DumpTensor"),
            *("CalibrationStatisticsSaver", "DTensorRestoreV2", "ExperimentalMatchingFilesDataset"),
        ],
        _FILES,
    ),
    **dict.fromkeys(["PyFunc", "PyFuncStateless", "EagerPyFunc"], _PYTHON),
    **dict.fromkeys(
        [
            *("Rpc", "TryRpc", "RpcCall", "RpcClient", "RpcServer", "RpcServerStart"),
            *("RpcServerRegister", "RpcCheckStatus", "RpcGetValue", "RemoteCall"),
            *("RemoteFusedGraphExecute", "DataServiceDataset", "DataServiceDatasetV2"),
            *("DataServiceDatasetV3", "DataServiceDatasetV4", "RegisterDataset"),
            *("RegisterDatasetV2", "BigQueryReader", "GenerateBigQueryReaderPartitions"),
            *("BigtableClient", "BigtableTable", "KafkaDataset", "KinesisDataset"),
            *("Send", "Recv", "_Send", "_HostSend", "_Recv", "_HostRecv"),
            *("CollectiveReduce", "CollectiveReduceV2", "CollectiveReduceV3"),
            *("CollectiveGather", "CollectiveGatherV2", "CollectiveBcastSend"),
            *("CollectiveBcastRecv", "CollectiveBcastSendV2", "CollectiveBcastRecvV2"),
            *("CollectiveAllToAllV2", "CollectiveAllToAllV3", "CollectiveInitializeCommunicator"),
            *("ConfigureDistributedTPU", "ShutdownDistributedTPU"),
        ],
        _NETWORK,
    ),
    **dict.fromkeys(["DatasetFromGraph", "TRTEngineOp", "DeserializeIterator"], _PROGRAMS),
}
# The ops that read whole files and nothing else, and the number of the input that names them.
_READERS = {
    "ReadFile": 0,
    **dict.fromkeys(["InitializeTableFromTextFile", "InitializeTableFromTextFileV2"], 1),
    **dict.fromkeys(["TextLineDataset", "TFRecordDataset", "TFRecordDatasetV2"], 0),
    **dict.fromkeys(["FixedLengthRecordDataset", "FixedLengthRecordDatasetV2"], 0),
    **dict.fromkeys(["CSVDataset", "CSVDatasetV2", "ExperimentalCSVDataset"], 0),
}
_PROTO_CODECS = {"DecodeProtoV2", "EncodeProto"}
# What descriptor_source of these may be without a file being read.
_NO_FILE = (b"", b"local://", b"bytes://")
_SUSPECTS = frozenset({*_OPS, *_READERS, *_PROTO_CODECS, "PrintV2", "FixedUnigramCandidateSampler"})
_DEBUG = "Debug"
_STREAMS = {b"", b"stdout", b"stderr", b"log(info)", b"log(warning)", b"log(error)"}


def may_touch_host(op: str) -> bool:
    """Whether some node of an op touches the host: `host_access` says which."""
    return op in _SUSPECTS or op.startswith(_DEBUG)


def host_access(node: NodeDef, own_files: Collection[str] = ()) -> str | None:
    """What a node does to the host, or None where it stays within the graph.

    Args:
        node: The node.
        own_files: Names of the tensors that hold paths of the module's own files.

    Returns:
        The end of a sentence about the node: `"reads or writes files"`.
    """
    if node.op in _OPS:
        return _OPS[node.op]
    if node.op in _READERS:
        data = [tensor_of(source) for source in node.input if not is_control(source)]
        names = data[_READERS[node.op] :][:1]
        return None if names and names[0] in own_files else _FILES
    if node.op in _PROTO_CODECS:
        source = node.attr["descriptor_source"].s
        is_inside = source in _NO_FILE or source.startswith(b"bytes://")
        return None if is_inside else _FILES
    if node.op == "PrintV2":
        return None if node.attr["output_stream"].s in _STREAMS else _FILES
    if node.op == "FixedUnigramCandidateSampler" and node.attr["vocab_file"].s:
        return _FILES
    # DebugIdentity and its kind send what they see to a URL.
    sends = node.op.startswith(_DEBUG) and any(node.attr["debug_urls"].list.s)
    return _NETWORK if sends else None


def passed_on(tensors: Collection[str], nodes: Mapping[str, NodeDef]) -> frozenset[str]:
    """The names of tensors, and of those that Identity makes of them.

    Args:
        tensors: The names.
        nodes: The graph's nodes by name.
    """
    found = set(tensors)
    if not found:
        return frozenset()
    copies = {name: node for name, node in nodes.items() if node.op == "Identity" and node.input}
    for first in copies:
        name, chain = first, dict[str, None]()
        while name in copies and name not in chain and tensor_of(name) not in found:
            chain[name] = None
            source = copies[name].input[0]
            name = node_of(source)
            if tensor_of(source) in found:
                found.update(map(tensor_of, chain))
    return frozenset(found)
