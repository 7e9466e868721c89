"""For each of many cells, the two keys that were seen there last and what each of them means."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.model import Array


class Pairs:
    """Two keys and their values for each cell; of keys and values, all have the same bytes.

    `word` is an unsigned type of which keys are made up.
    """

    def __init__(self, cells: int, key_bytes: int, value_bytes: int, word: np.dtype[Any]) -> None:
        self._word, self._words = word, key_bytes // word.itemsize
        self._keys = [np.zeros(cells, f"V{key_bytes}") for _ in range(2)]
        self._values = [np.zeros(cells, f"V{value_bytes}") for _ in range(2)]
        self._expected = np.zeros(cells, f"V{key_bytes}")
        # Where the two keys of a cell differ, and which word of the first is there.
        self._place = np.arange(cells) * self._words
        self._first = self._as_words(self._keys[0])[:, 0].copy()
        self._recent = np.ones(cells, bool)
        self._empty = True

    def find(self, keys: Array, values: Array) -> Array:
        """Write the value of each cell's key into `values`; return the cells with another key.

        `keys` and `values` are [cells], of bytes as `keyed` makes them.
        """
        if self._empty:
            return np.arange(len(keys))
        first = self._as_words(keys).ravel().take(self._place) == self._first
        for into, (one, other) in ((self._expected, self._keys), (values, self._values)):
            np.copyto(into, other)
            np.copyto(into, one, where=first)
        same = self._as_words(self._expected) == self._as_words(keys)
        if same.all():
            self._recent = first
            return np.empty(0, np.intp)
        missing = np.flatnonzero(~same.all(axis=1))
        known = np.ones(len(keys), bool)
        known[missing] = False
        np.copyto(self._recent, first, where=known)
        return missing

    def learn(self, cells: Array, keys: Array, values: Array) -> None:
        """Keep keys and values of some cells, [m], in the place of those not seen for longer."""
        if self._empty:
            for place in range(2):
                self._keys[place][cells], self._values[place][cells] = keys, values
            self._empty = len(cells) < len(self._place)
        else:
            older = self._recent[cells]  # whose first is the more recent: the second goes
            for place, which in ((1, older), (0, ~older)):
                some = cells[which]
                self._keys[place][some] = keys[which]
                self._values[place][some] = values[which]
            self._recent[cells] = ~older
        one, other = (self._as_words(it[cells]) for it in self._keys)
        column = np.argmax(one != other, axis=1)
        self._place[cells] = cells * self._words + column
        self._first[cells] = one[np.arange(len(cells)), column]

    def _as_words(self, keys: Array) -> Array:
        return keys.view(self._word).reshape(len(keys), self._words)
