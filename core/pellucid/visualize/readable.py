"""Settings that nobody wrote: a picture that can be read, whatever the model.

The attributions of a network are noise to the eye, pixel by pixel, and a fixed clip shows a speck
of one picture and half of another. So a picture for which no setting was written is smoothed in
proportion to its size, and its lower clip is where about an eighth of it is highlighted. What was
chosen is rounded and said, so that it can be written down and gives the same picture again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from pellucid.metadata import (
    ColorMap,
    OverlayType,
    Percentile,
    Polarity,
    Visualization,
    VisualizationType,
)
from pellucid.model import Array
from pellucid.visualize.overlay import highlighted, signed_plane

SMOOTHING: Final = 0.015
"""The standard deviation of the smoothing, as a share of the longer side."""

SHARE: Final = 0.125
"""The share of the picture that is to be highlighted: the middle of 5 to 20 %, by area."""

LOWEST, HIGHEST = 50, 99
_SEARCHED: Final = 128
"""Regions are counted at no more than so many pixels a side: a choice needs no more."""


def is_unwritten(written: Visualization | None) -> bool:
    """Return whether no setting was written that decides what is highlighted."""
    return written is None or written == Visualization()


def chosen(attribution: Array, resolved: Visualization) -> Visualization:
    """Return the settings that make an attribution [h, w] or [h, w, c] readable, and no others.

    `resolved` is what the drawing has without them. A clip percentile is a rank here, a whole
    number from 50 to 99; where less than `SHARE` of the picture has the polarity asked for, all of
    that is shown.
    """
    longer = max(np.shape(attribution)[:2])
    settings = Visualization(
        blur_sigma=round(SMOOTHING * longer, 1),
        clip_below_percentile=float(LOWEST),
    )
    trial = resolved.updated(settings)
    signed = signed_plane(attribution, trial)
    step = -(-longer // _SEARCHED)
    if trial.type is VisualizationType.OUTLINES and step > 1:
        signed = np.ascontiguousarray(signed[::step, ::step])

    def share(percentile: int) -> float:
        return highlighted(signed, replace(trial, clip_below_percentile=float(percentile)))

    # The share falls as the percentile rises, but for regions that break apart: bisect, and take
    # the best of what was seen.
    low, high, seen = LOWEST, HIGHEST, {}
    while low <= high:
        middle = (low + high) // 2
        seen[middle] = share(middle)
        if seen[middle] > SHARE:
            low = middle + 1
        else:
            high = middle - 1
    best = min(seen, key=lambda it: (abs(seen[it] - SHARE), it))
    return replace(settings, clip_below_percentile=float(best))


def words(settings: Visualization) -> list[str]:
    """Return settings as ``key=value``, as they are written."""
    names = ("blur_sigma", "clip_below_percentile")
    return [f"{name}={getattr(settings, name):g}" for name in names]


def variations() -> Iterator[tuple[str, list[tuple[str, Visualization]]]]:
    """Yield kinds of settings, with those of each kind in words and as what they change."""
    yield (
        "percentile reading",
        [_named(f"percentile {it.value}", percentile=it) for it in Percentile],
    )
    yield "polarity", [_named(f"polarity {it.value}", polarity=it) for it in Polarity]
    yield "type", [_named(f"type {it.value}", type=it) for it in VisualizationType]
    yield "overlay", [_named(f"overlay {it.value}", overlay_type=it) for it in OverlayType]
    yield "color map", [_named(f"color map {it.value}", color_map=it) for it in ColorMap]
    yield (
        "clip below",
        [
            _named(f"clip below {it:g}", clip_below_percentile=it)
            for it in (62.0, 70.0, 0.0, 30.0, 50.0, 80.0, 90.0, 95.0)
        ],
    )
    yield (
        "clip above",
        [
            _named(f"clip above {it:g}", clip_above_percentile=it)
            for it in (99.9, 100.0, 99.0, 95.0)
        ],
    )
    yield (
        "percentile reading and clip",
        [
            _named(
                f"percentile {one.value}, clip below {it:g}",
                percentile=one,
                clip_below_percentile=it,
            )
            for one in Percentile
            for it in (62.0, 70.0, 0.0, 30.0, 50.0, 80.0)
        ],
    )


def _named(said: str, **settings: Any) -> tuple[str, Visualization]:
    return said, Visualization(**settings)
