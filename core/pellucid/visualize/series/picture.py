"""A series as one picture: its channels as lines, all of them as a heat map, totals of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

from pellucid.model import Array
from pellucid.visualize.colormaps import AGAINST, FOR
from pellucid.visualize.panel import (
    FAINT,
    INK,
    MARGIN,
    PAPER,
    heading,
    height_of,
    write_heading,
)
from pellucid.visualize.series.found import Series
from pellucid.visualize.series.lines import heat_colors, line_picture, strengths
from pellucid.visualize.series.time_axis import TimeAxis, ticks, time_axis
from pellucid.visualize.text_layout import width_of, write

LINES, ROWS = 8, 40
"""Most channels that are drawn as lines, and as rows of the heat map."""

PLOT = 640
_NAMES, _TOTALS = 150, 150
_WIDTH = MARGIN + _NAMES + PLOT + _TOTALS + MARGIN
_LEFT = MARGIN + _NAMES
_GAP, _SIZE, _SMALL = 10, 13, 12
_TALL = {1: 150, 2: 110, 3: 90}  # the fewer lines, the higher is each
_LOW, _OVER_TIME = 70, 60
_LINE = (218, 220, 224)
_FOOT = 24 + 40


@dataclass(frozen=True, slots=True)
class _Canvas:
    """What is drawn on, and how: `largest` is the attribution of the strongest colour."""

    image: Image.Image
    pen: ImageDraw.ImageDraw
    series: Series
    axis: TimeAxis
    largest: float


def series_picture(series: Series, *, title: str, subtitle: str = "", plain: bool = False) -> Array:
    """Return a series under a title, uint8 [h, w, 3]; green is for, pink against.

    Channels are lines on scales of their own, and rows of a heat map, with their totals; below
    stand the totals of all channels over time. A `plain` picture is the same without attributions.
    """
    lines, rows = most(series, LINES), most(series, ROWS)
    # What channels share says nothing of any of them, nor what steps share of time.
    rows = [] if len(series.names) == 1 or series.shared_by_channels else rows
    over_time = 0 if series.shared_by_steps else _OVER_TIME
    axis = time_axis(series.times, PLOT)
    said = (*subtitle.split("\n"), *notes(series, lines, rows, axis))
    heads = heading(title, said, broken_to=_WIDTH - 2 * MARGIN)
    if plain:
        series = replace(series, attributions=np.zeros_like(series.attributions))
    tall = _TALL.get(len(lines), _LOW)
    top = MARGIN + height_of(heads) + MARGIN // 2
    row = 22 if len(rows) <= LINES else 14
    below = len(lines) * (tall + _GAP) + (len(rows) * row + _GAP if rows else 0)
    image = Image.new("RGB", (_WIDTH, top + below + over_time + _FOOT + MARGIN), PAPER)
    largest = float(np.abs(series.attributions).max(initial=0))
    canvas = _Canvas(image, ImageDraw.Draw(image), series, axis, largest)
    write_heading(canvas.pen, heads, _WIDTH)
    for channel in lines:
        _channel(canvas, channel, top, tall)
        top += tall + _GAP
    if rows:
        _heat_map(canvas, rows, top, row)
        top += len(rows) * row + _GAP
    if over_time:
        _over_time(canvas, top)
    _time(canvas, top + over_time)
    _color_bar(canvas, top + over_time + 34)
    return np.array(image)


def most(series: Series, count: int) -> list[int]:
    """Return the channels with the most attribution of either sign, in their own order."""
    weight = np.abs(series.attributions).sum(axis=0)
    return sorted(np.argsort(-weight, kind="stable")[:count].tolist())


def notes(series: Series, lines: Sequence[int], rows: Sequence[int], axis: TimeAxis) -> list[str]:
    """Return what the picture leaves out, in sentences."""
    found, channels = [], len(series.names)
    if axis.is_crowded:
        found.append(
            f"{len(series.times):,} steps in {PLOT} columns of pixels: each shows the strongest of "
            "its steps"
        )
    if len(lines) < channels:
        found.append(f"lines: the {len(lines)} of {channels} channels with the most attribution")
    if rows and len(rows) < channels:
        rest = [i for i in range(channels) if i not in rows]
        total = float(series.channel_totals[rest].sum())
        found.append(
            f"heat map: {len(rows)} of {channels} channels; the {len(rest)} others add up to "
            f"{total:+.3g}"
        )
    if series.shared_by_channels:
        found.append("the value of a step is that of all channels together, shared evenly")
    if series.shared_by_steps:
        found.append("the value of a channel is that of all its steps together, shared evenly")
    lost = int(np.isnan(series.values).sum())
    if lost:
        found.append(f"{lost:,} value{'s are' if lost > 1 else ' is'} missing")
    return found


def _channel(canvas: _Canvas, channel: int, top: int, tall: int) -> None:
    """Draw one channel as a line, with its name, and the least and the greatest of its values."""
    series, pen = canvas.series, canvas.pen
    values = series.values[:, channel]
    there = values[np.isfinite(values)]
    write(pen, (_LEFT - 8, top + tall / 2), series.names[channel], _SIZE, INK,
          width=_NAMES - 16, anchor="rm")  # fmt: skip
    strength = strengths(series.attributions[:, channel], canvas.largest)
    span = (float(there.min()), float(there.max())) if len(there) else (0.0, 0.0)
    canvas.image.paste(line_picture(values, strength, canvas.axis, tall, span), (_LEFT, top))
    pen.rectangle([_LEFT - 1, top - 1, _LEFT + PLOT, top + tall], outline=_LINE)
    if not len(there):
        write(pen, (_LEFT + PLOT / 2, top + tall / 2), "no values", _SIZE, FAINT, anchor="mm")
    elif span[0] == span[1]:
        write(pen, (_LEFT - 8, top + tall - 2), f"always {span[0]:.3g}", _SMALL, FAINT, anchor="rs")
    else:
        write(pen, (_LEFT - 8, top + 2), f"{span[1]:.3g}", _SMALL, FAINT, anchor="rt")
        write(pen, (_LEFT - 8, top + tall - 2), f"{span[0]:.3g}", _SMALL, FAINT, anchor="rs")
    if len(series.names) == 1:
        _total(canvas, series.channel_totals, channel, top + tall / 2)


def _heat_map(canvas: _Canvas, rows: Sequence[int], top: int, high: int) -> None:
    """Draw the attributions of all channels over time, a row each, with its total beside it."""
    series = canvas.series
    for place, channel in enumerate(rows):
        y = top + place * high
        weights = series.attributions[:, channel]
        shown = canvas.axis.shown(weights)
        colors = heat_colors(strengths(weights[shown], canvas.largest))
        picture = Image.fromarray(np.repeat(colors[None], high, axis=0))
        canvas.image.paste(picture, (_LEFT, y))
        middle = y + high / 2
        write(canvas.pen, (_LEFT - 8, middle), series.names[channel], _SMALL, INK,
              width=_NAMES - 16, anchor="rm")  # fmt: skip
        _total(canvas, series.channel_totals, channel, middle)
    box = [_LEFT - 1, top - 1, _LEFT + PLOT, top + len(rows) * high]
    canvas.pen.rectangle(box, outline=_LINE)


def _total(canvas: _Canvas, totals: Array, channel: int, middle: float) -> None:
    """Draw the total of a channel as a bar with its number, to the right of it."""
    total, largest = float(totals[channel]), float(np.abs(totals).max(initial=0))
    left = _LEFT + PLOT + 8
    long = round(60 * abs(total) / largest) if largest else 0
    color = FOR if total >= 0 else AGAINST
    canvas.pen.rectangle([left, middle - 4, left + max(long, 1), middle + 4], fill=color)
    write(canvas.pen, (left + long + 6, middle), f"{total:+.3g}", _SMALL, color, anchor="lm")


def _over_time(canvas: _Canvas, top: int) -> None:
    """Draw the totals of all channels over time, as bars from zero."""
    pen, totals = canvas.pen, canvas.series.time_totals
    shown = totals[canvas.axis.shown(totals)]
    high, low = max(float(totals.max()), 0.0), min(float(totals.min()), 0.0)
    scale = (_OVER_TIME - 1) / ((high - low) or 1.0)
    zero = top + round(high * scale)
    for column, total in enumerate(shown.tolist()):
        end = zero - round(total * scale)
        if end != zero:
            color = FOR if total > 0 else AGAINST
            pen.line([(_LEFT + column, zero), (_LEFT + column, end)], fill=color)
    pen.line([(_LEFT, zero), (_LEFT + PLOT - 1, zero)], fill=_LINE)
    name = "total" if len(canvas.series.names) == 1 else "all channels"
    write(pen, (_LEFT - 8, top + _OVER_TIME / 2), name, _SIZE, INK, anchor="rm")
    for value, y, anchor in ((high, top, "rt"), (low, top + _OVER_TIME - 1, "rs")):
        if value:
            write(pen, (_LEFT - 8, y), f"{value:+.3g}", _SMALL, FAINT, anchor=anchor)


def _time(canvas: _Canvas, top: int) -> None:
    """Draw the axis of time: ticks, and what is counted on it."""
    pen, series, axis = canvas.pen, canvas.series, canvas.axis
    pen.line([(_LEFT, top + 2), (_LEFT + PLOT - 1, top + 2)], fill=_LINE)
    end = float("-inf")
    for at, text in ticks(series.times, dates=series.dates):
        x = _LEFT + float(np.interp(at, series.times, axis.places))
        half = width_of(text, _SMALL) / 2
        if x - half < end:
            continue
        end = x + half + 6
        pen.line([(x, top + 2), (x, top + 5)], fill=FAINT)
        write(pen, (x, top + 7), text, _SMALL, FAINT, anchor="mt")
    write(pen, (_LEFT + PLOT, top + 22), series.axis, _SMALL, FAINT, width=PLOT / 3, anchor="rt")


def _color_bar(canvas: _Canvas, top: int) -> None:
    """Draw which attribution has which colour."""
    wide, high = 240, 10
    colors = heat_colors(np.linspace(-1, 1, wide))
    canvas.image.paste(Image.fromarray(np.repeat(colors[None], high, axis=0)), (_LEFT, top))
    canvas.pen.rectangle([_LEFT - 1, top - 1, _LEFT + wide, top + high], outline=_LINE)
    largest, texts = f"{canvas.largest:.3g}", [(0.5, "0", "mt")]
    if canvas.largest:
        texts += [(0.0, f"against, -{largest}", "lt"), (1.0, f"for, +{largest}", "rt")]
    for at, text, anchor in texts:
        write(canvas.pen, (_LEFT + at * wide, top + high + 4), text, _SMALL, FAINT, anchor=anchor)
    write(canvas.pen, (_LEFT + wide + 16, top - 1), "attribution of one value", _SMALL, FAINT,
          anchor="lt")  # fmt: skip
