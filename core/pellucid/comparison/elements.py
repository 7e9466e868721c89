"""What an explanation is made of, so that two of them can be compared: elements and their shares.

The elements of a picture are the cells of a grid, those of a table its columns or the elements of a
vector, those of a text its words, those of a series its channels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from pellucid.explain import Explanation, LabelAttribution
from pellucid.metadata import ExplanationMetadata, Modality
from pellucid.model import Array
from pellucid.visualize import parts, series_of, texts

SIDE = 8
"""A picture has so many cells along each side, or as many as it has pixels there."""


def shares_of(
    explanation: Explanation,
    label: LabelAttribution,
    metadata: ExplanationMetadata,
    value: object = None,
) -> dict[str, float]:
    """Return the share of Σ |attribution| that each element has; {} where all of it is zero.

    A word has that of all places where it stands. `value` is the instance as given.
    """
    found: Counter[str] = Counter()
    for name, size in _sizes(explanation, label, metadata, value):
        found[name] += size  # type: ignore[assignment]  # a counter of shares
    total = math.fsum(found.values())
    if not total or not math.isfinite(total):
        return {}
    return {name: size / total for name, size in found.items()}


def map_of(label: LabelAttribution, metadata: ExplanationMetadata) -> tuple[str, Array] | None:
    """Return the first picture's name and attributions, float64 [h, w]; None without a picture."""
    for feature, values in label.features.items():
        if feature in _pictures(metadata) and values.ndim in (2, 3):
            return feature, plane(values)
    return None


def plane(values: Array) -> Array:
    """Return the map [h, w] of attributions [h, w], [h, w, c] or [c, h, w], channels added up."""
    values = np.asarray(values, np.float64)
    if values.ndim == 3:
        first = values.shape[-1] > 4 >= values.shape[0]
        values = values.sum(axis=0 if first else -1)
    return values


def cells(values: Array) -> Array:
    """Return Σ |attribution| in each cell of a grid over a map [h, w], [≤ 8, ≤ 8]."""
    sizes = np.abs(values)
    edges = [np.linspace(0, n, min(SIDE, n) + 1).round().astype(int)[:-1] for n in sizes.shape]
    rows = np.add.reduceat(sizes, edges[0], axis=0)
    return np.asarray(np.add.reduceat(rows, edges[1], axis=1))


def cell_name(row: int, column: int, shape: tuple[int, ...]) -> str:
    """Return what a cell is called: ``row 8 of 8, column 1 of 8``."""
    return f"row {row + 1} of {shape[0]}, column {column + 1} of {shape[1]}"


def _pictures(metadata: ExplanationMetadata) -> list[str]:
    return [spec.name for spec in metadata.inputs if spec.modality is Modality.IMAGE]


def _sizes(
    explanation: Explanation,
    label: LabelAttribution,
    metadata: ExplanationMetadata,
    value: object,
) -> Iterator[tuple[str, float]]:
    pictures = [
        n for n in label.features if n in _pictures(metadata) and label.features[n].ndim > 1
    ]
    several = len(label.features) > 1
    for name in pictures:
        grid = cells(plane(label.features[name]))
        for (row, column), size in np.ndenumerate(grid):
            cell = cell_name(row, column, grid.shape)
            yield f"{name}: {cell}" if several else cell, float(size)
    for series in series_of(explanation, label, metadata):
        totals = np.abs(series.attributions).sum(axis=0).tolist()
        for channel, size in zip(series.names, totals, strict=True):
            yield f"{series.feature}: {channel}" if several else channel, size
    for text in texts(explanation, label, metadata, value):
        for word, weight in zip(text.words, text.attributions.tolist(), strict=True):
            yield f"{text.feature}: {word}" if several else word, abs(weight)
    for part in parts(explanation, label, metadata):
        yield part.name, abs(part.attribution)
