"""The groups of a class as a picture: the mean map of each, and its most typical maps."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pellucid.metadata import ColorMap, Polarity
from pellucid.model import Array
from pellucid.visualize.colormaps import LEVELS, color_table
from pellucid.visualize.overview.charts import LINE, Sheet
from pellucid.visualize.overview.groups import APART, ClassGroups, Group
from pellucid.visualize.panel import FAINT, INK, MARGIN

EACH = 4
"""Maps of a group that are shown beside the mean: its medoid first."""
RULE = (
    "A group is a finding if it has a cell of its own: one in which 95 % of its maps, at least a "
    f"tenth of all, are {APART:g} standard deviations or more above 95 % of the others"
)
_SIDE, _GAP, _TEXT = 112, 12, 26


def groups_picture(found: ClassGroups, method: str) -> Array:
    """Return a row for each group, uint8 [h, w, 3]; the cell of a finding is framed."""
    count = f"{len(found.maps)} maps drawn from {found.count:,}"
    colours = "green: for the class, pink: against it"
    lines = [f"{count}, by {method}; {colours}; first the mean, then the most typical", RULE]
    row = _TEXT + _SIDE + _GAP
    width = 2 * MARGIN + (1 + EACH) * (_SIDE + _GAP)
    sheet = Sheet(width, row * len(found.groups), f"Groups of {found.called}", lines)
    cells = np.stack([it.cells for it in found.maps]).astype(np.float64)
    for number, group in enumerate(found.groups):
        _row(sheet, sheet.top + row * number, number, group, cells)
    return sheet.pixels


def _row(sheet: Sheet, top: int, number: int, group: Group, cells: Array) -> None:
    finding = "" if group.cell is None else f", a finding ({group.apart:.1f} apart)"
    said = f"group {number + 1}{finding}: {len(group.members)} maps"
    sheet.text((MARGIN, top), said, ink=FAINT if group.cell is None else INK)
    members = list(group.members)
    shown = [cells[members].mean(axis=0), *cells[members[:EACH]]]
    for place, one in enumerate(shown):
        corner = (MARGIN + place * (_SIDE + _GAP), top + _TEXT)
        height, width = one.shape
        scale = _SIDE / max(height, width)
        size = (round(width * scale), round(height * scale))
        sheet.image.paste(_painted(one).resize(size, Image.Resampling.NEAREST), corner)
        box = (*corner, corner[0] + size[0], corner[1] + size[1])
        sheet.pen.rectangle(box, outline=LINE)
        if group.cell is not None:
            x, y = (corner[i] + group.cell[1 - i] * scale for i in (0, 1))
            sheet.pen.rectangle((x, y, x + scale, y + scale), outline=INK, width=2)


def _painted(cells: Array) -> Image.Image:
    largest = np.abs(cells).max() or 1.0
    places = np.rint(cells * (LEVELS / largest)).astype(int) + LEVELS
    table = color_table(ColorMap.PINK_WHITE_GREEN, Polarity.BOTH)
    return Image.fromarray(np.rint(table[places]).astype(np.uint8))
