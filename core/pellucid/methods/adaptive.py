"""A path integral refined until it is accurate enough, instance by instance.

The integral of the gradient along a path must be the change of the score over it. This holds on
every segment [a, b] of the path, too, so that the residual of a segment with its one midpoint m,

    r = ∇f(m) · (x_b − x_a) − (f(b) − f(a)),

tells where more nodes are needed. The segment with the largest residual is cut in three, whose
middle keeps the gradient that is known: two new gradients, and nothing is computed twice. A smooth
path needs a few, and a path with a jump as many as find it.

A path is done when |Σ r| ≤ tolerance · |d|, which is what approx_error measures, and when the
residuals do not merely cancel: Σ |r| ≤ 6 · tolerance · |d|. Without the second condition a path of
three nodes is now and then right by luck, with attributions that are wrong by half (measured on
the sample models: with it, the attributions at 1 % are as accurate as those of 50 fixed nodes on
`photos`, for 21 gradients in the mean; on `digits` they are off by 4 % in the median, for 10).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.model import Array, Model, Tensors

PARTS = 3
CANCELLATION = 6.0
MIDPOINT = np.array([0.5])
ONE = np.array([1.0])


@dataclass(slots=True)
class _Segment:
    """A part of one path, and the gradient at its midpoint once that is known."""

    first: float
    last: float
    score_first: float
    score_last: float
    slope: Mapping[str, Array] | None = None
    residual: float = 0.0


def refine(
    model: Model,
    start: Tensors,
    stop: Tensors,
    target: Array,
    scores: tuple[Array, Array],
    tolerance: float,
    max_steps: int,
) -> tuple[dict[str, Array], Array]:
    """Return ∫₀¹ ∇f(start + α (stop − start)) dα for each path, and the gradients it took, [n].

    `start` and `stop` are [n, …], `scores` are f at both ends, [n] each. A path is done when it is
    accurate (see above, with d = f(stop) − f(start)), or when more than `max_steps` gradients would
    be taken. Instances that are done leave the batch. The integrals are float64 [n, …], for the
    differentiable features.
    """
    features = sorted(model.differentiable)
    difference = {name: np.asarray(stop[name], np.float64) - start[name] for name in features}

    def points(rows: Array, places: Array) -> dict[str, Array]:
        return _points(start, stop, rows, places, features)

    def cut(rows: Sequence[int], whole: Sequence[_Segment]) -> list[list[_Segment]]:
        """Return the thirds of segments, measured: all gradients in one question."""
        edges = [np.linspace(s.first, s.last, PARTS + 1) for s in whole]
        inner = np.concatenate([e[1:-1] for e in edges])
        inside = np.repeat(rows, PARTS - 1)
        between = model.outputs(points(inside, inner))[np.arange(len(inside)), target[inside]]
        thirds = []
        for segment, edge, known in zip(
            whole, edges, between.reshape(len(whole), PARTS - 1), strict=True
        ):
            ends = [segment.score_first, *known.tolist(), segment.score_last]
            parts = [
                _Segment(float(edge[k]), float(edge[k + 1]), ends[k], ends[k + 1])
                for k in range(PARTS)
            ]
            parts[PARTS // 2].slope = segment.slope
            thirds.append(parts)
        fresh = [(i, s) for i, parts in zip(rows, thirds, strict=True) for s in parts]
        missing = [(i, s) for i, s in fresh if s.slope is None]
        at = np.array([i for i, _ in missing])
        begin, end = (
            points(at, np.array(places))
            for places in zip(*((s.first, s.last) for _, s in missing), strict=True)
        )
        slopes = model.path_gradient(begin, end, MIDPOINT, ONE, target[at])
        for place, (_, segment) in enumerate(missing):
            segment.slope = {name: slopes[name][place] for name in features}
        for i, segment in fresh:
            assert segment.slope is not None, "each part has been measured or was known"
            total = sum(float((segment.slope[k] * difference[k][i]).sum()) for k in features)
            length = segment.last - segment.first
            segment.residual = total * length - (segment.score_last - segment.score_first)
        return thirds

    n = len(target)
    whole = [_Segment(0.0, 1.0, float(a), float(b)) for a, b in zip(*scores, strict=True)]
    paths = cut(range(n), whole)
    used = np.full(n, PARTS)
    bound = tolerance * np.abs(np.asarray(scores[1]) - scores[0])
    while rows := [
        i
        for i, path in enumerate(paths)
        if not _is_accurate(path, float(bound[i])) and used[i] + PARTS - 1 <= max_steps
    ]:
        worst = [max(paths[i], key=lambda s: abs(s.residual)) for i in rows]
        for i, segment, parts in zip(rows, worst, cut(rows, worst), strict=True):
            paths[i] = [s for s in paths[i] if s is not segment] + parts
            used[i] += PARTS - 1
    return {name: np.stack([_integral(path, name) for path in paths]) for name in features}, used


def _is_accurate(path: Sequence[_Segment], bound: float) -> bool:
    residuals = [segment.residual for segment in path]
    return abs(sum(residuals)) <= bound and sum(map(abs, residuals)) <= CANCELLATION * bound


def _integral(path: Sequence[_Segment], name: str) -> Array:
    slopes = [(s.last - s.first, s.slope[name]) for s in path if s.slope is not None]
    return np.asarray(sum(length * slope for length, slope in slopes))


def _points(
    start: Tensors, stop: Tensors, rows: Array, places: Array, features: Sequence[str]
) -> dict[str, Array]:
    """Return the points at `places` of the paths `rows`; what has no gradient is held."""
    points = {}
    for name, end in stop.items():
        if name in features:
            at = places.reshape((-1,) + (1,) * (end.ndim - 1))
            begin = start[name][rows]
            points[name] = (begin + at * (end[rows] - begin)).astype(end.dtype)
        else:
            points[name] = end[rows]
    return points
