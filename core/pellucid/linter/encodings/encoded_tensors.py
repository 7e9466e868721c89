"""The tensor behind ids and words at which a gradient can be taken: what a lookup or a cast makes.

Integrated gradients go from a baseline to the instance through numbers between them. Between two
ids there are none; between their embeddings there are, so metadata name these, as
``encoded_tensor_name``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pellucid.linter.encodings.forward_walk import Forward, Spot
from pellucid.linter.encodings.token_tensors import way
from pellucid.linter.gradient_flow import slopes
from pellucid.linter.gradient_walk import LOOPS
from pellucid.metadata import Dialect, Encoding
from pellucid.metadata.documents import spelled
from pellucid.notices import Hint
from pellucid.saved_model import (
    CALLS,
    FLOAT_TYPES,
    MetaGraph,
    Shape,
    Signature,
    tensor_info,
)

_LOOKUPS = ("Gather", "GatherV2", "GatherNd", "ResourceGather", "ResourceGatherNd", "OneHot")
_SUMS = ("SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN")
_COUNTS = ("Bincount", "DenseBincount", "SparseBincount", "RaggedBincount")
_UNIQUE = ("Unique", "UniqueV2")
# What makes rows of instances again of what lay in one row.
_ROWS_AGAIN = (
    "Reshape", "RaggedTensorToTensor", "SparseToDense", "ScatterNd",
    "SegmentSum", "SegmentSumV2", "SegmentMean", "SegmentMax", "SegmentMaxV2",
    "UnsortedSegmentSum", "UnsortedSegmentMax", *_SUMS, *_COUNTS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EncodedTensor:
    """A tensor behind an input: its flat name, and how the input is encoded in it.

    `others` are tensors that the input goes into as well, where no tensor holds all of it. It is a
    `sequence` where it has a row for each word of a text, or for each of several ids; `looked_up`
    and `cut` tell that a table is on the way, and that a text is cut there. `loop` is one that the
    input goes into instead: what is looked up inside it has no name.
    """

    tensor: str
    encoding: Encoding
    others: tuple[str, ...] = ()
    sequence: bool = False
    looked_up: bool = False
    cut: bool = False
    loop: str | None = None

    def fields(self, dialect: Dialect) -> str:
        """Return what to write into metadata, as it is written there."""
        encoding = self.encoding.value
        if dialect is Dialect.VERTEX:
            encoding = encoding.upper()
        said = {"encoding": encoding, "encoded_tensor_name": self.tensor}
        return ", ".join(f'"{spelled(k, dialect)}": "{value}"' for k, value in said.items())


def encoded_tensors(
    meta_graph: MetaGraph, signature: Signature, output: str, inputs: Mapping[str, str]
) -> dict[str, EncodedTensor]:
    """Return, for the inputs that no gradient reaches, the tensors behind them that one does.

    `inputs` are all that are explained, tensors by feature; all tensors have their flat names. An
    input that has no such tensor of its own, one that no other input leads to, is left out. Raises
    ModelError where the file is damaged.
    """

    def shape_of(tensor: str) -> Shape:
        return tensor_info(meta_graph, signature, tensor).shape

    comes = slopes(meta_graph, output)
    floats = {
        name: tensor_info(meta_graph, signature, tensor).dtype in (*FLOAT_TYPES, "unknown")
        for name, tensor in inputs.items()
    }
    lost = [name for name, tensor in inputs.items() if not (floats[name] and comes(tensor))]
    if not lost:
        return {}
    forward = Forward(meta_graph, output)
    reached = {name: forward.after(tensor) for name, tensor in inputs.items()}
    found = {}
    for name in lost:
        foreign = {spot.name for other, spots in reached.items() if other != name for spot in spots}
        apart = _repeated(reached[name]) | _flat(reached[name], shape_of, inputs[name])
        usable = {
            spot.name: spot
            for spot in reached[name]
            if spot.op is not None
            and spot.dtype in FLOAT_TYPES
            and spot.name not in foreign | apart
            and not _is_call(meta_graph, spot)
            and comes(spot.name)
        }
        chosen = _chosen(forward, inputs[name], usable)
        if chosen is not None:
            spot, others = chosen
            shapes = shape_of(inputs[name]), shape_of(spot.name)
            passed = way(reached[name], spot)
            ops = [it.op or "" for it in passed]
            encoding = _encoding(ops, *shapes)
            rows = encoding is Encoding.CONCAT_EMBEDDING and _length(ops, *shapes) != 1
            looked_up = not {*_LOOKUPS, *_SUMS, *_COUNTS}.isdisjoint(ops)
            cut = any(it.startswith("StringSplit") for it in ops)
            loops = [it.name.rpartition(":")[0] for it in passed if it.op in LOOPS]
            loop = loops[-1] if loops and not looked_up else None
            found[name] = EncodedTensor(spot.name, encoding, others, rows, looked_up, cut, loop)
    return found


def _is_call(meta_graph: MetaGraph, spot: Spot) -> bool:
    """Whether a tensor is what a call returns, which has a name of its own inside."""
    return spot.op in meta_graph.functions or spot.op in CALLS


def _chosen(
    forward: Forward, tensor: str, usable: Mapping[str, Spot]
) -> tuple[Spot, tuple[str, ...]] | None:
    """Return the first tensor on the way that can be named, or the one that several come to."""
    reached = forward.after(tensor, stop=lambda it: it.name in usable)
    first = [it for it in reached if it.name in usable]
    lookups = [it for it in first if it.op in (*_LOOKUPS, *_SUMS)] or first
    if len(lookups) < 2:
        return (lookups[0], ()) if lookups else None
    behind = [
        {it.name: it for it in forward.after(spot.name) if it.name in usable} for spot in lookups
    ]
    common = [name for name in behind[0] if all(name in others for others in behind[1:])]
    if common:
        return behind[0][common[0]], ()
    return lookups[0], tuple(it.name for it in lookups[1:])


def _repeated(reached: Mapping[Spot, Sequence[str]]) -> set[str]:
    """Return the tensors whose rows are distinct ids, not instances, as feature columns look up.

    Rows are those of instances again once they are taken, or summed, instance by instance.
    """
    unique = {it.name for it in reached if it.op in _UNIQUE}
    starts = {it for it in unique if it.endswith(":0")}
    ends = {it.name for it in reached if it.op in _SUMS}
    return _apart(reached, starts, ends | unique - starts)


def _flat(
    reached: Mapping[Spot, Sequence[str]], shape_of: Callable[[str], Shape], tensor: str
) -> set[str]:
    """Return the tensors in which the ids of all instances lie in one row.

    So do the words of texts that are cut, and ids where a table is in parts, until they are put in
    the instances' shape again, or summed.
    """
    given = shape_of(tensor)
    several = given is not None and any(size != 1 for size in given[1:])

    def flattens(spot: Spot) -> bool:
        if spot.op in ("StringSplit", "StringSplitV2"):
            return spot.name.endswith(":1")
        if spot.op != "Reshape" or not several:
            return spot.op == "DynamicPartition"
        shape = shape_of(spot.name)
        return shape is not None and len(shape) == 1

    starts = {it.name for it in reached if flattens(it)}
    ends = {it.name for it in reached if it.op in _ROWS_AGAIN}
    return _apart(reached, starts, ends - starts)


def _apart(reached: Mapping[Spot, Sequence[str]], starts: set[str], ends: set[str]) -> set[str]:
    """Return what comes of `starts` alone, as far as the tensors `ends`, which are instances'."""
    apart = {it.name for it in reached} - ends
    changed = bool(starts)
    while changed:
        keep = {
            it.name
            for it, sources in reached.items()
            if it.name in apart
            and (it.name in starts or all(source in apart for source in sources))
        }
        changed = keep != apart
        apart = keep
    return apart if starts else set()


def _encoding(way: Sequence[str], given: Shape, shape: Shape) -> Encoding:
    """Return how an input is encoded in a tensor, by their shapes and the operations between."""
    rank = 2 if given is None else len(given)
    looked_up = any(it in (*_LOOKUPS, *_SUMS, *_COUNTS) for it in way)
    tokens = "RaggedTensorToTensor" in way
    made = rank + (way[0] in _LOOKUPS) + tokens if shape is None else len(shape)
    if made == rank and not (looked_up or tokens):
        return Encoding.IDENTITY
    return Encoding.CONCAT_EMBEDDING if made > 2 else Encoding.COMBINED_EMBEDDING


def _length(way: Sequence[str], given: Shape, shape: Shape) -> int | None:
    """Return how many rows the encoded tensor has for an instance, None where that is free."""
    if shape is not None and len(shape) > 2:
        return shape[1]
    if any(it.startswith("StringSplit") or it == "RaggedTensorToTensor" for it in way):
        return None
    return given[1] if given is not None and len(given) > 1 else 1


def way_out(
    found: Mapping[str, EncodedTensor],
    dialect: Dialect,
    *,
    of: str | None = None,
    inferred: bool = False,
) -> Hint:
    """Return what to do about inputs that no gradient reaches, given the tensors behind them.

    That is about one of them, if `of` names it. Metadata that are `inferred` can be drafted with
    these tensors in them; others are written in their dialect.
    """
    found = {name: it for name, it in found.items() if of in (None, name)}
    if not found:
        return Hint("use {method:sampled-shapley}")
    loops = {f"'{it.loop}'": None for it in found.values() if it.loop is not None}
    if inferred and len(loops) == len(found):
        return Hint(
            "use {method:sampled-shapley}, as they are looked up inside the loop {loops}, where no "
            "tensor has a name",
            loops=" and ".join(loops),
        )
    if inferred:
        return Hint(
            "use {method:sampled-shapley}, or {init_metadata.for_method:integrated-gradients}, "
            "which writes metadata with what lies behind them: {names}",
            names=", ".join(f"'{it.tensor}'" for it in found.values()),
        )
    written = ", ".join(f"to '{name}' add {it.fields(dialect)}" for name, it in found.items())
    return Hint(
        "in the metadata, {written}, or explain with {method:sampled-shapley}", written=written
    )
