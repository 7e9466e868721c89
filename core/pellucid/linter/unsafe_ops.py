"""The operations with which a model touches more than tensors: files, the network, the process.

"TensorFlow models are programs" (TensorFlow's SECURITY.md): whoever runs one runs what its author
wrote. Each operation of TensorFlow that is stateful, or whose name or inputs speak of files, hosts
or Python, was judged; a test holds the judgement to the installed TensorFlow's registry. What only
draws, queues, keeps variables or computes is not here. Nor are `XlaCallModule` and its kin: what
they compile computes, and the functions that they call are followed like all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_READS = """
    CSVDataset CSVDatasetV2 DTensorRestoreV2 ExperimentalCSVDataset ExperimentalLMDBDataset
    ExperimentalMatchingFilesDataset ExperimentalSqlDataset FixedLengthRecordDataset
    FixedLengthRecordDatasetV2 FixedLengthRecordReader FixedLengthRecordReaderV2
    GenerateVocabRemapping ImmutableConst LMDBDataset LMDBReader ListSnapshotChunksDataset
    LoadAndRemapMatrix LoadDataset MatchingFiles MatchingFilesDataset ReadFile RecordInput
    Skipgram SnapshotChunkDataset SnapshotDatasetReader SnapshotNestedDatasetReader SqlDataset
    TFRecordDataset TFRecordDatasetV2 TFRecordReader TFRecordReaderV2 TextLineDataset
    TextLineReader TextLineReaderV2 WholeFileReader WholeFileReaderV2
"""
_WRITES = """
    CalibrationStatisticsSaver CreateSummaryDbWriter CreateSummaryFileWriter DatasetToTFRecord
    DistributedSave DumpTensor ExperimentalDatasetToTFRecord FlushSummaryWriter ImportEvent
    MergeV2Checkpoints Save SaveDataset SaveDatasetV2 SaveSlices SaveV2 SnapshotDataset
    SnapshotDatasetV2 StatsAggregatorSetSummaryWriter StoreMinibatchStatisticsInFdo
    WriteAudioSummary WriteFile WriteGraphSummary WriteHistogramSummary WriteImageSummary
    WriteRawProtoSummary WriteScalarSummary WriteSummary
"""
_PYTHON = "EagerPyFunc PyFunc PyFuncStateless"
_NETWORK = """
    CollectiveAllToAllV2 CollectiveAllToAllV3 CollectiveAssignGroupV2 CollectiveBcastRecv
    CollectiveBcastRecvV2 CollectiveBcastSend CollectiveBcastSendV2 CollectiveGather
    CollectiveGatherV2 CollectiveInitializeCommunicator CollectivePermute CollectiveReduce
    CollectiveReduceScatterV2 CollectiveReduceV2 CollectiveReduceV3 DataServiceDataset
    DataServiceDatasetV2 DataServiceDatasetV3 DataServiceDatasetV4 DeleteRpcFutureResource
    NcclAllReduce NcclBroadcast NcclReduce Recv RegisterDataset RegisterDatasetV2 RemoteCall
    RpcCall RpcCheckStatus RpcClient RpcGetValue RpcServer RpcServerRegister RpcServerStart Send
    UpdateTaskIdAndGlobalCoreArray WorkerHeartbeat XlaRecv XlaSend _HostRecv _HostSend
    _NcclBroadcastRecv _NcclBroadcastSend _NcclReduceRecv _NcclReduceSend _Recv _Send
"""
_HIDDEN = """
    DatasetFromGraph MlirPassthroughOp _TPUCompileMlir _XlaCompileMlirPlaceholderProgramKey
    _XlaHostComputeMlir
"""
_PROCESS = "Abort FileSystemSetConfiguration"
_TPU = ("TPU", "Tpu", "Infeed", "Outfeed", "ToHost", "FromHost", "AtHost", "HostCompute")

_TOUCHES = {
    **dict.fromkeys(_READS.split(), "reads files"),
    **dict.fromkeys(_WRITES.split(), "writes files"),
    **dict.fromkeys(_PYTHON.split(), "calls Python"),
    **dict.fromkeys(_NETWORK.split(), "talks to other machines or devices"),
    **dict.fromkeys(_HIDDEN.split(), "runs a program that is hidden in its data"),
    **dict.fromkeys(_PROCESS.split(), "acts on the process itself"),
}
# The input that names a file; where it comes from decides.
PATH_INPUTS: Mapping[str, int] = {
    "InitializeTableFromTextFile": 1,
    "InitializeTableFromTextFileV2": 1,
    "Restore": 0,
    "RestoreSlice": 0,
    "RestoreV2": 0,
    "CacheDataset": 1,
    "CacheDatasetV2": 1,
}
RESTORES = ("Restore", "RestoreSlice", "RestoreV2")
SAVES = ("Save", "SaveSlices", "SaveV2", "MergeV2Checkpoints")
# The attribute that names a file or a host, and the values that name none.
_ATTRIBUTES = {
    "DebugIdentity": "debug_urls",
    "DebugIdentityV2": "debug_urls",
    "DebugIdentityV3": "debug_urls",
    "DebugNanCount": "debug_urls",
    "DebugNumericSummary": "debug_urls",
    "FixedUnigramCandidateSampler": "vocab_file",
    "DecodeProtoV2": "descriptor_source",
    "EncodeProto": "descriptor_source",
    "PrintV2": "output_stream",
}


def may_touch(op: str) -> bool:
    """Whether an operation of this type touches the world, or may."""
    return op in _TOUCHES or op in PATH_INPUTS or op in _ATTRIBUTES or _is_of_tpu(op)


def _is_of_tpu(op: str) -> bool:
    return any(word in op for word in _TPU)


def touches(op: str, attributes: Mapping[str, Any]) -> str | None:
    """Return what an operation does to the world, ``writes files``, or None.

    Those of `PATH_INPUTS` are judged by their inputs, not here.
    """
    if op in _TOUCHES:
        return _TOUCHES[op]
    if op in _ATTRIBUTES:
        return _by_attribute(op, attributes)
    return "talks to a TPU or its host" if _is_of_tpu(op) else None


def _by_attribute(op: str, attributes: Mapping[str, Any]) -> str | None:
    name = _ATTRIBUTES[op]
    if name not in attributes:
        return None
    value = attributes[name]
    if name == "debug_urls":
        return "writes files or talks to other machines" if list(value.list.s) else None
    word = value.s
    if name == "output_stream":
        return "writes files" if word.startswith(b"file://") else None
    if name == "descriptor_source":
        harmless = word in (b"", b"local://") or word.startswith(b"bytes://")
        return None if harmless else "reads files"
    return "reads files" if word else None
