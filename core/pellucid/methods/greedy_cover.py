"""Regions ranked by what a pixel of them is worth: the greedy cover of an image.

```python
>>> import numpy as np
>>> values = np.array([[1.0, 3.0, 0.0, 0.0]])
>>> labels = np.array([[[0, 0, 1, 1]], [[0, 1, 1, 1]]])
>>> heat, ranks = greedy_cover(values, labels, radius=0, least=2)
>>> heat.tolist(), ranks.tolist()
([[2.0, 2.0, 0.0, 0.0]], [[1, 1, 2, 2]])

```

The cost is that of knowing, for hundreds of overlapping masks, how many uncovered pixels each has
and what they sum to. Each pixel is covered once, so both are kept running: what a step takes is
subtracted from the masks that hold those pixels, and nothing else is looked at. A mask's mean can
rise when its poor pixels are taken, so that a heap of stale upper bounds would not do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np

from pellucid.model import Array

WORDS = 2**20
"""How many 64-bit words one band of rows may take while masks are dilated, 8 MB."""

PIXELS = 2**17
"""How many pixels are tallied at a time."""


def greedy_cover(
    values: Array, labels: Array, *, radius: int = 5, least: int = 50
) -> tuple[Array, Array]:
    """Return the image painted with the mean of the best region at each place, and the ranks.

    Each label of each scale is a mask, dilated by the disk dx² + dy² ≤ `radius`². While a mask has
    `least` uncovered pixels or more, the one with the largest mean of `values` over its uncovered
    pixels paints them with that mean (ties: the first, scale by scale); what is left in the end
    gets its own mean. `values` are finite float64 [h, w], `labels` integers [scales, h, w]. Returns
    float64 [h, w] and int32 [h, w]: 1 where a pixel is worth most; the rest comes last. Source:
    arXiv 1906.02825, with every tie decided as by its authors' package.
    """
    values = np.asarray(values, np.float64)
    flat = values.ravel()
    masks = _masks(labels, radius)
    members = _members(masks, radius)
    size, total = members.tally(np.arange(flat.size), flat)
    # A running sum of n terms is within n ε Σ|v| ≤ n² ε max|v| of the true one, whatever was
    # subtracted since; the factor is for both ways, and for the mean that it is compared with.
    error = 8 * np.finfo(np.float64).eps * np.square(size, dtype=np.float64) * np.abs(flat).max()
    heat = np.empty(flat.size)
    step = np.zeros(flat.size, np.int32)
    uncovered = np.ones(values.shape, bool)
    gains: list[float] = []
    while True:
        big = np.flatnonzero(size >= max(least, 1))
        if not len(big):
            break
        mean, slack = total[big] / size[big], error[big] / size[big]
        gain, taken = -np.inf, np.empty(0, np.intp)
        # The running sums say which masks may be the best; the pixels themselves say which is.
        for k in big[mean + slack >= (mean - slack).max()]:
            pixels = masks.pixels(k, uncovered)
            if (exact := float(flat[pixels].mean())) > gain:
                gain, taken = exact, pixels
        gains.append(gain)
        heat[taken] = gain
        step[taken] = len(gains)
        uncovered.ravel()[taken] = False
        count, worth = members.tally(taken, flat)
        size -= count
        total -= worth
    rest = np.flatnonzero(uncovered)
    if len(rest):
        heat[rest] = flat[rest].mean()
    rank = np.empty(len(gains) + 1, np.int32)
    rank[0] = len(gains) + 1
    rank[1 + np.argsort(-np.array(gains), kind="stable")] = np.arange(1, len(gains) + 1)
    return heat.reshape(values.shape), rank[step].reshape(values.shape)


def dilated(image: Array, radius: int) -> Array:
    """Return the union of an image with its shifts by the disk dx² + dy² ≤ `radius`².

    `image` is boolean or unsigned, [h, w]: with integers, each bit is a mask of its own. Nothing
    comes in from beyond the border.
    """
    height, width = image.shape
    result: Array = image.copy()
    row: Array = image.copy()
    for reach in range(radius + 1):
        if 0 < reach < width:
            row[:, reach:] |= image[:, :-reach]
            row[:, :-reach] |= image[:, reach:]
        # `row` now reaches this far to either side: so does the disk in these rows.
        for dy in range(radius + 1):
            if isqrt(radius * radius - dy * dy) != reach:
                continue
            if dy == 0:
                result |= row
            elif dy < height:
                result[dy:] |= row[:-dy]
                result[:-dy] |= row[dy:]
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Masks:
    """Every label of every scale as a mask, numbered scale by scale.

    `first` [scales + 1] is the number of each scale's label 0; `boxes` has the slices of each mask
    before its dilation, None for a label that does not occur.
    """

    labels: Sequence[Array]
    first: Array
    boxes: Sequence[tuple[slice, slice] | None]
    radius: int

    def pixels(self, k: int, uncovered: Array) -> Array:
        """Return the flat indices of the uncovered pixels of one dilated mask, ascending."""
        scale = int(np.searchsorted(self.first, k, side="right")) - 1
        box = self.boxes[k]
        assert box is not None
        top, left = (max(0, s.start - self.radius) for s in box)
        inside = (slice(top, box[0].stop + self.radius), slice(left, box[1].stop + self.radius))
        mask = dilated(self.labels[scale][inside] == k - self.first[scale], self.radius)
        mask &= uncovered[inside]
        rows, columns = np.nonzero(mask)
        flat: Array = (rows + top) * uncovered.shape[1] + (columns + left)
        return flat


@dataclass(frozen=True, slots=True, kw_only=True)
class _Members:
    """Which masks each pixel lies in: those of pixel p are ``masks[start[p] : start[p + 1]]``."""

    start: Array
    masks: Array
    count: int

    def tally(self, pixels: Array, values: Array) -> tuple[Array, Array]:
        """Return how many of these pixels each mask holds, and the sum of their values."""
        count, total = np.zeros(self.count, np.int64), np.zeros(self.count)
        for some in (pixels[i : i + PIXELS] for i in range(0, len(pixels), PIXELS)):
            start = self.start[some]
            length = self.start[some + 1] - start
            end = np.cumsum(length)
            places = np.repeat(start - end + length, length) + np.arange(end[-1])
            masks = self.masks[places]
            count += np.bincount(masks, minlength=self.count)
            weights = np.repeat(values[some], length)
            total += np.bincount(masks, weights=weights, minlength=self.count)
        return count, total


def _masks(labels: Array, radius: int) -> _Masks:
    from scipy.ndimage import find_objects

    scales: list[Array] = []
    boxes: list[tuple[slice, slice] | None] = []
    first = [0]
    for scale in labels:
        if scale.min() < 0 or scale.max() > scale.size:
            # Renumbered, their order is the same.
            scale = np.unique(scale, return_inverse=True)[1].reshape(scale.shape)
        scales.append(scale)
        boxes += find_objects(scale.astype(np.int32) + 1)
        first.append(len(boxes))
    return _Masks(labels=scales, first=np.array(first), boxes=boxes, radius=radius)


def _members(masks: _Masks, radius: int) -> _Members:
    """Return the masks of each pixel, from masks dilated 64 at a time as the bits of a word."""
    count = int(masks.first[-1])
    planes = -(-count // 64)
    found: list[Array] = []
    lengths: list[Array] = []
    for words in _bands(masks, planes, radius):
        pixels = words[0].size
        # [pixel, plane] little-endian: the bits of a pixel are its masks, ascending.
        octets = np.ascontiguousarray(words.reshape(planes, -1).T).astype("<u8", copy=False)
        octets = octets.view(np.uint8).ravel()
        # numpy finds what is true several times faster than what is not 0.
        where = np.flatnonzero(octets != 0)
        bits = np.flatnonzero(np.unpackbits(octets[where], bitorder="little").view(np.bool_))
        pixel, mask = np.divmod(where[bits >> 3] * 8 + (bits & 7), planes * 64)
        found.append(mask.astype(np.min_scalar_type(count)))
        lengths.append(np.bincount(pixel, minlength=pixels))
    start = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    return _Members(start=start, masks=np.concatenate(found), count=count)


def _bands(masks: _Masks, planes: int, radius: int) -> Iterator[Array]:
    """Yield the dilated masks of the image from top to bottom, uint64 [planes, rows, width]."""
    height, width = masks.labels[0].shape
    rows = max(16, WORDS // (width * planes))
    tables = [
        [(s, k, _table(first, last, k)) for k in range(first // 64, (last - 1) // 64 + 1)]
        for s, (first, last) in enumerate(zip(masks.first[:-1], masks.first[1:], strict=True))
    ]
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        above, below = max(0, top - radius), min(height, bottom + radius)
        words = np.zeros((planes, below - above, width), np.uint64)
        for s, k, table in (entry for scale in tables for entry in scale):
            words[k] |= table[masks.labels[s][above:below]]
        for plane in words:
            plane[:] = dilated(plane, radius)
        yield words[:, top - above : bottom - above]


def _table(first: int, last: int, plane: int) -> Array:
    """Return, for each label of a scale, its bit in this plane of words, or 0."""
    number = np.arange(first, last)
    bit = np.left_shift(np.uint64(1), (number % 64).astype(np.uint64))
    table: Array = np.where(number // 64 == plane, bit, np.uint64(0))
    return table
