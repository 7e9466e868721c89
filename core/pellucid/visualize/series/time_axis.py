"""Time as columns of pixels: where each step is, which one a column shows, where ticks stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from math import floor, log10

import numpy as np

from pellucid.model import Array

TICKS = 6


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Steps on so many columns of pixels: step i is at `places` [t], from `edges` [i] to [i + 1].

    The edges lie halfway between two steps, so that regular steps are as wide as each other.
    """

    width: int
    places: Array
    edges: Array

    @property
    def is_crowded(self) -> bool:
        """Whether a column of pixels shows several steps."""
        return len(self.places) > self.width

    @property
    def columns(self) -> Array:
        """The column of pixels that each step is in, [t]."""
        return np.clip(self.places.astype(np.int64), 0, self.width - 1)

    def shown(self, weights: Array) -> Array:
        """Return the step that each column shows, [width]: that in it which weighs most.

        A column with no step of its own shows the one that is nearest.
        """
        weights = np.abs(weights)
        middles = np.arange(self.width) + 0.5
        steps = np.clip(np.searchsorted(self.edges, middles) - 1, 0, len(weights) - 1)
        order = np.lexsort((weights, self.columns))
        own, last = self.columns[order], np.ones(len(order), bool)
        last[:-1] = own[1:] != own[:-1]
        strongest = order[last]
        more = weights[strongest] > weights[steps[own[last]]]
        steps[own[last][more]] = strongest[more]
        return steps


def time_axis(times: Array, width: int) -> TimeAxis:
    """Return increasing times on so many columns of pixels."""
    middles = (times[1:] + times[:-1]) / 2
    if len(times) > 1:
        ends = times[0] - (middles[0] - times[0]), times[-1] + (times[-1] - middles[-1])
    else:
        ends = times[0] - 0.5, times[0] + 0.5
    edges = np.concatenate([ends[:1], middles, ends[1:]])
    scale = width / (edges[-1] - edges[0])
    return TimeAxis(width, (times - edges[0]) * scale, (edges - edges[0]) * scale)


def ticks(times: Array, *, dates: bool) -> Iterator[tuple[float, str]]:
    """Yield times to be written on an axis, and how."""
    first, last = float(times[0]), float(times[-1])
    if dates:
        places = dict.fromkeys(int(i) for i in np.linspace(0, len(times) - 1, TICKS - 1))
        for i in places:
            yield float(times[i]), _date_text(float(times[i]), last - first)
        return
    if first == last:
        yield first, f"{first:.6g}"
        return
    step = _nice((last - first) / TICKS)
    whole = np.array_equal(times, np.round(times))
    step = max(step, 1.0) if whole else step
    for number in range(-floor(-first / step + 1e-9), floor(last / step + 1e-9) + 1):
        yield number * step, f"{number * step:,.6g}"


def _nice(step: float) -> float:
    """Return the least of 1, 2, 5, 10, … times a power of ten that is no less than a step."""
    power = 10.0 ** floor(log10(step))
    return next(it * power for it in (1, 2, 5, 10) if it * power >= step * (1 - 1e-9))


def _date_text(at: float, span: float) -> str:
    try:
        when = datetime.fromtimestamp(at, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return f"{at:.6g}"
    if span > 2 * 86400:
        return f"{when:%Y-%m-%d}"
    return f"{when:%m-%d %H:%M}" if span > 3600 else f"{when:%H:%M:%S}"
