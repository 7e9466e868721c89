"""Groups among the attribution maps of a class: spectral relevance analysis.

Maps are averaged over cells, each is joined to those nearest to it, and the eigenvectors of what
joins them tell groups apart (Lapuschkin et al. 2019, "Unmasking Clever Hans predictors and
assessing what machines really learn", arXiv 1902.10178). Every class has groups, since there are
several ways to write a one. What is announced are maps with a cell of their own, as those of a
watermark, and cells are looked at one by one: among many differences, clusters may lose one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.model import Array
from pellucid.visualize.overview.maps import Drawn, Maps
from pellucid.visualize.overview.numbers import Overview

FEWEST = 40
"""Maps without which a class is not searched for groups."""
MOST = 6
"""Groups that a class is taken to have, at most."""
APART = 5.0
"""Standard deviations between a group and all others, in some cell, from which it is announced."""
SHARE, TAIL = 0.1, 0.05
"""The part of a class that a finding is, at least; the part of each side that is an exception."""
LEAST = 1e-3
"""The least standard deviation that is told from none: maps are kept with 8 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some of the maps of a class, the most typical first; `medoid` is the first of them.

    One that is a finding has a `cell` (row, column) of its own, in which it is `apart` from all
    others by so many standard deviations, 5 or more.
    """

    members: tuple[int, ...]
    apart: float = 0.0
    cell: tuple[int, int] | None = None

    @property
    def medoid(self) -> int:
        return self.members[0]


def groups_of(maps: Array) -> list[Group]:
    """Return the groups of maps [n, h, w], a finding and all others, else the largest first.

    Where no cell sets some of the maps apart, they are those of the spectrum, as many as stand
    before the widest gap between two of its eigenvalues. None where there are fewer than 40 maps.
    """
    from scipy.spatial.distance import cdist  # most runs of the program draw no groups

    if len(maps) < FEWEST:
        return []
    flat = np.asarray(maps, np.float64).reshape(len(maps), -1)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    flat = flat / np.where(lengths > 0, lengths, 1.0)
    distances = cdist(flat, flat)
    apart, cell, inside = max(_cut_in_two(np.abs(flat)), key=lambda it: it[0])
    if apart >= APART:
        place = divmod(cell, maps.shape[2])
        group = Group(members=_typical(distances, inside), apart=apart, cell=place)
        return [group, Group(members=_typical(distances, ~inside))]
    labels = _spectral(distances)
    groups = [Group(members=_typical(distances, labels == it)) for it in np.unique(labels)]
    return sorted(groups, key=lambda group: (-len(group.members), group.members))


def _typical(distances: Array, inside: Array) -> tuple[int, ...]:
    """Return the places of a group, those nearest to all others of it first."""
    members = np.flatnonzero(inside)
    far = distances[np.ix_(members, members)].sum(axis=1)
    return tuple(members[np.argsort(far, kind="stable")].tolist())


def _spectral(distances: Array) -> Array:
    """Return the group of each map, [n], by k-means of eigenvectors of what joins neighbours.

    That is the normalized Laplacian of their graph.
    """
    from scipy.cluster.vq import ClusterError, kmeans2
    from scipy.linalg import eigh

    n = len(distances)
    count = max(5, round(2 * np.log(n)))
    others = distances + np.diag(np.full(n, np.inf))
    near = np.argsort(others, axis=1, kind="stable")[:, :count]
    joined = np.zeros((n, n))
    joined[np.arange(n)[:, np.newaxis], near] = 1
    joined = (joined + joined.T) / 2
    degrees = np.sqrt(joined.sum(axis=1))
    laplacian = np.eye(n) - joined / np.outer(degrees, degrees)
    values, vectors = eigh(laplacian, subset_by_index=(0, MOST))
    groups = 2 + int(np.argmax(np.diff(values)[1:]))
    rows = vectors[:, :groups]
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    try:
        labels: Array = kmeans2(rows, groups, iter=50, minit="++", missing="raise", seed=0)[1]
    except ClusterError:  # a group without maps: there are not so many
        return np.zeros(n, np.int64)
    return labels


def _cut_in_two(sizes: Array) -> Iterator[tuple[float, int, Array]]:
    """Yield how far maps [n, cells] are apart in each cell, the cell, and which have more there.

    They are cut in two where the two vary least. How far apart is what lies between the 5 % least
    of the one and the 5 % greatest of the other, in standard deviations; 0 where either is small.
    """
    for cell, values in enumerate(sizes.T):
        inside = values > cut_in_two(values)
        if min(inside.sum(), (~inside).sum()) < SHARE * len(sizes):
            yield 0.0, cell, inside
            continue
        gap = np.quantile(values[inside], TAIL) - np.quantile(values[~inside], 1 - TAIL)
        spread = np.sqrt((values[inside].var() + values[~inside].var()) / 2)
        yield max(0.0, float(gap / max(spread, LEAST))), cell, inside


def cut_in_two(values: Array) -> float:
    """Return the number between two of `values` that leaves the least variance on its sides."""
    rising = np.sort(values)
    n, sums = len(rising), np.cumsum(rising)
    counts = np.arange(1, n)
    below, above = sums[:-1] / counts, (sums[-1] - sums[:-1]) / (n - counts)
    place = int(np.argmax(counts * (n - counts) * (above - below) ** 2))
    return float(rising[place] + rising[place + 1]) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassGroups:
    """The groups of a class: what it is `called`, the `maps` that were compared, of how many.

    Where one of the groups is a finding, it is the first.
    """

    called: str
    maps: tuple[Drawn, ...]
    count: int
    groups: tuple[Group, ...]

    @property
    def finding(self) -> Group | None:
        """The group that has a cell of its own, if one has."""
        return self.groups[0] if self.groups[0].cell is not None else None

    @property
    def sentence(self) -> str:
        """What is announced, ``""`` where nothing is."""
        if (found := self.finding) is None or found.cell is None:
            return ""
        (row, column), (height, width) = found.cell, self.maps[0].cells.shape
        return (
            f"{self.called}: {len(found.members)} of {len(self.maps)} maps have a place that the "
            f"others have not, row {row + 1} of {height}, column {column + 1} of {width} "
            f"({found.apart:.1f} standard deviations apart), as a watermark would; the most "
            f"typical is {self.maps[found.medoid].name}"
        )

    def document(self) -> dict[str, Any]:
        """Return the groups as JSON."""
        groups = [
            {
                "count": len(group.members),
                "medoid": self.maps[group.medoid].name,
                **({} if group.cell is None else self._place(group, group.cell)),
            }
            for group in self.groups
        ]
        return {
            "maps": len(self.maps),
            "of": self.count,
            "cells": [*self.maps[0].cells.shape],
            "finding": self.finding is not None,
            "groups": groups,
        }

    def _place(self, group: Group, cell: tuple[int, int]) -> dict[str, Any]:
        names = [self.maps[it].name for it in group.members]
        return {"cell": [*cell], "apart": group.apart, "inputs": names}


def class_groups(maps: Maps, overview: Overview) -> Iterator[ClassGroups]:
    """Yield the groups of each class that has enough maps, in the order of the classes."""
    for key, called in zip(overview.ordered, overview.classes, strict=True):
        drawn = tuple(maps.of(key))
        if len(drawn) >= FEWEST:
            groups = tuple(groups_of(np.stack([it.cells for it in drawn])))
            count = maps.counts[key]
            yield ClassGroups(called=called, maps=drawn, count=count, groups=groups)
