"""Means over instances with the interval that they are known to: a bootstrap over the instances.

The interval is Hesterberg's expanded percentile interval (arXiv 1411.5279): percentiles of 2,000
resampled means, a little further out than 2.5 and 97.5, since a sample spreads less than what it
was drawn from, and the fewer instances the more so. Resamples are drawn by
``default_rng([seed, n])``, so that the same instances are resampled alike for every candidate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pellucid.model import Array

RESAMPLES = 2000
TOO_FEW = 20
"""Below so many instances methods cannot be ranked."""
LEAST = 6
"""Fewer that all point one way do so by chance in more than one of 20 cases: 2 · 2⁻⁵ > 0.05."""
_TOGETHER = 2**22


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over `n` instances, and the ends of its 95 % interval.

    The mean is None where there is no instance, the ends where there is none or one.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int

    @property
    def sure(self) -> bool:
        """Whether the interval excludes zero, of as many instances as that takes."""
        if self.n < LEAST:
            return False
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def interval(values: Array, seed: int = 0) -> Interval:
    """Return the mean of the values that are numbers, [n], and its interval."""
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    n = len(values)
    if n == 0:
        return Interval(None, None, None, 0)
    mean = float(values.mean())
    if n == 1:
        return Interval(mean, None, None, 1)
    share = _tail(n)
    low, high = np.quantile(_means(values, seed), [share, 1 - share])
    return Interval(mean, float(low), float(high), n)


def difference(first: Array, second: Array, seed: int = 0) -> Interval:
    """Return how far the first is above the second, [n] each, on the instances that have both."""
    return interval(np.asarray(first, np.float64) - np.asarray(second, np.float64), seed)


def band(curves: Array, seed: int = 0) -> Array:
    """Return the mean of curves [n, m] with its interval at each point: mean, low, high [3, m].

    A curve with a point that is no number is left out. The ends are the mean where there is one
    curve, and NaN is all there is where there is none.
    """
    curves = np.asarray(curves, np.float64)
    curves = curves[np.isfinite(curves).all(axis=1)]
    n, m = curves.shape
    if n < 2:
        return np.broadcast_to(curves[0] if n else np.full(m, np.nan), (3, m))
    means = np.empty((RESAMPLES, m))
    for rows, drawn in _resamples(n, seed):
        places = drawn + n * np.arange(len(drawn))[:, None]
        counts = np.bincount(places.ravel(), minlength=drawn.size).reshape(drawn.shape)
        means[rows] = counts @ curves / n
    share = _tail(n)
    low, high = np.quantile(means, [share, 1 - share], axis=0)
    return np.stack([curves.mean(axis=0), low, high])


def _tail(n: int) -> float:
    """Return the share of the resampled means that is left out on each side."""
    from scipy.special import ndtr, stdtrit

    return float(ndtr(-math.sqrt(n / (n - 1)) * stdtrit(n - 1, 0.975)))


def _means(values: Array, seed: int) -> Array:
    means = np.empty(RESAMPLES)
    for rows, drawn in _resamples(len(values), seed):
        means[rows] = values[drawn].mean(axis=1)
    return means


def _resamples(n: int, seed: int) -> Iterator[tuple[slice, Array]]:
    """Yield the instances of each resample, [r, n], some of them at a time, with their places."""
    generator = np.random.default_rng([seed, n])
    size = max(1, _TOGETHER // n)
    for start in range(0, RESAMPLES, size):
        count = min(size, RESAMPLES - start)
        yield slice(start, start + count), generator.integers(n, size=(count, n))
