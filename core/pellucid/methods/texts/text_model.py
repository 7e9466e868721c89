"""A model asked about texts of which some parts are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pellucid.methods.texts.cuts import Cut
from pellucid.model import Array, Model, Tensors

# The texts that are written at a time, and how many.
TEXT_BYTES = 2**24
MOST_ROWS = 512


def text_of(value: object) -> str:
    """Return a string of a tensor as text; bytes that are none come back by `encoded`."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def readable(text: str) -> str:
    """Return a text with a question mark in a diamond for what is no character."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def kept_of(cut: Cut, rows: Array, mask: str | None = None) -> list[bytes]:
    """Return what is left of a text for each row of which parts are there, bool [n, p].

    It is what `Cut.kept` says, made for all rows at once: to join 250 of 500 words one by one would
    cost a quarter of what a small model does.
    """
    if mask is not None or not cut.spans:
        return [encoded(cut.kept(row, mask)) for row in rows.tolist()]
    pieces = [encoded(it) for it in cut.pieces]
    lengths = [len(it) for it in pieces]
    letters = np.frombuffer(b"".join(pieces), np.uint8)
    there = np.repeat(rows, lengths, axis=1)
    data = np.broadcast_to(letters, there.shape)[there].tobytes()
    space = np.array(
        [len(it) - len(encoded(p.rstrip())) for it, p in zip(pieces, cut.pieces, strict=True)]
    )
    last = rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)
    cuts_off = np.where(rows[:, -1] | ~rows.any(axis=1), 0, space[last])
    ends = np.cumsum(rows @ np.array(lengths))
    starts = np.concatenate([[0], ends[:-1]])
    return [data[a:b] for a, b in zip(starts.tolist(), (ends - cuts_off).tolist(), strict=True)]


def encoded(text: str) -> bytes:
    """Return a text as bytes, those that are none as they were."""
    return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True, kw_only=True)
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
        longest = max((len(it.text) for it in self.cuts.values()), default=0)
        size = min(MOST_ROWS, max(1, TEXT_BYTES // (4 * longest + 1)))
        scores = np.empty((len(target), m))
        for start in range(0, m, size):
            some = slice(start, min(start + size, m))
            count = some.stop - start
            mixed = {
                name: np.where(masks[name][some], value[0], baseline[name][0])
                if name in masks
                else np.broadcast_to(value[0], (count, *np.shape(value)[1:]))
                for name, value in x.items()
            }
            scores[:, some] = self.outputs(mixed)[:, target].T
        return scores

    def _tensor(self, name: str, value: Array) -> Array:
        if name not in self.cuts:
            return value
        kept = kept_of(self.cuts[name], value, self.mask)
        return np.array(kept, object).reshape(-1, *self.shapes[name])
