"""Rows written as a grid."""

from __future__ import annotations

import threading

import numpy as np
import orjson

from pellucid.inputs.grids.layout import WORD, Layout
from pellucid.inputs.grids.pairs import Pairs
from pellucid.model import Array

_USUAL = 11
"""The characters of most numbers in float32."""
_COMMA, _SPACE = b",".ljust(WORD), ord(" ")


class _WiderError(Exception):
    """A number has more characters, `needed`, than cells have room for."""

    def __init__(self, needed: int) -> None:
        super().__init__()
        self.needed = needed


class GridWriter:
    """Writes rows of one shape and type; any thread may ask it."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
        self._layout = Layout(shape)
        self._dtype = np.dtype(dtype)
        self._lock = threading.Lock()
        self._longest = _USUAL
        self._begin()

    @property
    def row_bytes(self) -> int:
        """How many bytes a row takes, with the comma after it."""
        return self._layout.cells * self._size + WORD

    def write(self, rows: Array) -> memoryview:
        """Return rows [n, …] with commas between. Raises ValueError for what is no JSON, as NaN."""
        with self._lock:
            while True:
                try:
                    return self._written(np.ascontiguousarray(rows))
                except _WiderError as error:
                    self._longest = error.needed
                    self._begin()

    def _written(self, rows: Array) -> memoryview:
        n = len(rows)
        keys = rows.reshape(n, -1).view(f"V{self._layout.numbers * self._dtype.itemsize}")
        text = np.empty((n, self.row_bytes), np.uint8)
        text[:, -WORD:] = np.frombuffer(_COMMA, np.uint8)
        grid = text[:, :-WORD].view(f"V{self._size}")
        # Part by part, so that what was seen in one stays in the cache for all rows.
        for part, pairs in self._parts:
            for row in range(n):
                some, into = keys[row, part], grid[row, part]
                missing = pairs.find(some, into)
                if len(missing):
                    found = some[missing]
                    texts = self._texts(found.view(self._dtype), part.start + missing)
                    pairs.learn(missing, found, texts)
                    into[missing] = texts
        return text.reshape(-1)[:-WORD].data

    def _texts(self, values: Array, cells: Array) -> Array:
        """Return the texts of cells."""
        if not np.isfinite(values).all():
            raise ValueError("NaN and infinity are no JSON")
        written = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
        numbers = np.array(written)
        if numbers.dtype.itemsize > self._longest:
            raise _WiderError(numbers.dtype.itemsize)
        width, count = self._longest, self._layout.numbers
        fields = numbers.astype(f"S{width}").view(np.uint8).reshape(len(cells), count, width)
        fields = np.where(fields == 0, _SPACE, fields)
        text = np.full((len(cells), self._size), _SPACE, np.uint8)
        opening, closing = self._layout.opening[cells], self._layout.closing[cells]
        last = cells == self._layout.cells - 1
        kinds = zip(opening.tolist(), closing.tolist(), last.tolist(), strict=True)
        for before, after, end in {*kinds}:
            some = (opening == before) & (closing == after) & (last == end)
            part = text[some]
            part[:, :before] = ord("[")
            at = before
            for number in range(count):
                part[:, at : at + width] = fields[some, number]
                part[:, at + width] = ord(",")
                at += width + 1
            part[:, at - 1 : at - 1 + after] = ord("]")
            part[:, at - 1 + after] = _SPACE if end else ord(",")
            text[some] = part
        return text.view(f"V{self._size}")[:, 0]

    def _begin(self) -> None:
        layout = self._layout
        size = self._size = layout.cell_bytes(self._longest)
        word = np.dtype(f"u{self._dtype.itemsize}")
        key_bytes = layout.numbers * self._dtype.itemsize
        self._parts = [
            (part, Pairs(part.stop - part.start, key_bytes, size, word))
            for part in layout.parts(size)
        ]
