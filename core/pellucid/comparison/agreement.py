"""How far two attribution maps of the same input agree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pellucid.evaluate import rank_correlation
from pellucid.model import Array

NOT_KNOWN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far attributions a and b, as flat vectors [n], agree.

    `cosine` is a·b / (|a| |b|), `rank` Spearman's correlation; `largest` is max |a − b| as a share
    of max(|a|, |b|), 0 where both are zero. The first two are NaN where a map is constant or zero.
    """

    cosine: float
    rank: float
    largest: float


def agreement(first: Array, second: Array) -> Agreement:
    """Return how far two maps of one shape agree."""
    a, b = (np.asarray(it, np.float64).ravel() for it in (first, second))
    scale = float(max(np.abs(a).max(initial=0.0), np.abs(b).max(initial=0.0)))
    largest = float(np.abs(a - b).max(initial=0.0)) / scale if scale else 0.0
    if np.array_equal(a, b):
        same = 1.0 if scale else NOT_KNOWN
        return Agreement(cosine=same, rank=same, largest=0.0)
    # Divided by the scale first: the squares of tiny gradients would vanish.
    a, b = a / scale, b / scale
    length = math.sqrt(float(a @ a) * float(b @ b))
    cosine = float(a @ b) / length if length else NOT_KNOWN
    return Agreement(cosine=cosine, rank=rank_correlation(a, b), largest=largest)


def share_moved(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """Return the share of the attribution that lies elsewhere: ½ Σ |p − q| over all elements.

    p and q are the elements' shares of Σ |attribution|, so that 0 is the same distribution and 1
    two without a common element: the total variation distance. Where one map has no shares, since
    it is zero, all of the other's moved; NaN where neither has any.
    """
    if not first and not second:
        return NOT_KNOWN
    if not first or not second:
        return 1.0
    names = {**first, **second}
    return 0.5 * math.fsum(abs(first.get(it, 0.0) - second.get(it, 0.0)) for it in names)
