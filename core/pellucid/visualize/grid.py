"""Several pictures on one sheet: methods side by side, one for each label, settings to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pellucid.metadata import Visualization
from pellucid.model import Array
from pellucid.visualize.panel import (
    FAINT,
    INK,
    MARGIN,
    PAPER,
    bar_colors,
    framed,
    heading,
    height_of,
    legend,
    write_heading,
)
from pellucid.visualize.text_layout import width_of, wrapped, write

# Pictures on a sheet have their longer side in this span.
SHORTEST, LONGEST = 196, 256
# A title needs so much room, however narrow its picture.
_NARROWEST, _WIDEST_TITLE = 150, 260
_TITLE, _CAPTION = 15, 12
_BAR = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A picture uint8 [h, w, 3] with what is written above it, and below.

    With a `visualization`, its colour bar lies under the picture. A picture that is `finished`,
    such as a chart, keeps its size.
    """

    picture: Array
    title: str = ""
    caption: str = ""
    visualization: Visualization | None = None
    finished: bool = False


def grid(
    cells: Sequence[Cell],
    *,
    columns: int,
    title: str = "",
    subtitle: str = "",
    longest: int = LONGEST,
) -> Array:
    """Return cells in rows of `columns` under a title, as uint8 [h, w, 3].

    All cells of a sheet are as wide as its widest picture, those of a row as high as its highest.
    Titles too long are cut with an ellipsis, captions go on in the next line.
    """
    columns = min(columns, len(cells))
    pictures = [_picture(cell, longest) for cell in cells]
    wanted = min(_WIDEST_TITLE, max(width_of(cell.title, _TITLE) for cell in cells))
    cell_width = max(_NARROWEST, wanted, *(picture.width for picture in pictures))
    whole = MARGIN + columns * (cell_width + MARGIN)
    heads = heading(title, [subtitle], broken_to=whole - 2 * MARGIN)
    captions = [
        wrapped(cell.caption, _CAPTION, cell_width) if cell.caption else [] for cell in cells
    ]
    rows = [range(i, min(i + columns, len(cells))) for i in range(0, len(cells), columns)]
    head = height_of(heads)
    above = int(_TITLE * 1.5) if any(cell.title for cell in cells) else 0
    heights = [
        above + max(pictures[i].height + _below(cells[i], captions[i]) for i in row) for row in rows
    ]
    top = MARGIN + head + (MARGIN // 2 if head else 0)
    canvas = Image.new("RGB", (whole, top + sum(heights) + len(rows) * MARGIN), PAPER)
    pen = ImageDraw.Draw(canvas)
    write_heading(pen, heads, whole)
    for row, height in zip(rows, heights, strict=True):
        for column, i in enumerate(row):
            place = MARGIN + column * (cell_width + MARGIN), top
            write(pen, place, cells[i].title, _TITLE, INK, width=cell_width)
            canvas.paste(pictures[i], (place[0], top + above))
            foot = top + above + pictures[i].height
            if (visualization := cells[i].visualization) is not None:
                _bar(canvas, pen, visualization, place[0], foot + 6, pictures[i].width)
                foot += 6 + _BAR + int(_CAPTION * 1.6)
            for k, line in enumerate(captions[i]):
                at = (place[0], foot + 5 + k * int(_CAPTION * 1.4))
                write(pen, at, line, _CAPTION, FAINT, width=cell_width)
        top += height + MARGIN
    return np.array(canvas)


def _picture(cell: Cell, longest: int) -> Image.Image:
    if cell.finished:
        return Image.fromarray(np.ascontiguousarray(cell.picture))
    return framed(cell.picture, min(SHORTEST, longest), longest)


def _below(cell: Cell, caption: Sequence[str]) -> int:
    """Return how much room a cell needs below its picture."""
    bar = 0 if cell.visualization is None else 6 + _BAR + int(_CAPTION * 1.6)
    return bar + (5 + len(caption) * int(_CAPTION * 1.4) if caption else 0)


def _bar(
    canvas: Image.Image,
    pen: ImageDraw.ImageDraw,
    visualization: Visualization,
    left: int,
    top: int,
    width: int,
) -> None:
    """Draw a horizontal colour bar, the strongest for at its right, with its labels below."""
    colors = bar_colors(visualization, width)[::-1]
    canvas.paste(Image.fromarray(np.repeat(colors[np.newaxis], _BAR, axis=0)), (left, top))
    for at, text in legend(visualization):
        x = left + (1 - at) * width
        anchor = {0.0: "ra", 1.0: "la"}.get(at, "ma")
        if anchor == "ma" and width < 3 * width_of(text, _CAPTION):
            continue
        write(pen, (x, top + _BAR + 2), text, _CAPTION, FAINT, anchor=anchor)
