"""Lines over time, coloured by their attribution, and the colours that these have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from pellucid.metadata import ColorMap, Polarity
from pellucid.model import Array
from pellucid.visualize.colormaps import AGAINST, FOR, LEVELS, color_table
from pellucid.visualize.series.time_axis import TimeAxis

# Lines are drawn larger and made smaller, which makes them smooth.
_TIMES = 3
_NOTHING = (168, 172, 178)
# The ground of a line is as pale as that of words.
_GROUND = 0.35
_DOTS = 80

Point = tuple[float, float]


def strengths(attributions: Array, largest: float) -> Array:
    """Return attributions from −1 to 1, the `largest` of the picture being 1."""
    return attributions / largest if largest else np.zeros_like(attributions)


def heat_colors(strength: Array) -> Array:
    """Return the ground of strengths, uint8 [..., 3]: green for, pink against, else white."""
    table = color_table(ColorMap.PINK_WHITE_GREEN, Polarity.BOTH)
    colors = table[LEVELS + np.rint(strength * LEVELS).astype(int)]
    # The map's own middle is a light gray: the paper is white.
    colors = colors + (255 - table[LEVELS]) * (1 - np.abs(strength))[..., None]
    return np.asarray(np.rint(np.minimum(colors, 255)), np.uint8)


def line_colors(strength: Array) -> Array:
    """Return the colours of lines, uint8 [n, 3]: gray for nothing."""
    ends = np.where(strength[:, None] >= 0, FOR, AGAINST)
    # The root: what is half as strong is told from nothing on a line of two pixels.
    share = np.sqrt(np.abs(strength))[:, None]
    return np.asarray(np.rint(_NOTHING + share * (ends - _NOTHING)), np.uint8)


def line_picture(
    values: Array, strength: Array, axis: TimeAxis, height: int, span: tuple[float, float]
) -> Image.Image:
    """Return one channel as a line on its ground, as wide as the axis; NaN are gaps in it."""
    shown = axis.shown(strength)
    ground = heat_colors(strength[shown] * _GROUND)
    canvas = Image.fromarray(np.repeat(ground[None], height, axis=0))
    canvas = canvas.resize((axis.width * _TIMES, height * _TIMES), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(canvas)
    low, high = span
    inner = height - 8
    with np.errstate(invalid="ignore"):
        y = 4 + inner * (0.5 if high == low else 1 - (values - low) / ((high - low) or 1.0))
    y = np.where(np.isfinite(values), y, np.nan)
    colors = line_colors(strength)
    draw = _crowded if axis.is_crowded else _line
    draw(pen, y, axis, colors, shown)
    return canvas.reduce(_TIMES)


def _line(pen: ImageDraw.ImageDraw, y: Array, axis: TimeAxis, colors: Array, _: Array) -> None:
    """Draw each step to the middles between it and its neighbours, in its own colour."""
    x, t = axis.places, len(y)
    for i in range(t):
        if np.isnan(y[i]):
            continue
        color, here = tuple(colors[i].tolist()), (x[i], y[i])
        ends = [j for j in (i - 1, i + 1) if 0 <= j < t and not np.isnan(y[j])]
        for j in ends:
            middle = (x[i] + x[j]) / 2, (y[i] + y[j]) / 2
            pen.line([*_large(here), *_large(middle)], fill=color, width=2 * _TIMES)
        if t <= _DOTS or not ends:
            r = 2.5 if t <= _DOTS else 1.5
            box = (here[0] - r, here[1] - r), (here[0] + r, here[1] + r)
            pen.ellipse([*_large(box[0]), *_large(box[1])], fill=color)


def _crowded(
    pen: ImageDraw.ImageDraw, y: Array, axis: TimeAxis, colors: Array, shown: Array
) -> None:
    """Draw from the least to the greatest value of each column of pixels, and to the one before."""
    before: tuple[float, float] | None = None
    for column, part in enumerate(_by_column(y, axis)):
        there = part[~np.isnan(part)]
        if not len(there):
            before = None if len(part) else before
            continue
        top, bottom = float(there.min()), float(there.max())
        own = top, bottom
        if before is not None:  # columns that do not touch are joined
            top, bottom = min(top, before[1]), max(bottom, before[0])
        before = own
        color = tuple(colors[shown[column]].tolist())
        box = (column, top - 0.5), (column + 1, bottom + 0.5)
        pen.rectangle([*_large(box[0]), *_large(box[1])], fill=color)


def _by_column(y: Array, axis: TimeAxis) -> Iterator[Array]:
    begins = np.searchsorted(axis.columns, np.arange(axis.width + 1))
    for begin, end in pairwise(begins):
        yield y[begin:end]


def _large(point: Point) -> Point:
    return point[0] * _TIMES, point[1] * _TIMES
