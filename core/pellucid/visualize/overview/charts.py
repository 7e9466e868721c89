"""What charts over many instances have in common: a sheet with a title, axes, dots and colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from pellucid.model import Array
from pellucid.visualize.panel import FAINT, INK, MARGIN, PAPER
from pellucid.visualize.text_layout import width_of, wrapped, write

LINE = (218, 220, 224)
LONGEST_NAME = 260
SIZE = 14
GRAY = (150, 153, 158)
# Low to high: told apart by people who do not see red from green, and dark enough on white.
_LOW, _MIDDLE, _HIGH = (0, 110, 220), (140, 60, 180), (225, 20, 80)


class Sheet:
    """A picture in the making, with a title and lines below it; `top` is where the rest begins."""

    def __init__(self, width: int, height: int, title: str, lines: Sequence[str]) -> None:
        inner = width - 2 * MARGIN
        written = [part for line in lines for part in wrapped(line, SIZE, inner)]
        self.top = MARGIN + 28 + 20 * len(written) + MARGIN // 2
        self.image = Image.new("RGB", (width, self.top + height + MARGIN), PAPER)
        self.pen = ImageDraw.Draw(self.image)
        write(self.pen, (MARGIN, MARGIN), title, 20, INK, width=inner)
        for i, line in enumerate(written):
            write(self.pen, (MARGIN, MARGIN + 28 + 20 * i), line, SIZE, FAINT, width=inner)

    def text(
        self,
        place: tuple[float, float],
        text: str,
        *,
        anchor: str = "la",
        ink: tuple[int, int, int] = INK,
        width: float | None = None,
        size: int = SIZE,
    ) -> None:
        write(self.pen, place, text, size, ink, anchor=anchor, width=width)

    def dots(self, places: Array, colors: Array) -> None:
        """Draw dots at places [n, 2] in colours uint8 [n, 3], smoothly, one after the other."""
        dot = _dot()
        corners = np.rint(places).astype(int) - DOT // 2
        for (x, y), color in zip(corners.tolist(), colors.tolist(), strict=True):
            self.image.paste(tuple(color), (x, y, x + DOT, y + DOT), dot)

    @property
    def pixels(self) -> Array:
        return np.array(self.image)


DOT = 7
"""The width of a dot in pixels."""


@cache
def _dot() -> Image.Image:
    big = Image.new("L", (DOT * 8, DOT * 8), 0)
    ImageDraw.Draw(big).ellipse([8, 8, DOT * 8 - 9, DOT * 8 - 9], fill=215)
    return big.resize((DOT, DOT), Image.Resampling.LANCZOS)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers from `low` to `high`, at most so many."""
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    rough = span / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * it for it in (1, 2, 5, 10) if power * it >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [it * step for it in range(first, last + 1)]


def tick_text(value: float) -> str:
    """Write the number at a tick."""
    return "0" if abs(value) < 1e-300 else f"{value:.7g}"


def shades(values: Sequence[float | str | None]) -> Array:
    """Return the colour of each value, uint8 [n, 3]: low to high, gray for what is no number.

    The ends are the 5th and the 95th percentile, so that one outlier does not take the colours.
    """
    numbers = np.array([it if isinstance(it, float) else np.nan for it in values], np.float64)
    colors = np.full((len(numbers), 3), GRAY, np.float64)
    known = np.isfinite(numbers)
    if known.any():
        low, high = np.percentile(numbers[known], [5, 95])
        if low == high:
            low, high = numbers[known].min(), numbers[known].max()
        share = np.clip((numbers[known] - low) / ((high - low) or 1.0), 0, 1)
        colors[known] = np.stack(
            [
                np.interp(share, [0, 0.5, 1], [a, b, c])
                for a, b, c in zip(_LOW, _MIDDLE, _HIGH, strict=True)
            ],
            axis=1,
        )
    return np.rint(colors).astype(np.uint8)


def bar_of_shades(sheet: Sheet, left: int, top: int, height: int) -> None:
    """Draw what the colours of dots mean: a bar from low to high."""
    colors = shades(np.linspace(1.0, 0.0, height).tolist())
    for i, color in enumerate(colors.tolist()):
        sheet.pen.line([(left, top + i), (left + 10, top + i)], fill=tuple(color))
    sheet.text((left + 16, top), "high value", anchor="la", ink=FAINT, size=12)
    sheet.text((left + 16, top + height), "low value", anchor="ls", ink=FAINT, size=12)


def names_width(names: Sequence[str]) -> int:
    """Return how much room names take on the left, at most 260 pixels."""
    return min(LONGEST_NAME, max((width_of(name, SIZE) for name in names), default=0))


def instances_text(count: int) -> str:
    """Write a number of instances."""
    return f"{count:,} instance{'s' * (count != 1)}"
