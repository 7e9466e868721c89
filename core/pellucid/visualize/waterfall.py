"""A chart of attributions: from the baseline's score to the instance's, one bar for each column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from pellucid.model import Array
from pellucid.visualize.colormaps import AGAINST, FOR
from pellucid.visualize.named_parts import Part
from pellucid.visualize.panel import (
    FAINT,
    INK,
    MARGIN,
    PAPER,
    heading,
    height_of,
    number,
    write_heading,
)
from pellucid.visualize.text_layout import width_of, write

MOST = 20
"""Bars that are shown singly; the smallest beyond that are added up in one."""

_LINE = (218, 220, 224)
_ROW, _BAR, _SIZE = 26, 16, 14
_PLOT = 380
_CAP = 4
_LONGEST_NAME = 260


def waterfall(
    parts: Sequence[Part], *, title: str, subtitle: str = "", baseline: float, score: float
) -> Array:
    """Return a chart of named attributions, uint8 [h, w, 3], the largest first.

    Each bar begins where the one above it ends, from the score of the baseline to that of the
    instance: where the last one ends beside it is the error of the attributions. At the end of a
    bar whose own error is known are whiskers, one error to each side.
    """
    rows = largest(parts)
    steps = np.array([part.attribution for part in rows], np.float64)
    ends = baseline + np.cumsum(steps)
    begins = ends - steps
    errors = np.array([known_error(part.error) for part in rows], np.float64)
    low = min(*(ends - errors), baseline, score)
    scale = _PLOT / ((max(*(ends + errors), baseline, score) - low) or 1.0)

    names = [_name(part) for part in rows]
    labels = [f"{step:+.3g}" for step in steps]
    left = MARGIN + min(_LONGEST_NAME, max(width_of(name, _SIZE) for name in names)) + 12
    beyond = max(width_of(label, _SIZE) for label in labels) + 10
    whole = left + beyond + _PLOT + beyond + MARGIN
    lines = heading(title, subtitle.split("\n"))
    top = MARGIN + height_of(lines) + MARGIN // 2
    first, bottom = top + _ROW, top + (1 + len(rows)) * _ROW

    def x_of(value: float) -> int:
        return round(left + beyond + float(value - low) * scale)

    canvas = Image.new("RGB", (whole, bottom + _ROW + MARGIN), PAPER)
    pen = ImageDraw.Draw(canvas)
    write_heading(pen, lines, whole)
    for name, value, at in (("baseline", baseline, top), ("score", score, bottom)):
        pen.line([(x_of(value), first - 4), (x_of(value), bottom + 4)], fill=_LINE)
        _write_end(pen, f"{name} {number(value)}", (x_of(value), at + _ROW // 2), whole)
    for i, (name, label, step) in enumerate(zip(names, labels, steps, strict=True)):
        y = first + i * _ROW + _ROW // 2
        write(pen, (left - 12, y), name, _SIZE, INK, width=_LONGEST_NAME, anchor="rm")
        near, far = sorted((x_of(begins[i]), end := x_of(ends[i])))
        color = FOR if step >= 0 else AGAINST
        pen.rectangle([near, y - _BAR // 2, max(far, near + 1), y + _BAR // 2], fill=color)
        if i + 1 < len(rows):
            pen.line([(end, y + _BAR // 2), (end, y + _ROW - _BAR // 2)], fill=FAINT)
        if errors[i]:
            whiskers = x_of(ends[i] - errors[i]), x_of(ends[i] + errors[i])
            _whiskers(pen, *whiskers, y)
            near, far = min(near, *whiskers), max(far, *whiskers)
        at, anchor = (far + 6, "lm") if step >= 0 else (near - 6, "rm")
        write(pen, (at, y), label, _SIZE, color, anchor=anchor)
    return np.array(canvas)


def _write_end(pen: ImageDraw.ImageDraw, text: str, at: tuple[int, int], whole: int) -> None:
    """Write over or under a line where its chart begins or ends, not beyond the margins."""
    half = width_of(text, _SIZE) // 2
    middle = min(max(at[0], MARGIN + half), whole - MARGIN - half)
    write(pen, (middle, at[1]), text, _SIZE, FAINT, anchor="mm")


def largest(parts: Sequence[Part]) -> list[Part]:
    """Return at most 20 parts, the largest first; those beyond are added up in the last."""
    ordered = sorted(parts, key=lambda part: -abs(part.attribution))
    if len(ordered) <= MOST:
        return ordered
    rest = ordered[MOST - 1 :]
    total = sum(part.attribution for part in rest)
    return [*ordered[: MOST - 1], Part(name=f"{len(rest)} others", attribution=total)]


def known_error(error: float | None) -> float:
    """Return an error, 0 where nothing is known of it."""
    return 0.0 if error is None or not np.isfinite(error) else error


def _whiskers(pen: ImageDraw.ImageDraw, left: int, right: int, y: int) -> None:
    pen.line([(left, y), (right, y)], fill=INK)
    for x in (left, right):
        pen.line([(x, y - _CAP), (x, y + _CAP)], fill=INK)


def _name(part: Part) -> str:
    return part.name if part.value is None else f"{part.name} = {part.value}"
