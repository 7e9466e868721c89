"""Lists of records: which of them belong together, value by value, and which are summed up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from pellucid.linter.encodings.forward_walk import Forward, Spot
from pellucid.metadata import RecordFeature
from pellucid.saved_model import FLOAT_TYPES, MetaGraph, Signature

# What makes one value, or one vector, of each value of a list.
_EACH = frozenset(
    ["Identity", "Cast", "Reshape", "ExpandDims", "Squeeze", "StridedSlice", "ConcatV2", "Pack",
     "Gather", "GatherV2", "ResourceGather", "StringToHashBucketFast", "StringToHashBucketStrong",
     "StringToNumber", "StringLower", "LookupTableFind", "LookupTableFindV2", "AsString", "Where",
     "Log", "Sqrt", "Unique", "UniqueV2", "SelectV2", "Maximum", "Minimum", "FloorMod", "OneHot",
     "Transpose"]
)  # fmt: skip
# What takes two lists of one length, value by value.
_PAIRS = frozenset(
    ["Mul", "Add", "AddV2", "Sub", "RealDiv", "Div", "DivNoNan", "SparseReorder", "SparseToDense",
     "SparseTensorDenseMatMul", "SparseReduceSum", "SparseFillEmptyRows", "ScatterNd",
     "DenseBincount", "SparseBincount", "RaggedBincount", "BatchMatMulV2"]
)  # fmt: skip
# As many rows as the last segment that has a value.
_SHORT = frozenset(
    ["SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN", "SegmentSum", "SegmentMean",
     "SegmentMax", "SegmentMin", "SegmentProd"]
)  # fmt: skip


def with_followers(
    forward: Forward, features: Sequence[RecordFeature]
) -> tuple[RecordFeature, ...]:
    """Return features, lists that go value by value with another one following it.

    So do the weights of ids, and what a ``SparseFeature`` is made of. Lists of numbers alone follow
    none: a number that is 0 is in the place of each that is taken away.
    """
    reached = {
        it.name: _each(forward, it.values or it.tensor or "") for it in features if it.listed
    }
    kinds = {it.name: it.dtype in FLOAT_TYPES for it in features}
    leading: dict[str, str] = {}
    for name in sorted(reached, key=lambda it: kinds[it]):
        if kinds[name] or name in leading:
            continue
        for other in reached:
            apart = other != name and other not in leading and other not in leading.values()
            if apart and _meets(reached[name], reached[other]):
                leading[other] = name
    return tuple(replace(it, follows=leading.get(it.name)) for it in features)


def sums_up(forward: Forward, tensors: Iterable[str]) -> bool:
    """Whether values are summed up to no more rows than the last value is of.

    Where empty rows were filled before, as `safe_embedding_lookup_sparse` does, there are all rows.
    """
    return any(
        spot.op in _SHORT
        for tensor in tensors
        for spot in forward.after(tensor, stop=lambda it: it.op == "SparseFillEmptyRows")
    )


def summed_up(
    meta_graph: MetaGraph, signature: Signature, output: str, apart: Collection[str]
) -> list[str]:
    """Return the inputs of texts and ids whose values are summed up so, but for those `apart`."""
    used = meta_graph.nodes.ops.union(*(it.nodes.ops for it in meta_graph.functions.values()))
    if used.isdisjoint(_SHORT):
        return []
    forward = Forward(meta_graph, output)
    return [
        key
        for key, it in signature.inputs.items()
        if it.dtype in ("string", "int32", "int64") and key not in apart
        if sums_up(forward, [it.name])
    ]


def _each(forward: Forward, tensor: str) -> dict[str, Spot]:
    """Return what has one row for each value of a list, and what reads that, nearest first."""
    calls = forward.meta_graph.functions

    def ends(spot: Spot) -> bool:
        return not (spot.op is None or spot.op in _EACH or spot.op in calls or "Call" in spot.op)

    return {it.name: it for it in forward.after(tensor, stop=ends)}


def _meets(one: dict[str, Spot], other: dict[str, Spot]) -> bool:
    first = next((it for it in one.values() if it.name in other and it.op is not None), None)
    return first is not None and first.op in _PAIRS
