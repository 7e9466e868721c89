"""A model asked about texts of which some parts are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np

from pellucid.methods.texts.cuts import Cut
from pellucid.model import Array, Model, Tensors

# The texts that are written at a time, and how many.
TEXT_BYTES = 2**24
MOST_ROWS = 1024
# Of a longer text, tables have 16 entries and not 256: see `Written`.
LONG = 2**17
# White space that `bytes` know.
ASCII_SPACE = frozenset(" \t\n\r\x0b\x0c")


def text_of(value: object) -> str:
    """Return a string of a tensor as text; bytes that are none come back by `encoded`."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def readable(text: str) -> str:
    """Return a text with a question mark in a diamond for what is no character."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Written:
    """A text as bytes for each choice of parts that are there: what `Cut.kept` says, made for many.

    Eight parts, of a long text four, are looked up in a table of all that may be left of them. To
    join 250 of 500 words one by one would cost a quarter of what a small model does.
    """

    def __init__(self, cut: Cut, mask: str | None = None) -> None:
        self._first, *gaps = map(encoded, ("", *cut.pieces) if mask is None else cut.gaps)
        there, gone = gaps, [b""] * len(gaps)
        if mask is not None:
            there = [encoded(word) + gap for word, gap in zip(cut.words, gaps, strict=True)]
            gone = [encoded(mask) + gap for gap in gaps]
        parts = list(zip(gone, there, strict=True))
        self._width = width = 8 if len(cut.text) <= LONG else 4
        self._tables = [_table(parts[i : i + width], width) for i in range(0, len(parts), width)]
        self._strips = mask is None
        ends = (piece[len(piece.rstrip()) :] for piece in cut.pieces)
        self._strip = bytes.rstrip if all(map(ASCII_SPACE.issuperset, ends)) else _stripped

    def of(self, rows: Array) -> list[bytes]:
        """Return the text of each row of which parts are there, bool [n, p]."""
        n, p = rows.shape
        if not p:
            return [self._first] * n
        bits = np.packbits(rows, axis=1)
        if self._width == 4:
            bits = np.stack([bits >> 4, bits & 15], axis=-1).reshape(n, -1)
        # Table by table, and not row by row: no step of Python's own for a text.
        columns = zip(self._tables, bits.T, strict=False)
        found = [map(table.__getitem__, column.tobytes()) for table, column in columns]
        texts = list(map(b"".join, zip(repeat(self._first, n), *found, strict=True)))
        for row in np.flatnonzero(~rows[:, -1]).tolist() if self._strips else ():
            texts[row] = self._strip(texts[row])
        return texts


def _table(parts: Sequence[tuple[bytes, bytes]], width: int) -> list[bytes]:
    """Return what is left of some parts for each number whose bits say which are there."""
    table = [b""]
    for pair in (*parts, *[(b"", b"")] * (width - len(parts))):
        table = [text + part for text in table for part in pair]
    return table


def _stripped(text: bytes) -> bytes:
    return encoded(text_of(text).rstrip())


def encoded(text: str) -> bytes:
    """Return a text as bytes, those that are none as they were."""
    return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """A `Model` for one instance, whose texts are told by which of their parts are there.

    Features in `cuts` are bool [n, p] here, and strings [n, *shape] to the `model`; a `mask` takes
    the place of parts that are left out. All other features go through as they are. Rows of one
    question are the same instance, of which several outputs may be asked: each text is asked once.
    """

    model: Model
    cuts: Mapping[str, Cut]
    shapes: Mapping[str, tuple[int, ...]]
    mask: str | None = None

    @property
    def differentiable(self) -> frozenset[str]:
        return frozenset()

    def path_gradient(
        self, start: Tensors, stop: Tensors, nodes: Array, weights: Array, target: Array
    ) -> dict[str, Array]:
        raise TypeError("words have no gradient")

    def outputs(self, x: Tensors) -> Array:
        return self.model.outputs({name: self._tensor(name, value) for name, value in x.items()})

    def coalition_scores(
        self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
    ) -> Array:
        m = len(next(iter(masks.values())))
        scores = np.empty((len(target), m))
        for some in self.blocks(m):
            count = some.stop - some.start
            mixed = {
                name: masks[name][some]  # the instance has all parts, and the baseline none
                if name in self.cuts
                else np.where(masks[name][some], value[0], baseline[name][0])
                if name in masks
                else np.broadcast_to(value[0], (count, *np.shape(value)[1:]))
                for name, value in x.items()
            }
            scores[:, some] = self.outputs(mixed)[:, target].T
        return scores

    def blocks(self, rows: int) -> Iterator[slice]:
        """Yield which of so many rows to ask at a time, so that their texts take little memory."""
        longest = max((len(it.text) for it in self.cuts.values()), default=0)
        size = min(MOST_ROWS, max(1, TEXT_BYTES // (4 * longest + 1)))
        for start in range(0, rows, size):
            yield slice(start, min(start + size, rows))

    def _tensor(self, name: str, value: Array) -> Array:
        if name not in self.cuts:
            return value
        kept = self._written[name].of(value)
        return np.array(kept, object).reshape(-1, *self.shapes[name])

    @cached_property
    def _written(self) -> dict[str, Written]:
        return {name: Written(cut, self.mask) for name, cut in self.cuts.items()}
