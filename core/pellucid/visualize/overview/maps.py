"""A sample of the attribution maps of each class, averaged over cells, in bounded memory.

It is drawn by the names of the instances, so that it is the same whoever draws, in whatever parts.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from pellucid.explain import Explanation
from pellucid.metadata import ExplanationMetadata
from pellucid.model import Array
from pellucid.visualize.overview.numbers import chance, class_key

SIDE = 16
"""A map has so many cells along each side, at most."""
MAPS = 200
"""Maps of a class that are compared, drawn at random from all of them."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A map that was drawn: its chance, which input it is of, and its cells, int8 [h, w]."""

    chance: float
    name: str
    cells: Array

    def document(self) -> list[Any]:
        data = base64.b64encode(self.cells.tobytes()).decode()
        return [self.chance, self.name, *self.cells.shape, data]

    @classmethod
    def read(cls, document: Sequence[Any]) -> Drawn:
        drawn, name, height, width, data = document
        cells = np.frombuffer(base64.b64decode(data), np.int8).reshape(height, width)
        return cls(float(drawn), str(name), cells)


@dataclass(slots=True)
class Maps:
    """The maps of each class that were drawn, by its key, and how many there were."""

    drawn: dict[str, list[Drawn]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def take(self, key: str, number: str, name: str, cells: Array) -> None:
        """Put the map of an instance in, which is drawn by its `number`."""
        self.counts[key] = self.counts.get(key, 0) + 1
        self._put(key, [Drawn(chance(number), name, cells)])

    def add(self, other: Maps) -> None:
        """Put the maps of another sample in."""
        for key, found in other.drawn.items():
            self.counts[key] = self.counts.get(key, 0) + other.counts[key]
            self._put(key, found)

    def _put(self, key: str, found: Sequence[Drawn]) -> None:
        kept = [*self.drawn.get(key, ()), *found]
        self.drawn[key] = _first(kept) if len(kept) > 1.5 * MAPS else kept

    def of(self, key: str) -> list[Drawn]:
        """Return at most 200 maps of a class, those of the most frequent shape."""
        found = _first(self.drawn.get(key, ()))
        shapes = [it.cells.shape for it in found]
        common = max(shapes, key=shapes.count, default=())
        return [it for it in found if it.cells.shape == common]

    def document(self) -> dict[str, Any]:
        """Return the maps as JSON."""
        drawn = {key: [it.document() for it in found] for key, found in self.drawn.items()}
        return {"counts": self.counts, "drawn": drawn}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Maps:
        """Return what `document` was made of. Raises what a damaged document does."""
        drawn = {key: [*map(Drawn.read, found)] for key, found in document["drawn"].items()}
        counts = {key: document["counts"][key] for key in drawn}
        return cls(drawn, counts)


def _first(found: Sequence[Drawn]) -> list[Drawn]:
    return sorted(found, key=lambda it: (it.chance, it.name))[:MAPS]


def map_of(explanation: Explanation, metadata: ExplanationMetadata) -> dict[str, Array]:
    """Return the cells of the first picture of the first label, by the key of its class.

    Nothing where there is no picture, or nothing on it.
    """
    if explanation.tabular:
        return {}
    for label in explanation.labels[:1]:
        for feature, values in label.features.items():
            if feature in metadata.pictures and values.ndim in (2, 3):
                cells = cells_of(values)
                return {class_key(label): cells} if cells.any() else {}
    return {}


def cells_of(attributions: Array) -> Array:
    """Return the mean of a map over cells, int8 [≤ 16, ≤ 16], of which the largest is ±127.

    The map is [h, w], [h, w, channels] or [channels, h, w]; channels are added up. One of zeros
    stays one.
    """
    values = np.asarray(attributions, np.float32)
    if values.ndim == 3:
        first = values.shape[-1] > 4 >= values.shape[0]
        values = values.sum(axis=0 if first else -1)
    height, width = (min(SIDE, size) for size in values.shape)
    small = np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BOX))
    largest = float(np.abs(small).max(initial=0.0))
    cells: Array = np.rint(small * (127 / largest if largest > 0 else 0)).astype(np.int8)
    return cells
