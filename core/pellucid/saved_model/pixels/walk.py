"""Follow a picture from the input through a graph as long as operations are affine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pellucid.saved_model.nodes import Shape
from pellucid.saved_model.pixels.axes import with_axis
from pellucid.saved_model.pixels.constants import Constants
from pellucid.saved_model.pixels.normalization import Statistics, statistics_of
from pellucid.saved_model.pixels.scopes import Read, Ref, data_inputs
from pellucid.saved_model.pixels.step import Step
from pellucid.saved_model.pixels.steps import IGNORED, outputs_of
from pellucid.saved_model.pixels.variables import Variables
from pellucid.saved_model.pixels.view import Sizes, View

_MOST_STEPS = 1000
_CHOICES = ("Merge", "Select", "SelectV2")
_JOINS = frozenset(["ConcatV2", "Concat", "Pack", *_CHOICES])
# A kernel of these says where the channels are: next to last, or behind the batch.
_LAYERS = frozenset(["Conv2D", "DepthwiseConv2dNative", "FusedBatchNorm", "FusedBatchNormV2",
                     "FusedBatchNormV3", "MaxPool", "AvgPool"])  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where the picture is read by an operation that is not affine, and what it holds there.

    `statistics` are those of a normalization that comes next; `channel` is the axis of the channels
    in the input where the operation tells.
    """

    view: View
    statistics: Statistics | None = None
    channel: int | None = None


def ends_of(start: Ref, shape: Sizes, variables: Variables) -> tuple[End, ...]:
    """Return every end of the picture that begins at a tensor of the top-level graph."""
    return tuple(_Walk(variables).ends(start, View.of_input(shape)))


class _Walk:
    def __init__(self, variables: Variables) -> None:
        self.views: dict[Ref, View] = {}
        self.constants = Constants(variables.read, partial(_shape, self.views))

    def ends(self, start: Ref, view: View) -> Iterator[End]:
        self.views[start] = view
        waiting = deque([start])
        joins: dict[Ref, Read] = {}
        for _ in range(_MOST_STEPS):
            if not waiting:
                break
            ref = waiting.popleft()
            for read in ref.scope.reads(ref):
                made = Ref(read.scope, str(read.message.name), 0)
                if read.message.op in IGNORED:
                    continue
                if read.message.op in _JOINS:
                    joins[made] = read
                    found = self._joined(read)
                    if found is None:
                        continue  # until the other parts have come, if they do
                else:
                    step = Step(read, self.views[ref], self.constants)
                    statistics = statistics_of(step)
                    found = None if statistics is not None else outputs_of(step)
                    if found is None:
                        if read.scope.matters(made.name):
                            yield self._end(step, statistics)
                        continue
                for index, output in found.items():
                    new = made._replace(output=index)
                    if new not in self.views:
                        self.views[new] = output
                        waiting.append(new)
        for made, read in joins.items():
            if made not in self.views:
                parts = [made.scope.resolve(it) for it in data_inputs(read.message)]
                yield from (End(view=self.views[it]) for it in parts if it in self.views)

    def _end(self, step: Step, statistics: Statistics | None) -> End:
        channel = None
        if step.op in _LAYERS and step.place == 0 and len(step.view.shape) == 4:
            attributes = step.attributes
            written = attributes["data_format"].s if "data_format" in attributes else b"NHWC"
            channel = step.view.axes[1 if written.startswith(b"NC") else 3]
        return End(view=step.view, statistics=statistics, channel=channel)

    def _joined(self, read: Read) -> dict[int, View] | None:
        """Return what a concatenation, a stack or a choice is, once all of its parts are known."""
        op, inputs = read.message.op, data_inputs(read.message)
        at = Ref(read.scope, str(read.message.name), 0)
        places = range(len(inputs))
        axis: int | None = None
        if op == "ConcatV2":
            places, axis = places[:-1], self._axis(at, len(inputs) - 1)
        elif op == "Concat":
            places, axis = places[1:], self._axis(at, 0)
        elif op in ("Select", "SelectV2"):
            places = places[1:]
        elif op == "Pack":
            attributes = read.scope.nodes.attributes(at.name)
            axis = attributes["axis"].i if "axis" in attributes else 0
        parts = [self.views.get(read.scope.resolve(inputs[k])) for k in places]
        known = [it for it in parts if it is not None]
        if not known or len(known) < len(parts) or any(it.scattered for it in known):
            return None
        if op in _CHOICES:
            alike = all(_state(it) == _state(known[0]) for it in known)
            return {0: known[0]} if alike else None
        if axis is None or len({len(it.shape) for it in known}) > 1:
            return None
        if op == "Pack":
            axis %= len(known[0].shape) + 1
            known = [with_axis(it, axis) for it in known]
        found = _side_by_side(known, axis % len(known[0].shape))
        return None if found is None else {0: found}

    def _axis(self, at: Ref, place: int) -> int | None:
        found = self.constants.input(at, place)
        return found.integers[0] if found is not None and found.integers else None


def _shape(views: Mapping[Ref, View], ref: Ref) -> Shape:
    found = views.get(ref)
    return None if found is None else found.shape


def _state(view: View) -> tuple[Any, ...]:
    return view.source, view.scale, view.offset, view.channel


def _side_by_side(parts: list[View], axis: int) -> View | None:
    """Return views joined along the axis of their channels."""
    if any(len(it.source) > 1 and it.channel != axis for it in parts):
        return None
    if any(it.channel is None and it.shape[axis] != 1 for it in parts):
        return None
    last = max(parts, key=lambda it: sum(1 for _ in it.steps()))
    source = tuple(k for it in parts for k in it.source)
    axes = tuple(
        next((it.axes[k] for it in parts if it.axes[k] is not None), None)
        for k in range(len(last.axes))
    )
    return replace(
        last,
        channel=axis,
        axes=axes,
        source=source,
        scale=tuple(k for it in parts for k in it.scale),
        offset=tuple(k for it in parts for k in it.offset),
        shape=tuple(len(source) if k == axis else n for k, n in enumerate(last.shape)),
        learned=any(it.learned for it in parts),
        statistic=all(it.statistic for it in parts),
        before=None,
    )
