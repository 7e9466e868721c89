"""Nearest examples: the rows of a set that lie closest to an instance in a model's latent space.

With e a latent vector of an example and q that of the instance, the distance is Σ (q − e)²
(squared L2), Σ |q − e| (L1), −q·e (dot product) or 1 − q·e / (‖q‖ ‖e‖) (cosine).

```python
>>> import numpy as np
>>> examples = np.array([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0], [0.0, 1.0]])
>>> places, distances = nearest_examples(np.zeros((1, 2)), examples, 3)
>>> places.tolist(), distances.tolist()
([[0, 2, 3]], [[0.0, 1.0, 1.0]])

```

Choosing: squared L2 where the length of a latent vector means something (images), cosine where
only its direction does (texts). The dot product favours long vectors, and is no distance: an
example need not be nearest to itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.metadata import Distance, Normalization
from pellucid.model import Array

# A block of examples is read at a time, so that memory does not grow with their number.
BLOCK_BYTES = 2**23
QUERIES = 256


def nearest_examples(
    queries: Array,
    examples: Array,
    count: int,
    distance: Distance = Distance.SQUARED_L2,
    *,
    rows: Array | None = None,
) -> tuple[Array, Array]:
    """Return the places [m, k] of the nearest examples and their distances, nearest first.

    `queries` are [m, d], `examples` [n, d], which may lie on disk (``np.memmap``); with `rows` only
    those are looked at, ascending. k is `count` or all there are. The answer is exact: it is that
    of the formula in double precision for every example, ties to the lowest place.
    """
    places: Any = range(len(examples)) if rows is None else rows
    count = min(count, len(places))
    size = max(1, BLOCK_BYTES // max(1, examples.shape[1] * examples.dtype.itemsize))
    best = [_Best(count) for _ in queries]
    for first in range(0, len(queries), QUERIES):
        some = np.asarray(queries[first : first + QUERIES], np.float64)
        for start in range(0, len(places), size):
            chosen = places[start : start + size]
            part = examples[chosen.start : chosen.stop] if rows is None else examples[chosen]
            block = np.array(part)  # read once, and aligned in memory
            low, high = _bounds(some, block, distance)
            for q, found, least, most in zip(
                some, best[first : first + QUERIES], low, high, strict=True
            ):
                near = np.flatnonzero(least <= found.bound(most))
                if len(near):
                    found.add(start + near, distances(q, block[near], distance))
    nearest = np.array([found.places for found in best], np.int64).reshape(len(best), count)
    measured = np.array([found.distances for found in best]).reshape(len(best), count)
    return (nearest if rows is None else rows[nearest]), measured


def distances(query: Array, examples: Array, distance: Distance) -> Array:
    """Return the distance of one vector [d] to each of some examples [n, d], float64 [n].

    A row is computed alone, so that its distance does not depend on its neighbours. A vector of
    length 0 has no direction: its cosine is 0.
    """
    q, e = np.asarray(query, np.float64), np.asarray(examples, np.float64)
    match distance:
        case Distance.SQUARED_L2:
            return np.asarray(((q - e) ** 2).sum(axis=1))
        case Distance.L1:
            return np.asarray(np.abs(q - e).sum(axis=1))
        case Distance.DOT_PRODUCT:
            return np.asarray(-(q * e).sum(axis=1))
        case Distance.COSINE:
            length = np.sqrt((q * q).sum() * (e * e).sum(axis=1))
            cosine = (q * e).sum(axis=1) / np.where(length > 0, length, 1.0)
            # Rounding must not make a distance negative.
            return np.asarray(1.0 - np.minimum(cosine, 1.0))


def normalized(
    vectors: Array, normalization: Normalization, center: Array | None, scale: Array | None
) -> Array:
    """Return latent vectors [n, d] as distances are taken of them.

    `center` and `scale` [d] are the examples' mean and standard deviation, for STANDARD.
    """
    match normalization:
        case Normalization.NONE:
            return vectors
        case Normalization.UNIT_L2_NORM:
            length = np.linalg.norm(np.asarray(vectors, np.float64), axis=1, keepdims=True)
            return np.asarray(vectors / np.where(length > 0, length, 1.0), vectors.dtype)
        case Normalization.STANDARD:
            assert center is not None and scale is not None, "known of every index that has it"
            return np.asarray((vectors - center) / np.where(scale > 0, scale, 1.0), vectors.dtype)


class _Best:
    """The nearest so far of one query, nearest first."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.places = np.empty(0, np.int64)
        self.distances = np.empty(0)

    def bound(self, most: Array) -> float:
        """Return what the distance of the last one cannot exceed, given bounds for a new block."""
        known = self.distances[-1] if len(self.distances) == self.count else np.inf
        if len(most) < self.count:
            return float(known)
        return float(min(known, np.partition(most, self.count - 1)[self.count - 1]))

    def add(self, places: Array, distances: Array) -> None:
        places = np.concatenate([self.places, places])
        distances = np.concatenate([self.distances, distances])
        # Earlier blocks hold lower places, and the sort is stable: ties go to the lowest.
        order = np.argsort(distances, kind="stable")[: self.count]
        self.places, self.distances = places[order], distances[order]


def _bounds(queries: Array, block: Array, distance: Distance) -> tuple[Array, Array]:
    """Return what the distances [m, b] lie between, by one product of matrices.

    A dot product of d terms is off by at most some d ε ‖q‖ ‖e‖ (Higham, Accuracy and Stability of
    Numerical Algorithms, 3.1), and ‖q‖² + ‖e‖² is no less than twice ‖q‖ ‖e‖.
    """
    if distance is not Distance.L1:
        for kind in (np.float32, np.float64) if block.dtype == np.float32 else (np.float64,):
            with np.errstate(over="ignore", invalid="ignore"):
                rough, lengths = _rough(queries.astype(kind), block.astype(kind), distance)
                slack = 4 * (block.shape[1] + 8) * np.finfo(kind).eps * lengths
                low, high = rough - slack, rough + slack
            if np.isfinite(low).all() and np.isfinite(high).all():
                return low, high
    exact = np.stack([distances(q, block, distance) for q in queries])
    return exact, exact


def _rough(q: Array, e: Array, distance: Distance) -> tuple[Array, Array]:
    """Return distances in the precision of the arrays, and ‖q‖² + ‖e‖², [m, b] each."""
    if distance is Distance.COSINE:
        q, e = (normalized(v, Normalization.UNIT_L2_NORM, None, None) for v in (q, e))
        return 1 - q @ e.T, np.full((len(q), len(e)), 2, q.dtype)
    lengths = np.einsum("ij,ij->i", q, q)[:, None] + np.einsum("ij,ij->i", e, e)
    product = q @ e.T
    return (-product if distance is Distance.DOT_PRODUCT else lengths - 2 * product), lengths
