"""The part of a network that is affine in its inputs: all before the first operation that is not.

Its transpose is the same wherever a gradient is taken, so that it is applied once to a sum of
gradients (see `transposed_part`). What is known here keeps rows apart, in their order; any other
operation ends the prefix.

The way forward goes through it for each row all the same. What it answers could be interpolated
between the ends of a path; but that rounds otherwise, and a ReLU or a maximum pool of a photo is so
near to its kink now and then that one bit of its input changes a gradient by 0.4 % (measured).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.runtime.engine.tensorflow import tf

Rule = Callable[[Any, frozenset[int]], bool]
"""Whether an operation is affine in its inputs at these places, and keeps the first axis."""

# A sum over what a layer answers costs as much as so many products for each number (measured).
PRODUCTS_PER_NUMBER = 16
# So many channels of a picture are computed at a time, with or without numbers in them.
LANES = 16
OWN_GRADIENT = "_gradient_op_type"


@dataclass(frozen=True, slots=True)
class AffinePrefix:
    """Operations that are affine together, by name, and the tensors [r, …] that are read of them.

    `saved` is what a row saves, in products, less what the sums cost.
    """

    ops: frozenset[str]
    boundary: tuple[Any, ...]
    saved: int


def affine_prefix(inside: Sequence[Any], points: Collection[Any], output: Any) -> AffinePrefix:
    """Return the affine prefix of the operations `inside`, which are in topological order.

    `points` are the tensors [r, …] in which it is affine; what else comes from outside is the same
    for all rows, or is read by an operation that is not affine. `output` is none of it.
    """
    affine = {tensor.name for tensor in points if _of_rows(tensor)}
    names = {op.name for op in inside}
    ops = set[str]()
    for op in inside:
        places = frozenset(i for i, it in enumerate(op.inputs) if it.name in affine)
        if not places or op is output.op or not _is_affine(op, places, names):
            continue
        ops.add(op.name)
        affine |= {it.name for it in (op.outputs[:1] if op.type in FUSED else op.outputs)}
    boundary = tuple(_read_of(ops, affine, names, output))
    products = sum(_products(op) for op in inside if op.name in ops)
    numbers = sum(_numbers(it) for it in boundary)
    return AffinePrefix(frozenset(ops), boundary, products - PRODUCTS_PER_NUMBER * numbers)


def _read_of(
    ops: Collection[str], affine: Collection[str], names: Collection[str], output: Any
) -> Iterator[Any]:
    """Yield what the output reads of affine operations, not looking behind it."""
    waiting, seen = [output.op], set[str]()
    while waiting:
        for it in waiting.pop().inputs:
            if it.name not in seen and it.op.name in names:
                seen.add(it.name)
                if it.name in affine and it.op.name in ops:
                    yield it
                else:
                    waiting.append(it.op)


def _is_affine(op: Any, places: frozenset[int], names: Collection[str]) -> bool:
    if op.control_inputs or op.type not in RULES or OWN_GRADIENT in _attributes(op):
        return False
    for i, it in enumerate(op.inputs):
        if i in places or op.type == "Reshape":  # whose shape is seen at its answer
            continue
        # It depends on a row without being affine, or may be larger than it looks.
        if it.op.name in names or not it.shape.is_fully_defined():
            return False
    outputs = op.outputs[:1] if op.type in FUSED else op.outputs
    return all(map(_of_rows, outputs)) and RULES[op.type](op, places)


def _attributes(op: Any) -> Container[str]:
    return op.node_def.attr  # type: ignore[no-any-return]


def _of_rows(tensor: Any) -> bool:
    """Whether a tensor has any number of rows of a known size, of floats."""
    shape = tensor.shape
    return bool(
        tensor.dtype in (tf.float32, tf.float64)
        and shape.rank
        and shape[0] is None
        and shape[1:].is_fully_defined()
    )


def _numbers(tensor: Any) -> int:
    return math.prod(tensor.shape[1:].as_list())


def _products(op: Any) -> int:
    """Return how many products a row takes."""
    if op.type not in LAYERS:
        return 0
    weights, out = op.inputs[1].shape.as_list(), _numbers(op.outputs[0])
    if op.type == "DepthwiseConv2dNative":
        return int(out * math.prod(weights[:2]))
    if op.type in ("Conv2D", "Conv3D"):
        # Back at a picture of one or three channels, most lanes of a processor have nothing to do.
        lanes = -(-weights[-2] // LANES) * LANES
        return int(out * math.prod(weights[:-2]) * lanes)
    return out * int(op.inputs[0].shape[-1])


# The rules


def _always(op: Any, places: frozenset[int]) -> bool:
    return True


def _alike(op: Any, places: frozenset[int]) -> bool:
    """Of one rank: else the rows of one would be broadcast along another axis."""
    return len({op.inputs[i].shape.rank for i in places}) == 1


def _first(op: Any, places: frozenset[int]) -> bool:
    return places == {0}


def _lone(op: Any, places: frozenset[int]) -> bool:
    return len(places) == 1


def _row_by_row(op: Any, places: frozenset[int]) -> bool:
    """A layer, or a pool, that takes each row, and nothing of its neighbours."""
    steps = [
        op.get_attr(key) for key in ("strides", "dilations", "ksize") if key in _attributes(op)
    ]
    return places == {0} and all(not it or it[0] == 1 for it in steps)


def _matrix(op: Any, places: frozenset[int]) -> bool:
    turned = any(op.get_attr(key) for key in ("transpose_a", "adj_x") if key in _attributes(op))
    return places == {0} and not turned


def _in_inference(op: Any, places: frozenset[int]) -> bool:
    return places == {0} and not op.get_attr("is_training")


def _pad(op: Any, places: frozenset[int]) -> bool:
    paddings = tf.get_static_value(op.inputs[1])
    return places == {0} and paddings is not None and not paddings[0].any()


def _permuted(op: Any, places: frozenset[int]) -> bool:
    order = tf.get_static_value(op.inputs[1])
    return places == {0} and order is not None and order[0] == 0


def _same_size(op: Any, places: frozenset[int]) -> bool:
    return places == {0} and _numbers(op.inputs[0]) == _numbers(op.outputs[0])


def _other_axes(place: int) -> Rule:
    """Return the rule of what goes along axes that an input says, of which the first is none."""

    def rule(op: Any, places: frozenset[int]) -> bool:
        axes = tf.get_static_value(op.inputs[place])
        (moving,) = {op.inputs[i].shape.rank for i in places}
        return axes is not None and all(axis % moving for axis in axes.ravel().tolist())

    return lambda op, places: place % len(op.inputs) not in places and rule(op, places)


def _joined(op: Any, places: frozenset[int]) -> bool:
    return len(places) == len(op.inputs) - 1 and _other_axes(-1)(op, places)


def _gathered(op: Any, places: frozenset[int]) -> bool:
    return places == {0} and not op.get_attr("batch_dims") and _other_axes(2)(op, places)


def _stacked(op: Any, places: frozenset[int]) -> bool:
    return len(places) == len(op.inputs)  # as the first axis of what comes out is that of rows


def _squeezed(op: Any, places: frozenset[int]) -> bool:
    axes = op.get_attr("squeeze_dims")
    return bool(axes) and all(axis % op.inputs[0].shape.rank for axis in axes)


def _all_rows(op: Any, places: frozenset[int]) -> bool:
    """A slice that takes all rows."""
    if places != {0}:
        return False
    steps = tf.get_static_value(op.inputs[3])
    whole = op.get_attr("begin_mask") & op.get_attr("end_mask") & 1
    other = ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    if op.get_attr("ellipsis_mask") == 1:
        axes = len(steps) - 1 - bin(op.get_attr("new_axis_mask")).count("1")
        return bool(axes < op.inputs[0].shape.rank)
    return bool(whole) and steps[0] == 1 and not any(op.get_attr(key) & 1 for key in other)


FUSED = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
LAYERS: Mapping[str, Rule] = {
    "Conv2D": _row_by_row,
    "Conv3D": _row_by_row,
    "DepthwiseConv2dNative": _row_by_row,
    "BatchMatMulV2": _matrix,
    "MatMul": _matrix,
}
RULES: Mapping[str, Rule] = {
    **LAYERS,
    **dict.fromkeys(FUSED, _in_inference),
    "Add": _alike,
    "AddN": _stacked,
    "AddV2": _alike,
    "AvgPool": _row_by_row,
    "AvgPool3D": _row_by_row,
    "BiasAdd": _first,
    "Cast": _always,
    "ConcatV2": _joined,
    "Div": _first,
    "EnsureShape": _always,
    "ExpandDims": _first,
    "GatherV2": _gathered,
    "Identity": _always,
    "Mean": _other_axes(1),
    "MirrorPad": _pad,
    "Mul": _lone,
    "Neg": _always,
    "Pack": _stacked,
    "Pad": _pad,
    "PadV2": _pad,
    "RealDiv": _first,
    "Reshape": _same_size,
    "ResizeBilinear": _first,
    "ResizeNearestNeighbor": _first,
    "Squeeze": _squeezed,
    "StridedSlice": _all_rows,
    "Sub": _alike,
    "Sum": _other_axes(1),
    "Transpose": _permuted,
}
