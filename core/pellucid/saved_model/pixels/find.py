"""`find_pixels`: what an input of a signature takes for a picture, as far as the graph tells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from pellucid.metadata import ChannelOrder
from pellucid.saved_model.nodes import Shape
from pellucid.saved_model.pixels.scopes import Scope, TooDeepError
from pellucid.saved_model.pixels.variables import Variables
from pellucid.saved_model.pixels.verdict import BYTES, Verdict, verdict_of
from pellucid.saved_model.pixels.view import channel_axis
from pellucid.saved_model.pixels.walk import End, ends_of
from pellucid.saved_model.reader import MetaGraph, Signature, TensorInfo

_NUMBERS = ("float16", "bfloat16", "float32", "float64", "uint8", "uint16", "int32", "int64")
_SMALLEST_FLAT_PICTURE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """What an input takes for a picture, None where the graph does not tell.

    Black is `low` and white is `high`; `order` is that of the colour channels, and
    `channels_first` tells where they stand. `reason` is a clause for people, `where` the operation
    that it speaks of, by its flat name.
    """

    low: float | None
    high: float | None
    order: ChannelOrder | None
    channels_first: bool | None
    reason: str
    where: str


def find_pixels(
    meta_graph: MetaGraph, signature: Signature, key: str, directory: Path
) -> Pixels | None:
    """Return what an input of a signature takes for a picture, None where the graph tells nothing.

    The input is followed through casts, calls, reordered axes and channels, resizing and affine
    steps with constants, up to the first operation that is none of these; `directory` is that of
    the model, for constants that are variables. Where several operations read the picture, all
    have to agree. Raises ModelError where attributes of the graph are damaged.
    """
    info = signature.inputs[key]
    known = meta_graph.worked_out
    place = "pixels", signature.key, key
    if place not in known:
        known[place] = _find(meta_graph, signature, info, directory)
    found: Pixels | None = known[place]
    return found


def _find(
    meta_graph: MetaGraph, signature: Signature, info: TensorInfo, directory: Path
) -> Pixels | None:
    scope = Scope.of_signature(meta_graph, signature)
    try:
        return _found(scope, info, Variables(meta_graph, directory))
    finally:
        scope.forget()


def _found(scope: Scope, info: TensorInfo, variables: Variables) -> Pixels | None:
    start = scope.resolve(info.name)
    shape = info.shape if info.shape is not None else _placeholder_shape(scope, start.name)
    sizes = (None,) * 4 if shape is None else shape
    if info.dtype not in _NUMBERS or not may_be_picture(sizes):
        return None
    try:
        ends = ends_of(start, sizes, variables)
    except (TooDeepError, LookupError, ArithmeticError, ValueError):
        return None  # a graph that does not fit together, which is for others to say
    verdict = _agreed(ends)
    channels_first = _channels_first(sizes, ends)
    if info.dtype == "uint8":
        order = verdict.order if verdict is not None else None
        verdict = Verdict(
            span=BYTES, order=order, reason=f"'{info.name}' is uint8", where=info.name
        )
    if verdict is None:
        return None
    low, high = verdict.span if verdict.span is not None else (None, None)
    return Pixels(
        low=low,
        high=high,
        order=verdict.order,
        channels_first=channels_first,
        reason=verdict.reason,
        where=verdict.where,
    )


def may_be_picture(shape: tuple[int | None, ...]) -> bool:
    """Whether a batch of this shape may hold pictures: of rank 3 to 5, or flat squares."""
    if len(shape) == 2:
        length = shape[1]
        return (
            length is not None
            and length >= _SMALLEST_FLAT_PICTURE
            and any(math.isqrt(length // n) ** 2 * n == length for n in (1, 3))
        )
    return 3 <= len(shape) <= 5


def _placeholder_shape(scope: Scope, name: str) -> Shape:
    shapes = scope.nodes[name].shapes if name in scope.nodes else ()
    return shapes[0] if shapes else None


def _agreed(ends: tuple[End, ...]) -> Verdict | None:
    """Return the verdict that all ends give, None if they differ or one gives none."""
    verdicts = [verdict_of(it) for it in ends]
    first = verdicts[0] if verdicts else None
    if first is None:
        return None
    for it in verdicts:
        if it is None or (it.span, it.order) != (first.span, first.order):
            return None
    return first


def _channels_first(shape: tuple[int | None, ...], ends: tuple[End, ...]) -> bool | None:
    axis = channel_axis(shape)
    if axis is None:
        found = {_channel_of(it) for it in ends}
        axis = found.pop() if len(found) == 1 else None
    if axis is None or len(shape) < 4:
        return None
    return axis == 1 if axis in (1, len(shape) - 1) else None


def _channel_of(end: End) -> int | None:
    view = end.view
    if view.channel is not None and not view.scattered:
        return view.axes[view.channel]
    return end.channel
