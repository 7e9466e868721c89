"""Some of the instances whose attribution moved to or from one element, as no other's did.

A shortcut that a new model has learnt is in few of the instances, and lost in the mean of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.evaluate import LEAST
from pellucid.model import Array
from pellucid.visualize import cut_in_two

APART = 5.0
"""Standard deviations between some instances and all others, from which on they are announced."""
CHANGE = 0.05
"""The least change of the share of those that are."""
TAIL = 0.05
"""The part of each side that may be an exception."""
SPREAD = 2e-3
"""The least standard deviation of shares that is told from none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """Instances whose share of one element changed as that of no other did.

    `members` are places among the instances, those that changed most first; `first` and `second`
    are their mean shares in both models, `apart` is how far their changes are from all others, in
    standard deviations.
    """

    element: str
    members: tuple[int, ...]
    first: float
    second: float
    apart: float


def subsets_of(
    pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]],
) -> list[Subset]:
    """Return the subsets of instances, those that are furthest apart first, each instance once.

    `pairs` are the shares of the elements of each instance in both models. For each element the
    instances are cut in two where the two vary least; those with the larger changes are announced
    if there are 6 or more of them and of others, their mean share changed by 0.05 or more, and
    between the least 5 % of theirs and the greatest 5 % of the others' there are 5 standard
    deviations or more: the rule by which groups of maps are announced, applied to changes.
    """
    known = [i for i, (one, other) in enumerate(pairs) if one and other]
    names = dict.fromkeys(name for i in known for name in (*pairs[i][0], *pairs[i][1]))
    if len(known) < 2 * LEAST:
        return []
    found = []
    for name in names:
        shares = np.array([[it.get(name, 0.0) for it in pairs[i]] for i in known])
        changes = shares[:, 1] - shares[:, 0]
        for sign in (1, -1):
            inside, apart = _apart(sign * changes)
            if apart < APART or abs(float(changes[inside].mean())) < CHANGE:
                continue
            members = np.flatnonzero(inside)
            members = members[np.argsort(-sign * changes[members], kind="stable")]
            first, second = (float(it) for it in shares[inside].mean(axis=0))
            found.append(
                Subset(
                    element=name, members=tuple(known[int(i)] for i in members), first=first,
                    second=second, apart=apart,
                )
            )  # fmt: skip
    found.sort(key=lambda it: (-abs(it.second - it.first) * len(it.members), it.element))
    kept: list[Subset] = []
    for it in found:  # of neighbouring cells, one stands for all
        if not any(set(it.members) & set(other.members) for other in kept):
            kept.append(it)
    return kept


def _apart(changes: Array) -> tuple[Array, float]:
    """Return which changes are those above the cut, bool [n], and how far apart the two are."""
    inside = changes > cut_in_two(changes)
    if min(inside.sum(), (~inside).sum()) < LEAST:
        return inside, 0.0
    gap = np.quantile(changes[inside], TAIL) - np.quantile(changes[~inside], 1 - TAIL)
    spread = np.sqrt((changes[inside].var() + changes[~inside].var()) / 2)
    return inside, float(gap / max(spread, SPREAD))
