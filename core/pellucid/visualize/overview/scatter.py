"""Instances as dots: all features of a class in rows, or one feature by its value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from pellucid.model import Array
from pellucid.visualize.overview.charts import (
    DOT,
    GRAY,
    LINE,
    Sheet,
    bar_of_shades,
    instances_text,
    names_width,
    shades,
    tick_text,
    ticks,
)
from pellucid.visualize.overview.importance import FEATURES, means_of
from pellucid.visualize.overview.numbers import Overview
from pellucid.visualize.overview.spots import shown_value
from pellucid.visualize.panel import FAINT, INK, MARGIN
from pellucid.visualize.text_layout import width_of

Dots: TypeAlias = "dict[str, tuple[list[float], list[float | str | None]]]"
"""Of each feature, the attributions and the values of the instances of a sample."""

CATEGORIES = 12
"""Values that are no numbers are told apart, the most frequent of them."""

FEW = 6
"""So few different numbers, of more instances, are drawn as categories are: side by side."""

_ROW, _PLOT, _LEGEND = 40, 520, 100
_DEPENDENCE = (560, 320)
_BLUE, _PALE = (20, 90, 170), (238, 239, 241)
_BINS, _HISTOGRAM = 40, 60


def dots_of(overview: Overview, key: str, wanted: Sequence[str]) -> Dots:
    """Return the dots of some features of a class."""
    found: Dots = {name: ([], []) for name in wanted}
    places: dict[int, list[tuple[str, int]]] = {}
    for point in overview.points:
        spots = point.get(key)
        if spots is None:
            continue
        known = places.get(id(spots.names))
        if known is None:
            index = {name: place for place, name in enumerate(spots.names)}
            known = [(name, index[name]) for name in wanted if name in index]
            places[id(spots.names)] = known
        for name, place in known:
            attributions, values = found[name]
            attributions.append(spots.attributions[place])
            values.append(shown_value(spots.values[place]))
    return found


def drawn_features(overview: Overview, key: str, *, valued: bool = False) -> set[str]:
    """Return the features of a class that have dots, or those of them that are `valued`."""
    found: set[str] = set()
    for point in overview.points:
        spots = point.get(key)
        if spots is None or found.issuperset(spots.names):
            continue
        named = zip(spots.names, spots.values, strict=True)
        found.update(name for name, value in named if value is not None or not valued)
    return found


def top_features(overview: Overview, key: str, drawn: set[str], most: int) -> list[str]:
    """Return the features, of those `drawn`, that count most for a class over all instances."""
    means = means_of(overview.totals[key], overview.pictures)
    known = [name for name in means if name in drawn]
    return sorted(known, key=lambda name: -means[name].size)[:most]


def sampled_text(overview: Overview, key: str) -> str:
    """Say how many instances of a class are drawn, and that they are a sample, if they are."""
    count = overview.totals[key].count
    drawn = sum(key in point for point in overview.points)
    if drawn == count:
        return instances_text(count)
    return f"{drawn:,} of {instances_text(count)}, drawn at random, the same each time"


def beeswarm(overview: Overview, key: str, called: str) -> Array | None:
    """Return a row of dots for each feature, coloured by its value; None where there are none."""
    drawn = drawn_features(overview, key)
    rows = top_features(overview, key, drawn, FEATURES)
    if not rows:
        return None
    dots = dots_of(overview, key, rows)
    left = MARGIN + names_width(rows) + 16
    ends = [it for name in rows for it in dots[name][0]]
    low, high = min(0.0, *ends), max(0.0, *ends)
    scale = _PLOT / ((high - low) or 1.0)
    lines = [
        f"{sampled_text(overview, key)}; each dot is one, in the colour of the feature's value"
    ]
    hidden = len(drawn.difference(rows))
    if hidden:
        lines.append(f"the {len(rows)} features that count most; {hidden:,} more are not shown")
    size = (left + _PLOT + 2 * MARGIN + _LEGEND, _ROW * len(rows) + 40)
    sheet = Sheet(*size, f"What counts for {called}", lines)
    bottom = sheet.top + _ROW * len(rows)
    for value in ticks(low, high, 8):
        at = left + round((value - low) * scale)
        sheet.pen.line([(at, sheet.top), (at, bottom)], fill=GRAY if abs(value) < 1e-12 else LINE)
        sheet.text((at, bottom + 4), tick_text(value), anchor="ma", ink=FAINT, size=12)
    sheet.text((left + _PLOT // 2, bottom + 22), "attribution", anchor="ma", ink=FAINT, size=12)
    for i, name in enumerate(rows):
        attributions, values = dots[name]
        middle = sheet.top + _ROW * i + _ROW // 2
        sheet.text((left - 16, middle), name, anchor="rm", width=left - 16 - MARGIN)
        x = left + (np.array(attributions) - low) * scale
        places = np.stack([x, middle + swarm(x, _ROW // 2 - 2)], axis=1)
        sheet.dots(places, shades(values))
    bar_of_shades(sheet, left + _PLOT + 2 * MARGIN, sheet.top + 4, min(160, bottom - sheet.top - 8))
    return sheet.pixels


def swarm(x: Array, room: int) -> Array:
    """Return how far each dot at `x` moves up or down so as not to cover others, at most `room`.

    Where there is not room enough for the most crowded place, all move less: how thick a swarm is
    tells how many there are. Dots of one place are in the order they are given, which is a draw.
    """
    cells = np.rint(x / (DOT - 1)).astype(int)
    steps = np.zeros(len(x))
    for cell in np.unique(cells):
        here = np.flatnonzero(cells == cell)
        nth = np.arange(len(here))
        steps[here] = (nth + 1) // 2 * np.where(nth % 2, 1.0, -1.0)
    most = float(np.abs(steps).max(initial=0.0))
    return np.asarray(steps * min(DOT - 1.0, room / max(1.0, most)))


def dependence(overview: Overview, key: str, feature: str, called: str) -> Array | None:
    """Return the attribution of a feature by its value, a dot for each instance.

    A value that is no number is a category; None where no instance has a value of its own.
    """
    attributions, values = dots_of(overview, key, [feature])[feature]
    known = [i for i, it in enumerate(values) if it is not None]
    if not known:
        return None
    y = np.array([attributions[i] for i in known])
    x, marks, note = _along([values[i] for i in known])
    width, height = _DEPENDENCE
    low, high = min(0.0, float(y.min())), max(0.0, float(y.max()))
    steps = ticks(low, high)
    left = MARGIN + max(width_of(tick_text(it), 12) for it in steps) + 12
    lines = [it for it in (sampled_text(overview, key), note) if it]
    sheet = Sheet(left + width + 2 * MARGIN, height + 50, f"{feature} for {called}", lines)
    tall = height / ((high - low) or 1.0)

    def y_of(value: float) -> float:
        return sheet.top + height - (value - low) * tall

    if _is_continuous([values[i] for i in known]):
        _histogram(sheet, x, (left + 10, sheet.top + height), width - 20)
    for value in steps:
        at = y_of(value)
        line = GRAY if abs(value) < 1e-12 else LINE
        sheet.pen.line([(left, at), (left + width, at)], fill=line)
        sheet.text((left - 8, at), tick_text(value), anchor="rm", ink=FAINT, size=12)
    for share, text in marks:
        at = left + 10 + share * (width - 20)
        place = (at, sheet.top + height + 8)
        sheet.text(place, text, anchor="ma", ink=FAINT, size=12, width=max(40, width // len(marks)))
    sheet.text((left + width // 2, sheet.top + height + 28), feature, anchor="ma", ink=INK, size=13)
    along = left + 10 + x * (width - 20)
    places = np.stack([along, np.array([y_of(it) for it in y.tolist()])], axis=1)
    sheet.dots(places, np.tile(np.array(_BLUE, np.uint8), (len(y), 1)))
    return sheet.pixels


def _is_continuous(values: Sequence[float | str | None]) -> bool:
    """Whether values are numbers, and more than a few different ones, or all different."""
    different = len({*values})
    several = different > FEW or 1 < different == len(values)
    return several and all(isinstance(it, float) for it in values)


def _histogram(sheet: Sheet, x: Array, corner: tuple[float, float], width: int) -> None:
    """Draw how many values lie where, `x` from 0 to 1, above a corner."""
    left, bottom = corner
    counts = np.histogram(x, bins=_BINS, range=(0.0, 1.0))[0]
    for i, count in enumerate(counts.tolist()):
        begin, end = (left + width * it / _BINS for it in (i, i + 1))
        if count:
            top = bottom - round(_HISTOGRAM * count / counts.max())
            sheet.pen.rectangle([begin, top, end - 1, bottom], fill=_PALE)


def _along(values: Sequence[float | str | None]) -> tuple[Array, list[tuple[float, str]], str]:
    """Return where values lie from 0 to 1, what is written there, and what is left unsaid."""
    numbers = [it for it in values if isinstance(it, float)]
    if _is_continuous(values):
        low, high = min(numbers), max(numbers)
        span = high - low
        places = (np.array(numbers) - low) / span
        return places, [((it - low) / span, tick_text(it)) for it in ticks(low, high, 7)], ""
    # As many digits as tell numbers apart.
    names = [f"{it:.12g}" if isinstance(it, float) else str(it) for it in values]
    counts = Counter(names)
    shown = sorted(counts, key=lambda name: (-counts[name], name))[:CATEGORIES]
    if len(numbers) == len(values):
        shown.sort(key=float)
    rest = len(counts) > len(shown)
    slots = [*shown, *(["others"] if rest else [])]
    share = [(i + 0.5) / len(slots) for i in range(len(slots))]
    where = {name: share[i] for i, name in enumerate(shown)}
    seen: dict[str, int] = {}
    found = []
    for name in names:
        slot = name if name in where else "others"
        nth = seen[slot] = seen.get(slot, -1) + 1
        # Side by side, in a pattern that does not depend on the order of the attributions.
        spread = ((nth * 0.618034 + 0.5) % 1.0 - 0.5) * 0.6 / len(slots)
        found.append(where.get(name, share[-1]) + spread)
    note = f"the {len(shown)} most frequent of {len(counts):,} values" if rest else ""
    return np.array(found), list(zip(share, slots, strict=True)), note
