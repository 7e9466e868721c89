"""Outputs that change at the baseline and nowhere else, as where the input is normalised first.

A network that begins with x/‖x‖, or with a layer normalisation, sees the direction of its input
and not its length: on the straight way from zero all points are one to it, so that its gradient
along the way is 0, however many steps are taken, and what changed at zero is in no attribution.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.model import Array, Attribution, Model, Tensors
from pellucid.notices import Hint

# Of the change of the output: what is not accounted for, and what it may still move on the way.
_UNEXPLAINED, _STILL = 0.5, 0.02
_NODES = (0.1, 0.5)


def elsewhere(
    model: Model,
    ends: Tensors,
    starts: Sequence[Tensors],
    attribution: Attribution,
    *,
    pictures: bool,
    several: bool,
) -> list[Hint | None]:
    """Return, for the rows that change at their baseline alone, which one to choose instead."""
    if attribution.approx_error is None:
        return [None] * len(attribution.target)
    hint = another_baseline(pictures=pictures, several=several)
    return [hint if it else None for it in jumps(model, ends, starts, attribution)]


def jumps(
    model: Model, ends: Tensors, starts: Sequence[Tensors], attribution: Attribution
) -> Array:
    """Return which rows have their whole change within a tenth of the way from the baseline, [n].

    Only rows whose attributions hardly add up are asked, two points for each baseline.
    """
    error = np.nan_to_num(np.asarray(attribution.approx_error, np.float64))
    found = error > _UNEXPLAINED
    if not found.any():
        return found
    rows = np.flatnonzero(found)
    change = np.abs(attribution.score - attribution.baseline_score)[rows]
    there = {name: value[rows] for name, value in ends.items()}
    for start in starts:
        for node in _NODES:
            asked = {
                name: _between(start[name], value, rows, node)
                if name in attribution.values
                else value
                for name, value in there.items()
            }
            score = model.outputs(asked)[np.arange(len(rows)), attribution.target[rows]]
            found[rows] &= np.abs(score - attribution.score[rows]) <= _STILL * change
    return found


def another_baseline(*, pictures: bool, several: bool) -> Hint:
    """Return which baselines are better than one that is the same everywhere."""
    what = "a baseline that is the same everywhere, such as zero, is a bad one here"
    if pictures and several:
        return Hint("{what}: {baseline:noise}, {baseline:blur} or {baseline:mean}", what=what)
    if pictures:
        return Hint("{what}: {baseline:noise} or {baseline:blur}", what=what)
    if several:
        return Hint("{what}: {baseline:noise} or {baseline:mean}", what=what)
    return Hint("{what}: {baseline:noise}", what=what)


def _between(start: Array, end: Array, rows: Array, node: float) -> Array:
    first = start[rows] if len(start) > 1 else start
    return np.asarray(first + node * (end.astype(np.float64) - first)).astype(end.dtype)
