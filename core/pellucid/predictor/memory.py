"""Rows that were asked already within a call, with their answers: nothing is asked twice.

What lasts longer than a call may be answered otherwise by then: a predictor's model changes without
a word.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b

import numpy as np

from pellucid.model import Array, Tensors

BYTES = 2**26
"""The answers that are remembered at most."""
LARGE, FEW = 2**12, 4
"""Rows of more bytes are remembered where only few are asked: to know one again costs a microsecond
for each KB, six times as much as to send it."""


class Memory:
    """Answers by row, of one model; each array of them is kept whole. Any thread may ask it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[bytes, int] = {}
        self._kept: dict[str, list[Array]] = {}
        self._starts: list[int] = []
        self._bytes = 0

    def known(self, keys: Sequence[bytes | None]) -> Array:
        """Return the place of each row's answer, −1 where there is none, int [n]."""
        return np.array([-1 if it is None else self._places.get(it, -1) for it in keys], np.int64)

    def keep(self, keys: Sequence[bytes | None], answers: Tensors) -> None:
        """Remember the answers to rows, [n, …]."""
        if all(key is None for key in keys):
            return
        size = sum(it.nbytes for it in answers.values())
        with self._lock:
            if self._bytes + size > BYTES:
                return
            self._bytes += size
            start = self._count
            self._starts.append(start)
            for name, value in answers.items():
                self._kept.setdefault(name, []).append(value)
            for row, key in enumerate(keys):
                if key is not None:
                    self._places.setdefault(key, start + row)

    def at(self, places: Array) -> dict[str, Array]:
        """Return the answers at some places, [n, …]."""
        with self._lock:
            starts = np.asarray(self._starts, np.int64)
        block = np.searchsorted(starts, places, side="right") - 1
        row = places - starts[block]
        return {
            name: np.stack([parts[b][r] for b, r in zip(block, row, strict=True)])
            for name, parts in self._kept.items()
        }

    @property
    def _count(self) -> int:
        return sum(len(it) for it in next(iter(self._kept.values()), []))


_memories: ContextVar[dict[int, Memory] | None] = ContextVar("memories", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Have no predictor be asked twice for the same row in this block."""
    if _memories.get() is not None:
        yield
        return
    token = _memories.set({})
    try:
        yield
    finally:
        _memories.reset(token)


def memory_of(owner: object) -> Memory:
    """Return the memory of a model in this call; outside of one, it is forgotten at once."""
    found = _memories.get()
    return Memory() if found is None else found.setdefault(id(owner), Memory())


def keys_of(tensors: Tensors) -> list[bytes | None]:
    """Return what is the same for rows [n, …] that are the same; None for what is too large."""
    n = len(next(iter(tensors.values())))
    rows = [np.reshape(it, (n, -1)) for it in tensors.values() if np.size(it)]
    size = sum(it.itemsize * it.shape[1] for it in rows)
    if size > LARGE and n > FEW:
        return [None] * n
    if size <= 64 and all(it.dtype != object for it in rows):
        bits = [np.ascontiguousarray(it).view(np.uint8).reshape(n, -1) for it in rows]
        return [it.tobytes() for it in np.concatenate(bits, axis=1)] if bits else [b""] * n
    return [_digest(rows, row) for row in range(n)]


def _digest(rows: Sequence[Array], row: int) -> bytes:
    digest = blake2b(digest_size=16)
    for it in rows:
        digest.update(pickle.dumps(it[row].tolist()) if it.dtype == object else it[row].tobytes())
    return digest.digest()
