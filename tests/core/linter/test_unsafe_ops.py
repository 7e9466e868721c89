"""Every operation of TensorFlow that could touch the world was judged."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from pellucid.linter import unsafe_ops as world_operations
from pellucid.linter.unsafe_ops import PATH_INPUTS, may_touch, touches
from pellucid.saved_model.protobuf import messages
from places import ROOT

TESTS = ROOT / "tests"

# What gives an operation away, beside being stateful: its name, or that of an input or attribute.
SUSPICIOUS = re.compile(
    "File|Write|Read|Save|Restore|Dataset|Py|Remote|Rpc|Send|Recv|TPU|Collective|Debug|Print|Load"
    "|Library|Host|Iterator|Exec|Mlir|Service|Import|Export|Checkpoint|Vocab|DB|Sql|Config|Server"
    "|Summary|Path|Dir|Shard|Compile|Run|Proto|Custom|Const$"
)
PLACES = re.compile("file|path|address|url|dir$|prefix|pattern|host|region|descriptor_source")

# Judged harmless. What only computes:
COMPUTES = """
    .*Backprop.* .*FusedBatchNorm.* _?_?Mkl.* .*Fused.*Conv.* _Fused.* Fused.* CheckNumerics(V2)?
    XlaCallModule XlaCustomCall(V2)? XlaLaunch _XlaCompile _XlaRun XlaDequantize XlaIf XlaWhile
    XlaSharding XlaSpmd.* XlaSparseCore.* RiscWhile _?If _?While Case (Stateful)?PartitionedCall
    Cudnn.* GuaranteeConst Const .*MatMul.* CTCBeamSearchDecoder RegexFullMatch RegexReplace
    SymbolicGradient AllToAll CrossReplicaSum ConvertToCooTensor ComputeDedup.* GetMinibatch.*
    SampleDistortedBoundingBox(V2)? _QuantizedMatMul .*CandidateSampler Timestamp DebugGradient.*
    DebugNumericSummaryV2 SdcaShrinkL1 _HostCast HostConst CopyHost .*[sS]harded(Filename|Filespec)
    Sharded(Filename|Filespec) DisableCopyOnRead AdjustConfig.* _Arg _Retval _Device.*
    GlobalIterId DeviceIndex NegTrain KernelLabel.* CustomAggregator XlaSparseDense.* StaticRegex.*
    (Audio|Histogram|Image|Merge|Scalar|Tensor|.*StatsAggregator)Summary(V2)? _EagerConst
"""
# What draws random numbers, and what keeps state in the process: variables, tables, queues.
KEEPS = """
    .*Random.* .*Truncated.* .*StandardNormal.* .*Uniform.* .*Binomial.* Multinomial Rng.*
    NonDeterministicInts .*Seed.* Resource.* _?Assign.* _?ReadVariable.* VarIsInitializedOp
    _?VarHandles?Op _XlaAotOnlyVarHandleOp Variable.* TemporaryVariable IsResource.*
    DestroyResourceOp .*ResourceHandle.* _ReadVariablesOp .*BoostedTrees.*
    (Anonymous|Mutable|Lookup)?.*(HashTable|LookupTable).* InitializeTable(V2|FromDataset)
    .*Queue.* .*Stack.* Barrier.* .*Accumulator.* (Ordered)?Map(Clear|IncompleteSize|Peek|Size|Stage|Unstage.*)
    (Un)?[sS]tage.* TensorArray.* .*TensorsMap .*Mutex.* .*SessionHandle.* .*SessionTensor .*MemoryCache
    DummyIterationCounter Empty DeepCopy Assert SyncDevice IsTensorFloat32Enabled StatelessRandomGetAlg
    _ScopedAllocator.* _ParallelConcatStart GraphDefVersion RequiresOlderGraphVersion Sleep.*
    DtypeWithDefaultOp TestAttr DevicePlacementOp FakeQueue _DeviceArg ConsumeMutexLock .*FromString.*
"""
# What moves data about in the process: datasets that hold or change them, readers of readers.
MOVES = """
    AnonymousIterator AnonymousIteratorV2 AnonymousIteratorV3 AnonymousMultiDeviceIterator
    AnonymousMultiDeviceIteratorV3 AssertCardinalityDataset AssertNextDataset
    AssertPrevDataset AutoShardDataset BatchDataset BatchDatasetV2 BytesProducedStatsDataset
    ChooseFastestBranchDataset ChooseFastestDataset CloseSummaryWriter ConcatenateDataset
    DatasetCardinality DatasetFingerprint DatasetToGraph DatasetToGraphV2
    DatasetToSingleElement DeleteIterator DeleteMultiDeviceIterator
    DenseToSparseBatchDataset DeserializeIterator DirectedInterleaveDataset
    ExperimentalAssertNextDataset ExperimentalAutoShardDataset
    ExperimentalBytesProducedStatsDataset ExperimentalChooseFastestDataset
    ExperimentalDatasetCardinality ExperimentalDenseToSparseBatchDataset
    ExperimentalDirectedInterleaveDataset ExperimentalGroupByReducerDataset
    ExperimentalGroupByWindowDataset ExperimentalIgnoreErrorsDataset
    ExperimentalIteratorGetDevice ExperimentalLatencyStatsDataset
    ExperimentalMapAndBatchDataset ExperimentalMapDataset
    ExperimentalMaxIntraOpParallelismDataset ExperimentalNonSerializableDataset
    ExperimentalParallelInterleaveDataset ExperimentalParseExampleDataset
    ExperimentalPrivateThreadPoolDataset ExperimentalRebatchDataset ExperimentalScanDataset
    ExperimentalSetStatsAggregatorDataset ExperimentalSleepDataset
    ExperimentalSlidingWindowDataset ExperimentalStatsAggregatorHandle
    ExperimentalTakeWhileDataset ExperimentalThreadPoolDataset ExperimentalThreadPoolHandle
    ExperimentalUnbatchDataset ExperimentalUniqueDataset FilterByLastComponentDataset
    FilterDataset FinalizeDataset FlatMapDataset GeneratorDataset GlobalShuffleDataset
    GroupByReducerDataset GroupByWindowDataset IdentityReader IdentityReaderV2
    IgnoreErrorsDataset IndexFlatMapDataset InterleaveDataset Iterator IteratorGetDevice
    IteratorGetModelProto IteratorGetNext IteratorGetNextAsOptional IteratorGetNextSync
    IteratorToStringHandle IteratorV2 LatencyStatsDataset LegacyParallelInterleaveDatasetV2
    ListDataset MakeIterator MapAndBatchDataset MapDataset MaxIntraOpParallelismDataset
    ModelDataset MultiDeviceIterator MultiDeviceIteratorGetNextFromShard
    MultiDeviceIteratorInit MultiDeviceIteratorToStringHandle NonSerializableDataset
    OneShotIterator OptimizeDataset OptimizeDatasetV2 OptionsDataset PaddedBatchDataset
    PaddedBatchDatasetV2 ParallelBatchDataset ParallelFilterDataset
    ParallelInterleaveDataset ParallelInterleaveDatasetV2 ParallelInterleaveDatasetV3
    ParallelInterleaveDatasetV4 ParallelMapDataset ParallelMapDatasetV2 ParseExampleDataset
    ParseExampleDatasetV2 PrefetchDataset Print PrivateThreadPoolDataset RangeDataset
    ReaderNumRecordsProduced ReaderNumRecordsProducedV2 ReaderNumWorkUnitsCompleted
    ReaderNumWorkUnitsCompletedV2 ReaderRead ReaderReadUpTo ReaderReadUpToV2 ReaderReadV2
    ReaderReset ReaderResetV2 ReaderRestoreState ReaderRestoreStateV2 ReaderSerializeState
    ReaderSerializeStateV2 RebatchDataset RebatchDatasetV2 ReduceDataset RepeatDataset
    RewriteDataset SamplingDataset ScanDataset SerializeIterator SetStatsAggregatorDataset
    ShardDataset ShuffleAndRepeatDataset ShuffleAndRepeatDatasetV2 ShuffleDataset
    ShuffleDatasetV2 ShuffleDatasetV3 SkipDataset SlidingWindowDataset
    SparseTensorSliceDataset StatsAggregatorHandle StatsAggregatorHandleV2 SummaryWriter
    TakeDataset TakeWhileDataset TensorDataset TensorSliceDataset ThreadPoolDataset
    ThreadPoolHandle UnbatchDataset UniqueDataset UnwrapDatasetVariant
    WeightedFlatMapDataset WindowDataset WrapDatasetVariant ZipDataset
"""


def test_every_suspicious_operation_was_judged() -> None:
    pytest.importorskip("tensorflow")
    sys.path.insert(0, str(TESTS))
    try:
        from make_operations import operations
    finally:
        sys.path.pop(0)
    harmless = re.compile("|".join(f"(?:{it})" for it in (COMPUTES + KEEPS + MOVES).split()))
    judged, found = {*world_operations._TOUCHES, *PATH_INPUTS, *world_operations._ATTRIBUTES}, set()
    for op in operations():
        words = [it.name for it in (*op.input_arg, *op.attr)]
        if not (op.is_stateful or SUSPICIOUS.search(op.name) or any(map(PLACES.search, words))):
            continue
        found.add(op.name)
        assert may_touch(op.name) or harmless.fullmatch(op.name), f"{op.name} was not judged"
    # Nothing that was judged is gone, or was misspelt.
    assert judged - {it.name for it in operations()} == set()
    assert len(found) > 700


def attribute(**values: Any) -> dict[str, Any]:
    found = {}
    for name, value in values.items():
        message = found[name] = messages()("tensorflow.AttrValue")()
        if isinstance(value, list):
            message.list.s.extend(value)
        else:
            message.s = value
    return found


@pytest.mark.parametrize(
    ("op", "attributes", "what"),
    [
        ("WriteFile", {}, "writes files"),
        ("ReadFile", {}, "reads files"),
        ("EagerPyFunc", {}, "calls Python"),
        ("RpcCall", {}, "talks to other machines or devices"),
        ("TPUExecute", {}, "talks to a TPU or its host"),
        ("DatasetFromGraph", {}, "runs a program that is hidden in its data"),
        ("Abort", {}, "acts on the process itself"),
        ("PrintV2", {"output_stream": b"stderr"}, None),
        ("PrintV2", {"output_stream": b"file:///tmp/x"}, "writes files"),
        ("DecodeProtoV2", {"descriptor_source": b"local://"}, None),
        ("DecodeProtoV2", {"descriptor_source": b"bytes://abc"}, None),
        ("DecodeProtoV2", {"descriptor_source": b"/etc/passwd"}, "reads files"),
        ("DebugIdentityV2", {"debug_urls": []}, None),
        (
            "DebugIdentityV2",
            {"debug_urls": [b"grpc://x"]},
            "writes files or talks to other machines",
        ),
        ("FixedUnigramCandidateSampler", {"vocab_file": b""}, None),
        ("FixedUnigramCandidateSampler", {"vocab_file": b"/etc/passwd"}, "reads files"),
        ("MatMul", {}, None),
        ("XlaCallModule", {}, None),
        ("MapDataset", {}, None),
    ],
)
def test_what_an_operation_does(op: str, attributes: dict[str, Any], what: str | None) -> None:
    assert touches(op, attribute(**attributes)) == what
    assert what is None or may_touch(op)
