"""A model asked about texts of which some parts are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from pellucid.methods.texts.cuts import Cut
from pellucid.model import Array, Model, Tensors

# The texts that are written at a time, and how many.
TEXT_BYTES = 2**24
MOST_ROWS = 512


def text_of(value: object) -> str:
    """Return a string of a tensor as text; bytes that are none come back by `text_array`."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def readable(text: str) -> str:
    """Return a text with a question mark in a diamond for what is no character."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def text_array(texts: Iterable[str], shape: tuple[int, ...]) -> Array:
    """Return texts as a tensor of strings, [n, *shape], where an instance has one."""
    encoded = [text.encode("utf-8", "surrogateescape") for text in texts]
    return np.array(encoded, object).reshape(-1, *shape)


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
        kept = (self.cuts[name].kept(row, self.mask) for row in value.tolist())
        return text_array(kept, self.shapes[name])
