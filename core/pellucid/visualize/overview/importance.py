"""How much each feature counts, on average: a panel for each class, all on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.explain import element_name
from pellucid.model import Array
from pellucid.visualize.colormaps import AGAINST, FOR
from pellucid.visualize.overview.charts import (
    LINE,
    Sheet,
    instances_text,
    names_width,
    tick_text,
    ticks,
)
from pellucid.visualize.overview.numbers import Overview, Totals
from pellucid.visualize.panel import FAINT, MARGIN

FEATURES = 20
"""Features that are shown, those that count most for any class; the others are added up."""

CLASSES = 10
"""Classes that are shown, those of the most instances."""

_ROW, _BAR, _PANEL, _WIDE, _ABREAST = 26, 16, 210, 420, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """What a feature contributed on average: for the class, and against it, both as sizes."""

    plus: float
    minus: float

    @property
    def size(self) -> float:
        return self.plus + self.minus


def means_of(totals: Totals, pictures: Sequence[str]) -> dict[str, Mean]:
    """Return the mean of each part of the features that are no pictures, by its name."""
    found = {}
    for feature, total in totals.sums.items():
        count = totals.counts[feature]
        if not count or feature in pictures:
            continue
        mean, size = np.ravel(total) / count, np.ravel(totals.sizes[feature]) / count
        for i, place in enumerate(np.ndindex(total.shape)):
            found[element_name(feature, place, total.size)] = Mean(
                plus=float(size[i] + mean[i]) / 2, minus=float(size[i] - mean[i]) / 2
            )
    return found


def shown_classes(overview: Overview) -> dict[str, Totals]:
    """Return the classes of the most instances, in the order of the classes."""
    classes = overview.classes
    kept = sorted(classes, key=lambda name: -classes[name].count)[:CLASSES]
    return {name: it for name, it in classes.items() if name in kept}


def importance(overview: Overview, method: str) -> Array | None:
    """Return bars of mean |attribution| for each class, None where there are no columns."""
    classes = shown_classes(overview)
    means = {name: means_of(it, overview.pictures) for name, it in classes.items()}
    means = {name: it for name, it in means.items() if it}
    rows = _rows(means)
    if not rows:
        return None
    longest = max(it.size for found in means.values() for it in _with_rest(found, rows).values())
    left = MARGIN + names_width(rows) + 12
    abreast = min(len(means), _ABREAST)
    panel = _WIDE if abreast == 1 else _PANEL
    lines = [f"mean |attribution| by {method}; green: for the class, pink: against it"]
    if left_out := len(overview.totals) - len(classes):
        lines.append(
            f"the {len(classes)} classes of the most instances; {left_out:,} more are not shown"
        )
    high = _ROW * (len(rows) + 2) + 8
    deep = -(-len(means) // abreast)
    sheet = Sheet(
        left + abreast * (panel + MARGIN), high * deep, "What counts for each class", lines
    )
    for i, (name, found) in enumerate(means.items()):
        top = sheet.top + high * (i // abreast)
        if not i % abreast:
            for j, row in enumerate(rows):
                place = (left - 12, top + _ROW * (j + 1) + _ROW // 2)
                sheet.text(place, row, anchor="rm", width=left - 12 - MARGIN)
        x = left + (i % abreast) * (panel + MARGIN)
        title = f"{name} ({instances_text(classes[name].count)})"
        sheet.text((x, top + _ROW // 2), title, anchor="lm", width=panel)
        _panel(sheet, _with_rest(found, rows), rows, (x, top + _ROW), panel, longest)
    return sheet.pixels


def _rows(means: Mapping[str, Mapping[str, Mean]]) -> list[str]:
    """Return the names of the features that count most for any class, and one for the others."""
    most: dict[str, float] = {}
    for found in means.values():
        for name, mean in found.items():
            most[name] = max(most.get(name, 0.0), mean.size)
    ordered = sorted(most, key=lambda name: -most[name])
    if len(ordered) <= FEATURES:
        return ordered
    return [*ordered[: FEATURES - 1], f"{len(ordered) - FEATURES + 1} others"]


def _with_rest(found: Mapping[str, Mean], rows: Sequence[str]) -> dict[str, Mean]:
    shown = {name: found[name] for name in rows if name in found}
    rest = [it for name, it in found.items() if name not in shown]
    if rest:
        total = Mean(plus=sum(it.plus for it in rest), minus=sum(it.minus for it in rest))
        shown[rows[-1]] = total
    return shown


def _panel(
    sheet: Sheet,
    found: Mapping[str, Mean],
    rows: Sequence[str],
    corner: tuple[int, int],
    width: int,
    longest: float,
) -> None:
    x, y = corner
    room = width - 60  # for the number behind the longest bar
    scale = room / (longest or 1.0)
    bottom = y + _ROW * len(rows)
    for value in ticks(0.0, longest, 4):
        at = x + round(value * scale)
        sheet.pen.line([(at, y), (at, bottom)], fill=LINE)
        sheet.text((at, bottom + 4), tick_text(value), anchor="ma", ink=FAINT, size=12)
    for i, name in enumerate(rows):
        mean = found.get(name)
        if mean is None:
            continue
        top = y + _ROW * i + (_ROW - _BAR) // 2
        begin = x
        for share, color in ((mean.plus, FOR), (mean.minus, AGAINST)):
            end = x + round((share + (mean.plus if color is AGAINST else 0.0)) * scale)
            if end > begin:
                sheet.pen.rectangle([begin, top, end - 1, top + _BAR], fill=color)
            begin = end
        place = (x + round(mean.size * scale) + 6, top + _BAR // 2)
        sheet.text(place, f"{mean.size:.3g}", anchor="lm", ink=FAINT, size=12)
