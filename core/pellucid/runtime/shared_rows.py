"""What is asked of a model several times at one point, as for several outputs of one instance.

The way forward is gone once for all outputs: paths and coalitions that differ in their target
alone are one path and one coalition with several targets.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from pellucid.model import Array

_GLANCE = 64
"""So many values of a row mostly tell that it is none of the others."""


def alike(tensors: Sequence[Array]) -> Array:
    """Return a number for each row of tensors [n, …], the same for rows that are equal, int [n].

    Numbers are given in the order of rows, 0 … m − 1. Rows are compared bit by bit.
    """
    n = len(tensors[0])
    if n < 2:
        return np.zeros(n, np.intp)
    rows = [np.reshape(it, (n, -1)) for it in tensors if np.size(it)]
    glances = [it[:, :: max(1, it.shape[1] // _GLANCE)] for it in rows]
    bits = [_bits(it) for it in glances if it.dtype != object]
    keys = [it.tobytes() for it in np.concatenate(bits, axis=1)] if bits else [b""] * n
    seen = Counter(keys)
    for row, key in enumerate(keys):
        if seen[key] > 1:
            keys[row] = digest(rows, row)
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.intp)


def _bits(rows: Array) -> Array:
    """Return rows [n, m] as bytes, uint8 [n, b]."""
    return np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)


def digest(rows: Sequence[Array], row: int) -> bytes:
    """Return what tells a row of tensors [n, m] from all that differ in a bit."""
    found = blake2b(digest_size=16)
    for it in rows:
        found.update(pickle.dumps(it[row].tolist()) if it.dtype == object else it[row].tobytes())
    return found.digest()


@dataclass(frozen=True, slots=True)
class Shared:
    """Points that are the same, and the targets asked of them.

    `first` [m] are the rows that stand for those like them; `target` [q] are the targets of each
    of these, one after the other, `counts` [m] how many each has; `place` [n] says which of the q
    answers is that of a row.
    """

    first: Array
    target: Array
    counts: Array
    place: Array

    def groups(self) -> Iterator[tuple[Array, Array]]:
        """Yield the rows that have as many targets, [r], and the places of these, [r, k]."""
        begin = np.cumsum(self.counts) - self.counts
        for count in np.unique(self.counts).tolist():
            some = np.flatnonzero(self.counts == count)
            yield self.first[some], begin[some, np.newaxis] + np.arange(count)

    def padded(self) -> tuple[Array, Array]:
        """Return as many targets for each point, [m, k], and the place of each row's, int [2, n].

        What is lacking is the last one again.
        """
        begin = np.cumsum(self.counts) - self.counts
        column = np.minimum(np.arange(self.counts.max()), self.counts[:, np.newaxis] - 1)
        owner = np.repeat(np.arange(len(self.counts)), self.counts)[self.place]
        return self.target[begin[:, np.newaxis] + column], np.stack(
            [owner, self.place - begin[owner]]
        )


def shared_by(moving: Sequence[Array], others: Sequence[Array], target: Array) -> Shared:
    """Return which rows of tensors [n, …] are the same, each with the targets asked of it, [n].

    The `others` are looked at where the `moving` ones are the same.
    """
    number = alike(moving)
    if number[-1] < len(number) - 1:
        number = alike([number, *others])
    _, first = np.unique(number, return_index=True)
    (owner, targets), place = np.unique(
        np.stack([number, np.asarray(target, np.int64)]), axis=1, return_inverse=True
    )
    return Shared(first, targets, np.bincount(owner), np.ravel(place))
