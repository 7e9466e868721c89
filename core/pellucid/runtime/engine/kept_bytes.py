"""How much memory a row takes of a network while its gradient is computed.

On the way back, a gradient needs what some operations were given or have answered: the rest is
given up on the way forward, or computed in the place of what it is computed from. A convolution by
constant weights needs nothing of the row, and the ReLU behind it what it has answered.
"""

from __future__ import annotations

from collections.abc import Iterable
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
WORKING = 3
"""The largest tensors at work at a time: what goes into an operation, and what comes out of it."""


def row_bytes_of(ops: Iterable[Any]) -> int:
    """Return about how many bytes one row takes in the operations of a network and its gradient.

    What any operation answers that is not known here is kept, as is what it is given.
    """
    inside = {op.name: op for op in ops if op.type != "Const"}
    kept, largest = dict[str, int](), 0
    for op in inside.values():
        largest = max([largest, *map(_bytes, op.outputs)])
        moving = [tensor for tensor in op.inputs if tensor.op.name in inside]
        needed = [] if op.type in _LINEAR or op.type in _BY_ANSWER else moving
        if op.type in _PRODUCTS and len(moving) < 2:
            needed = []
        if op.type not in _LINEAR and op.type not in _PRODUCTS:
            needed = [*needed, *op.outputs]
        kept |= {tensor.name: _bytes(tensor) for tensor in needed}
    return sum(kept.values()) + WORKING * largest


def _bytes(tensor: Any) -> int:
    shape = tensor.shape
    if shape.rank and tensor.dtype.is_floating and None not in shape[1:].as_list():
        return int(shape[1:].num_elements() * tensor.dtype.size)
    return 0
