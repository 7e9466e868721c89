"""What one operation makes of a view of the picture: products, sums, bounds, and a table of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from pellucid.saved_model.pixels import axes
from pellucid.saved_model.pixels.axes import Outputs
from pellucid.saved_model.pixels.constants import Constant
from pellucid.saved_model.pixels.step import Step
from pellucid.saved_model.pixels.view import View, fitted

# These ask for the picture's size or type, and leave it alone.
IGNORED = frozenset(
    ["Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike", "TensorListLength"]
)
_UINT8 = 4


def outputs_of(step: Step) -> Outputs | None:
    """Return the views that the outputs of an operation are, None if they are none."""
    change = _CHANGES.get(step.op)
    if change is None or (step.view.scattered and step.op not in _ELEMENTWISE):
        return None
    found = change(step)
    return found if found is None or isinstance(found, dict) else {0: found}


def _same(step: Step) -> View | None:
    return step.view if step.place == 0 else None


def _cast(step: Step) -> View:
    attributes = step.attributes
    if "DstT" not in attributes or attributes["DstT"].type != _UINT8:
        return step.view
    return _between(step, 0, 255) or step.view


def _each_output(step: Step) -> Outputs:
    return {step.place: step.view} if step.op == "IdentityN" else {0: step.view, 1: step.view}


def _arithmetic(step: Step) -> View | None:
    constant = step.constant(1 - step.place)
    pair = None if constant is None else fitted(step.view, constant)
    if constant is None or pair is None:
        return None
    view, numbers = pair
    ones, zeros = [1.0] * len(numbers), [0.0] * len(numbers)
    first = step.place == 0
    match step.op:
        case "Mul" | "MulNoNan":
            scale, offset = list(numbers), zeros
        case "RealDiv" | "Div" | "DivNoNan" if first and all(numbers):
            scale, offset = [1 / it for it in numbers], zeros
        case "Add" | "AddV2":
            scale, offset = ones, list(numbers)
        case "Sub" if first:
            scale, offset = ones, [-it for it in numbers]
        case "Sub":
            scale, offset = [-it for it in ones], list(numbers)
        case _:
            return None
    return view.affine(scale, offset, step.where, constant)


def _negative(step: Step) -> View:
    count = len(step.view.scale)
    minus_one = Constant(shape=(), values=(-1.0,))
    return step.view.affine([-1.0] * count, [0.0] * count, step.where, minus_one)


def _bias(step: Step) -> View | None:
    constant = step.constant(1)
    if step.place or constant is None or len(constant.shape) != 1:
        return None
    attributes = step.attributes
    second = "data_format" in attributes and attributes["data_format"].s.startswith(b"NC")
    behind = len(step.view.shape) - 2 if second else 0
    pair = fitted(step.view, replace(constant, shape=(*constant.shape, *[1] * behind)))
    if pair is None:
        return None
    view, numbers = pair
    return view.affine([1.0] * len(numbers), numbers, step.where, constant)


def _bound(step: Step) -> View | None:
    bound = _scalar(step.constant(1 - step.place))
    if bound is None:
        return None
    return step.view.clipped(bound, step.where, below=step.op == "Maximum")


def _clip(step: Step) -> View | None:
    # A quantized input counts as a clip: its bounds are those of the pictures it has seen.
    low, high = (_scalar(step.constant(place)) for place in (1, 2))
    if step.place or low is None or high is None:
        return None
    return _between(step, low, high)


def _fake_quantized(step: Step) -> View | None:
    attributes = step.attributes
    low = attributes["min"].f if "min" in attributes else -6.0
    high = attributes["max"].f if "max" in attributes else 6.0
    return _between(step, low, high)


def _between(step: Step, low: float, high: float) -> View | None:
    view = step.view.clipped(low, step.where, below=True)
    return None if view is None else view.clipped(high, step.where, below=False)


def _scalar(constant: Constant | None) -> float | None:
    numbers = None if constant is None else constant.numbers
    return numbers[0] if numbers is not None and len(numbers) == 1 else None


Change: TypeAlias = "Callable[[Step], View | Outputs | None]"
_SAME = (
    "Identity", "StopGradient", "PreventGradient", "Snapshot", "CheckNumerics", "EnsureShape",
    "PlaceholderWithDefault", "DeepCopy",
)  # fmt: skip
_QUANTIZED = (
    "FakeQuantWithMinMaxVars", "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3",
    "QuantizeAndDequantizeV4",
)  # fmt: skip
_ON_ELEMENTS: Mapping[str, Change] = {
    **dict.fromkeys(_SAME, _same),
    "Cast": _cast,
    **dict.fromkeys(("IdentityN", "Switch"), _each_output),
    **dict.fromkeys(
        ("Mul", "MulNoNan", "RealDiv", "Div", "DivNoNan", "Add", "AddV2", "Sub"), _arithmetic
    ),
    "Neg": _negative,
    **dict.fromkeys(("Maximum", "Minimum"), _bound),
    **dict.fromkeys(("ClipByValue", *_QUANTIZED), _clip),
    "FakeQuantWithMinMaxArgs": _fake_quantized,
}
_ELEMENTWISE = frozenset(_ON_ELEMENTS)
_CHANGES: Mapping[str, Change] = {
    **_ON_ELEMENTS,
    "BiasAdd": _bias,
    **dict.fromkeys(("TensorListFromTensor", "TensorListStack"), _same),
    "TensorListGetItem": axes.item,
    "TensorListSetItem": axes.listed,
    "Transpose": axes.transposed,
    "ExpandDims": axes.expanded,
    "Squeeze": axes.squeezed,
    "Reshape": axes.reshaped,
    **dict.fromkeys(
        (
            "ResizeBilinear", "ResizeBicubic", "ResizeNearestNeighbor", "ResizeArea",
            "ScaleAndTranslate", "ImageProjectiveTransformV2", "ImageProjectiveTransformV3",
            "CropAndResize",
        ),
        axes.resized,
    ),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), axes.padded),
    "ReverseV2": axes.turned,
    **dict.fromkeys(("Gather", "GatherV2"), axes.gathered),
    **dict.fromkeys(("Split", "SplitV", "Unpack"), axes.pieces),
    "Tile": axes.tiled,
    "StridedSlice": axes.indexed,
    "Slice": axes.cropped,
}  # fmt: skip
