"""How much memory a row takes of a network while its gradient is computed.

On the way back, a gradient needs what some operations were given or have answered: the rest is
given up on the way forward, or computed in the place of what it is computed from. A convolution by
constant weights needs nothing of the row, and the ReLU behind it what it has answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Their gradient needs nothing of the row.
_LINEAR = frozenset(
    [
        "Add",
        "AddN",
        "AddV2",
        "AvgPool",
        "AvgPool3D",
        "BatchToSpaceND",
        "BiasAdd",
        "BroadcastTo",
        "Cast",
        "ConcatV2",
        "DepthToSpace",
        "EnsureShape",
        "ExpandDims",
        "GatherV2",
        "Identity",
        "IdentityN",
        "Mean",
        "MirrorPad",
        "Neg",
        "Pack",
        "Pad",
        "PadV2",
        "Reshape",
        "ResizeBilinear",
        "ResizeNearestNeighbor",
        "Shape",
        "Slice",
        "SpaceToBatchND",
        "SpaceToDepth",
        "Split",
        "SplitV",
        "Squeeze",
        "StopGradient",
        "StridedSlice",
        "Sub",
        "Sum",
        "Tile",
        "Transpose",
        "Unpack",
    ]
)
# Theirs needs the other factor: nothing of the row where that is constant.
_PRODUCTS = frozenset(
    [
        "BatchMatMul",
        "BatchMatMulV2",
        "Conv1D",
        "Conv2D",
        "Conv2DBackpropInput",
        "Conv3D",
        "DepthwiseConv2dNative",
        "Einsum",
        "MatMul",
        "Mul",
    ]
)
# Theirs needs what they have answered, and not what they were given.
_BY_ANSWER = frozenset(
    [
        "Elu",
        "Exp",
        "LogSoftmax",
        "Relu",
        "Relu6",
        "Rsqrt",
        "Selu",
        "Sigmoid",
        "Softmax",
        "Sqrt",
        "Tanh",
    ]
)
OWN_GRADIENT = "_gradient_op_type"
WORKING = 3
"""The largest tensors at work at a time: what goes into an operation, and what comes out of it."""
# They answer in the place of what they are given, or with the same bytes in another shape.
_VIEWS = frozenset(
    ["EnsureShape", "ExpandDims", "Identity", "IdentityN", "Reshape", "Squeeze", "StopGradient"]
)
_IN_PLACE = frozenset(["Add", "AddV2", "BiasAdd", "Mul", "Neg", "RealDiv", "Sub"]) | _BY_ANSWER


def row_bytes_of(ops: Iterable[Any]) -> int:
    """Return about how many bytes one row takes in the operations of a network and its gradient.

    What any operation answers that is not known here is kept, as is what it is given.
    """
    inside = {op.name: op for op in ops if op.type != "Const"}
    kept, largest = dict[str, int](), 0
    for op in inside.values():
        largest = max([largest, *map(_bytes, op.outputs)])
        kept |= {tensor.name: _bytes(tensor) for tensor in _needed(op, inside)}
    return sum(kept.values()) + WORKING * largest


def _needed(op: Any, inside: Container[str]) -> list[Any]:
    """Return the tensors that the gradient of an operation needs."""
    moving = [tensor for tensor in op.inputs if tensor.op.name in inside]
    needed = [] if op.type in _LINEAR or op.type in _BY_ANSWER else moving
    if op.type in _PRODUCTS and len(moving) < 2:
        needed = []
    if op.type not in _LINEAR and op.type not in _PRODUCTS:
        needed = [*needed, *op.outputs]
    return needed


@dataclass(frozen=True, slots=True)
class Peak:
    """The most bytes that tensors of one row take at a time, on the way forward and on both."""

    forward: int
    both: int


def peak_of(ops: Sequence[Any]) -> Peak:
    """Return the most bytes that one row takes at a time, of operations in topological order.

    A tensor is given up once the last operation that reads it has answered, unless the gradient
    needs it; on the way back, once the operations before it have their slopes, which are as large.
    """
    moving = [op for op in ops if op.type != "Const"]
    inside = {op.name for op in moving}
    place = _places(moving, inside)
    size = dict.fromkeys(place.values(), 0)
    for op in moving:
        for it in op.outputs:
            size[place[it.name]] = max(size[place[it.name]], _bytes(it))
    reads = [{place[it.name] for it in op.inputs if it.name in place} for op in moving]
    writes = [{place[it.name] for it in op.outputs} for op in moving]
    reached = _reached(moving, inside)
    needs = [{place[it.name] for it in _needed_of(op, reached, inside)} for op in moving]
    return Peak(_most(size, reads, writes, []), _most(size, reads, writes, needs))


def _needed_of(op: Any, reached: Container[str], inside: Container[str]) -> list[Any]:
    if op.name not in reached:
        return []
    if _has_its_own(op):
        return [it for it in op.inputs if it.op.name in reached]
    return _needed(op, inside)


def _has_its_own(op: Any) -> bool:
    return op.type == "IdentityN" and OWN_GRADIENT in op.node_def.attr


def _reached(moving: Sequence[Any], inside: Container[str]) -> set[str]:
    """Return the operations that a gradient goes through, not those that one of its own replaces.

    Such a gradient is that of an ``IdentityN`` of what it is of, and of what that is computed from.
    """
    behind: dict[str, set[str]] = {}  # of each operation, the operations it depends on
    for op in moving:
        behind[op.name] = {it.op.name for it in op.inputs if it.op.name in inside}
        behind[op.name].update(*(behind[name] for name in behind[op.name]))
    read = {it.op.name for op in moving for it in op.inputs}
    reached = {op.name for op in moving if op.name not in read}
    for op in reversed(moving):
        if op.name not in reached:
            continue
        given = {it.op.name for it in op.inputs if it.op.name in inside}
        if _has_its_own(op):
            given = {name for name in given if behind[name].isdisjoint(given)}
        reached |= given
    return reached


def _places(moving: Sequence[Any], inside: Container[str]) -> dict[str, str]:
    """Return which tensor has the memory that each tensor is in."""
    left = Counter(it.name for op in moving for it in op.inputs)
    kept = {it.name for op in moving for it in _needed(op, inside)}
    place: dict[str, str] = {}
    for op in moving:
        for i, it in enumerate(op.outputs):
            place[it.name] = it.name
            for given in op.inputs[i : i + 1] if op.type in _VIEWS else op.inputs:
                if given.name not in place or _bytes(given) != _bytes(it):
                    continue
                free = left[given.name] == 1 and given.name not in kept
                if op.type in _VIEWS or (op.type in _IN_PLACE and free):
                    place[it.name] = place[given.name]
                    break
    return place


def _most(
    size: Mapping[str, int],
    reads: Sequence[set[str]],
    writes: Sequence[set[str]],
    needs: Sequence[set[str]],
) -> int:
    """Return the most bytes at a time; without `needs`, of the way forward alone."""
    kept = set[str]().union(*needs)
    last = {root: i for i in range(len(writes)) for root in reads[i] | writes[i]}
    alive, most = set[str](), 0
    for i, written in enumerate(writes):
        alive |= written
        most = max(most, sum(size[root] for root in alive))
        alive -= {root for root in reads[i] | written if last[root] == i and root not in kept}
    if not needs:
        return most
    first = {root: i for i in reversed(range(len(needs))) for root in needs[i]}
    slopes = set[str]()
    for i in reversed(range(len(needs))):
        slopes |= reads[i]
        most = max(most, sum(size[root] for root in kept) + sum(size[root] for root in slopes))
        kept -= {root for root in needs[i] if first[root] == i}
        slopes -= writes[i] - reads[i]
    return most


def _bytes(tensor: Any) -> int:
    shape = tensor.shape
    if shape.rank and tensor.dtype.is_floating and None not in shape[1:].as_list():
        return int(shape[1:].num_elements() * tensor.dtype.size)
    return 0
