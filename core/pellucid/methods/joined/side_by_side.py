"""Many small features as one array, side by side, so that numpy goes over them once."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.model import Array, Attribution, Layout, Model, Parted, Tensors

MANY, LARGEST = 8, 2**14
"""So many features are worth to be joined, which have no more elements than so many."""
_ALL = "all features"


@dataclass(frozen=True, slots=True)
class JoinedModel:
    """A `Model` of one feature, whose parts are those of another model."""

    model: Model
    layout: Layout

    @property
    def differentiable(self) -> frozenset[str]:
        return frozenset([_ALL])

    def outputs(self, x: Tensors) -> Array:
        return self.model.outputs(self._parted(x))

    def path_gradient(
        self, start: Tensors, stop: Tensors, nodes: Array, weights: Array, target: Array
    ) -> Tensors:
        found = self.model.path_gradient(
            self._parted(start), self._parted(stop), nodes, weights, target
        )
        return {_ALL: self.layout.joined(found)}

    def coalition_scores(
        self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
    ) -> Array:
        ends = self._parted(x), self._parted(baseline)
        return self.model.coalition_scores(*ends, self._parted(masks), target)

    def _parted(self, tensors: Tensors) -> Parted:
        others = {name: value for name, value in tensors.items() if name != _ALL}
        return Parted(tensors[_ALL], self.layout, others)


@dataclass(frozen=True, slots=True)
class SideBySide:
    """A question to a method, in which many features are one."""

    model: JoinedModel
    x: Tensors
    baselines: Sequence[Tensors]

    def parted(self, found: Attribution) -> Attribution:
        """Return attributions by the names of the features."""
        layout = self.model.layout
        parts = ({**Parted(it[_ALL], layout)} if it else {} for it in (found.values, found.errors))
        values, errors = parts
        return replace(found, values=values, errors=errors)


def side_by_side(
    model: Model, x: Tensors, baselines: Sequence[Tensors], names: Collection[str]
) -> SideBySide | None:
    """Return the question with some features joined, None where that is worth nothing."""
    if len(names) < MANY:
        return None
    some = sorted(names)
    alike = {x[name].dtype for name in some} | {it[name].dtype for it in baselines for name in some}
    if len(alike) > 1 or next(iter(alike)).kind != "f":
        return None
    layout = Layout(tuple(some), tuple(x[name].shape[1:] for name in some))
    if sum(map(math.prod, layout.shapes)) > LARGEST:
        return None
    held = {name: value for name, value in x.items() if name not in names}
    starts = [{_ALL: _joined(layout, it)} for it in baselines]
    return SideBySide(JoinedModel(model, layout), {_ALL: layout.joined(x), **held}, starts)


def _joined(layout: Layout, baseline: Tensors) -> Array:
    """Return the features of a baseline, [1, …] or [n, …] each, as one array."""
    rows = max(len(baseline[name]) for name in layout.names)
    if all(len(baseline[name]) == rows for name in layout.names):
        return layout.joined(baseline)
    whole = {name: baseline[name] for name in layout.names}
    return layout.joined(
        {name: np.broadcast_to(it, (rows, *it.shape[1:])) for name, it in whole.items()}
    )
