"""Elements whose share of the attribution grew or fell, and which of them did so beyond chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.evaluate import LEAST, Interval, interval
from pellucid.model import Array

CHANCE = 0.05
"""The chance that any element at all is called sure where none of them moved."""
SMALLEST = 1e-3
"""Changes of a mean share below this one are not called sure: nobody would see them."""
MANY = 2000
"""From so many instances on the bootstrap and Student's t give the same interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """An element, its mean share in both models, and the change, with its 95 % interval.

    `sure` tells that the change is told from none among all the elements that were looked at.
    """

    name: str
    first: float
    second: float
    change: Interval
    sure: bool


def shifts_of(
    pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]],
    seed: int = 0,
    *,
    families: int = 1,
) -> list[Shift]:
    """Return the shift of each element over the instances that have it, the largest first.

    `pairs` are the shares of the elements of each instance in the two models; instances without
    any are left out, and an element that one of the two lacks has the share 0 there. A change has
    a bootstrap interval over its instances. Whether it is `sure` is judged among all m elements of
    all `families` that are looked at together: Student's t of the mean of 6 instances or more is
    beyond its quantile 1 − 0.05 / 2m (Bonferroni), and the change not below a thousandth.
    """
    pairs = [(one, other) for one, other in pairs if one and other]
    columns: dict[str, list[tuple[float, float]]] = {}
    for one, other in pairs:
        for name in {**one, **other}:
            columns.setdefault(name, []).append((one.get(name, 0.0), other.get(name, 0.0)))
    tests = families * max(1, len(columns))
    found = [_shift(name, np.array(values), seed, tests) for name, values in columns.items()]
    return sorted(found, key=lambda it: (-abs(it.second - it.first), it.name))


def _shift(name: str, values: Array, seed: int, tests: int) -> Shift:
    first, second = (float(it) for it in values.mean(axis=0))
    changes = values[:, 1] - values[:, 0]
    apart = abs(float(changes.mean()))
    sure = len(changes) >= LEAST and apart >= SMALLEST and apart > _half(changes, CHANCE / tests)
    return Shift(name=name, first=first, second=second, change=_interval(changes, seed), sure=sure)


def _interval(changes: Array, seed: int) -> Interval:
    if len(changes) < MANY:
        return interval(changes, seed)
    mean, half = float(changes.mean()), _half(changes, 0.05)
    return Interval(mean, mean - half, mean + half, len(changes))


def _half(changes: Array, chance: float) -> float:
    """Return half the width of Student's interval of a mean, which misses it by `chance`."""
    from scipy.special import stdtrit

    n = len(changes)
    return float(changes.std(ddof=1) / np.sqrt(n) * stdtrit(n - 1, 1 - chance / 2))
