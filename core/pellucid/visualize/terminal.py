"""Pictures on a terminal: of characters on any, of half blocks where there is colour."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from PIL import Image

from pellucid.metadata import Polarity
from pellucid.model import Array

Color: TypeAlias = "tuple[int, int, int]"

ROWS = 14
CHARACTERS = " ░▒▓█"


def character_picture(value: Array, polarity: Polarity = Polarity.POSITIVE) -> str:
    """Return where an image's attribution [h, w] or [h, w, c] lies, as a picture of characters.

    By default where it speaks for the output; with the other polarities against it, or either.
    """
    plane = value.reshape(*value.shape[:2], -1).sum(axis=2)
    if polarity is not Polarity.POSITIVE:
        plane = np.abs(plane) if polarity is Polarity.BOTH else -plane
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
    levels = np.rint(strength * (len(CHARACTERS) - 1)).astype(int)
    return "\n".join("".join(CHARACTERS[level] for level in line) for line in levels)


def half_blocks(picture: Array, columns: int, rows: int) -> list[list[tuple[Color, Color]]]:
    """Return a picture uint8 [h, w, 3] as rows of characters, each two pixels: (upper, lower).

    It is made to fit, its shape kept; a character is twice as high as it is wide.
    """
    height, width = picture.shape[:2]
    scale = min(columns / width, 2 * rows / height)
    size = max(1, round(width * scale)), 2 * max(1, round(height * scale / 2))
    filtered = Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST
    pixels = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(size, filtered))
    lines = [[(r, g, b) for r, g, b in line] for line in pixels.tolist()]
    return [
        list(zip(upper, lower, strict=True))
        for upper, lower in zip(lines[::2], lines[1::2], strict=True)
    ]
