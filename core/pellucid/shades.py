"""A picture of characters: where an image's attribution lies, on any terminal."""

from __future__ import annotations

import numpy as np

from pellucid.model import Array

ROWS = 14
SHADES = " ░▒▓█"


def shades(value: Array) -> str:
    """Return where an image's attribution speaks for the output, as a picture of characters."""
    plane = value.reshape(*value.shape[:2], -1).sum(axis=2)
    height, width = plane.shape
    rows = min(ROWS, height)
    # A character is twice as high as it is wide.
    columns = max(1, round(2 * rows * width / height))
    row = np.arange(height) * rows // height
    column = np.arange(width) * columns // width if columns <= width else None
    if column is None:
        plane, column = plane.repeat(2, axis=1), np.arange(2 * width) * columns // (2 * width)
    cells = np.zeros((rows, columns))
    np.add.at(cells, (row[:, None], column[None, :]), plane)
    strength = np.maximum(cells, 0) / max(float(cells.max()), 1e-300)
    levels = np.rint(strength * (len(SHADES) - 1)).astype(int)
    return "\n".join("".join(SHADES[level] for level in line) for line in levels)
