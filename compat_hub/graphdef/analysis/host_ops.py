"""The ops that touch the host: its files, its network, its processes, or the program's Python.

All that TensorFlow 2.16 to 2.21 register were judged. Those of another package count as touching
the host, as what they do is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from tensorflow.core.framework import types_pb2

from compat_hub.graphdef.analysis.contained_ops import CONTAINED_OPS
from compat_hub.graphdef.names import is_control, tensor_of

NodeDef = Any

_FILES = "reads or writes files"
_PYTHON = "calls Python"
_NETWORK = "reaches the network"
_PROGRAMS = "runs programs that are not in the graph"
_END = "ends the process"
_OBJECTS_OF_BYTES = "makes objects of the process out of bytes"
_WAIT = "makes the program wait"
_MEMORY = "reads memory that it has not written"
_UNKNOWN = "is an op that compat_hub does not know"

# Whatever the nodes' attributes and inputs are.
_ALWAYS = {
    _FILES: """
        CacheDataset CacheDatasetV2 CalibrationStatisticsSaver CreateSummaryDbWriter
        CreateSummaryFileWriter DTensorRestoreV2 DatasetToTFRecord DistributedSave DumpTensor
        ExperimentalDatasetToTFRecord ExperimentalLMDBDataset ExperimentalMatchingFilesDataset
        ExperimentalSqlDataset FileSystemSetConfiguration FixedLengthRecordReader
        FixedLengthRecordReaderV2 GcsConfigureBlockCache GcsConfigureCredentials
        GenerateVocabRemapping ImmutableConst ImportEvent InitializeTRTResource LMDBDataset
        LMDBReader ListSnapshotChunksDataset LoadAndRemapMatrix LoadDataset MatchingFiles
        MatchingFilesDataset MergeV2Checkpoints RecordInput Restore RestoreSlice RestoreV2 Save
        SaveDataset SaveDatasetV2 SaveSlices SaveV2 SerializeTRTResource Skipgram
        SnapshotChunkDataset SnapshotDataset SnapshotDatasetReader SnapshotDatasetV2
        SnapshotNestedDatasetReader SqlDataset StoreMinibatchStatisticsInFdo TFRecordReader
        TFRecordReaderV2 TextLineReader TextLineReaderV2 WholeFileReader WholeFileReaderV2 WriteFile
        """,
    _PYTHON: "EagerPyFunc PyFunc PyFuncStateless",
    _NETWORK: """
        BigQueryReader BigtableClient BigtableTable CollectiveAllToAllV2 CollectiveAllToAllV3
        CollectiveBcastRecv CollectiveBcastRecvV2 CollectiveBcastSend CollectiveBcastSendV2
        CollectiveGather CollectiveGatherV2 CollectiveInitializeCommunicator CollectiveReduce
        CollectiveReduceScatterV2 CollectiveReduceV2 CollectiveReduceV3
        ConfigureAndInitializeGlobalTPU ConfigureDistributedTPU ConfigureTPUEmbedding
        ConfigureTPUEmbeddingHost ConfigureTPUEmbeddingMemory ConnectTPUEmbeddingHosts
        DTensorSetGlobalTPUArray DataServiceDataset DataServiceDatasetV2 DataServiceDatasetV3
        DataServiceDatasetV4 GenerateBigQueryReaderPartitions KafkaDataset KinesisDataset Recv
        RegisterDataset RegisterDatasetV2 RemoteCall RemoteFusedGraphExecute Rpc RpcCall
        RpcCheckStatus RpcClient RpcGetValue RpcServer RpcServerRegister RpcServerStart Send
        ShutdownDistributedTPU ShutdownTPUSystem TryRpc UpdateTaskIdAndGlobalCoreArray XlaRecv
        XlaRecvFromHost XlaSend XlaSendToHost _ConfigureDistributedTPU
        _DisconnectHostFromDistributedTPUSystem _HostRecv _HostSend
        _InitializeHostForDistributedTPU _Recv _Send _SetGlobalTPUArray _ShutdownDistributedTPU
        _WaitForDistributedTPU _XlaRecvAtHost _XlaRecvAtHostV2 _XlaSendFromHost _XlaSendFromHostV2
        """,
    # In another language, in a file's place as a string, or compiled elsewhere.
    _PROGRAMS: """
        CreateTRTResourceHandle DatasetFromGraph DeserializeIterator GetCalibrationDataOp
        MlirPassthroughOp TPUExecute TPUExecuteAndUpdateVariables TRTEngineOp TfLiteSubgraphExecute
        XlaCallModule XlaCustomCall XlaCustomCallV2 XlaHostCompute _TPUCompileMlir
        _XlaCompileMlirPlaceholderProgramKey _XlaHostComputeMlir _XlaRun
        """,
    _END: "Abort WorkerHeartbeat",
    _MEMORY: """
        TemporaryVariable _ParallelConcatStart _ScopedAllocator _ScopedAllocatorConcat
        _ScopedAllocatorSplit
        """,
    _WAIT: "ExperimentalSleepDataset SleepDataset SleepIdentityOp SleepOp",
}
_OPS = {op: what for what, ops in _ALWAYS.items() for op in ops.split()}
# The ops that read whole files and nothing else, and the number of the input that names them.
_READERS = {
    "ReadFile": 0,
    **dict.fromkeys(["InitializeTableFromTextFile", "InitializeTableFromTextFileV2"], 1),
    **dict.fromkeys(["TextLineDataset", "TFRecordDataset", "TFRecordDatasetV2"], 0),
    **dict.fromkeys(["FixedLengthRecordDataset", "FixedLengthRecordDatasetV2"], 0),
    **dict.fromkeys(["CSVDataset", "CSVDatasetV2", "ExperimentalCSVDataset"], 0),
}
_STREAMS = {b"", b"stdout", b"stderr", b"log(info)", b"log(warning)", b"log(error)"}


def _has_descriptors(source: bytes) -> bool:
    """Whether the descriptors of protocol messages are in the process or the graph, not a file."""
    return source in (b"", b"local://") or source.startswith(b"bytes://")


# An attribute that may name a file, and whether its value names none.
_FILE_OPTIONS: dict[str, tuple[str, Callable[[bytes], bool]]] = {
    "DecodeProtoV2": ("descriptor_source", _has_descriptors),
    "EncodeProto": ("descriptor_source", _has_descriptors),
    "FixedUnigramCandidateSampler": ("vocab_file", lambda name: not name),
    "PrintV2": ("output_stream", lambda name: name in _STREAMS),
}
# They send what they see to a URL, and have none but in TensorFlow's debugger.
_WATCHERS = {
    **dict.fromkeys(["DebugIdentity", "DebugIdentityV2", "DebugIdentityV3"], "debug_urls"),
    **dict.fromkeys(["DebugNanCount", "DebugNumericSummary"], "debug_urls"),
    **dict.fromkeys(["Copy", "CopyHost"], "debug_ops_spec"),
}
# They make tensors of bytes, and the attribute that says of which dtype. Of those that are no more
# than numbers and strings TensorFlow checks the bytes.
_PARSERS = {
    "ParseTensor": "out_type",
    **dict.fromkeys(["DeserializeSparse", "DeserializeManySparse"], "dtype"),
}
_OBJECTS = frozenset({types_pb2.DT_VARIANT, types_pb2.DT_RESOURCE})
_SUSPECTS = frozenset({*_OPS, *_PARSERS, *_READERS, *_WATCHERS, *_FILE_OPTIONS})


def may_touch_host(op: str) -> bool:
    """Whether some node of an op may touch the host: `host_access` says which.

    An op that nobody has judged may, and so may the name of a function that is called like an op.
    """
    return op not in CONTAINED_OPS


def is_judged(op: str) -> bool:
    """Whether somebody has judged what an op does."""
    return op in CONTAINED_OPS or op in _SUSPECTS


def host_access(node: NodeDef, own_files: Container[str] = ()) -> str | None:
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
        return None if _file_name(node) in own_files else _FILES
    if node.op in _WATCHERS:
        return _NETWORK if any(node.attr[_WATCHERS[node.op]].list.s) else None
    if node.op in _FILE_OPTIONS:
        name, is_inside = _FILE_OPTIONS[node.op]
        return None if is_inside(node.attr[name].s) else _FILES
    if node.op in _PARSERS:
        return _OBJECTS_OF_BYTES if node.attr[_PARSERS[node.op]].type in _OBJECTS else None
    return None if is_judged(node.op) else _UNKNOWN


def _file_name(node: NodeDef) -> str:
    """The name of the tensor that tells a reader which file to read; empty where there is none."""
    data = [tensor_of(source) for source in node.input if not is_control(source)]
    names = data[_READERS[node.op] :]
    return names[0] if names else ""
