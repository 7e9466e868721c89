"""Sheets of pictures: where each one lies, and that nothing is cut off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid.metadata.spec import ColorMap, Dialect, Polarity, Visualization, VisualizationType
from pellucid.visualize.grid import Cell, grid


def plain(color: int, height: int = 200, width: int = 240) -> Any:
    return np.full((height, width, 3), color, np.uint8)


def places(picture: Any, color: int) -> tuple[int, int, int, int]:
    """Return the box of a colour: top, bottom, left, right."""
    rows, columns = np.nonzero((picture == color).all(2))
    return int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())


@pytest.mark.parametrize("columns", [1, 2, 3, 5])
def test_cells_lie_in_rows_from_left_to_right(columns: int) -> None:
    made = grid([Cell(picture=plain(c), title="") for c in range(10, 60, 10)], columns=columns)
    boxes = [places(made, color) for color in range(10, 60, 10)]
    for i, (top, bottom, left, right) in enumerate(boxes):
        assert (bottom - top + 1, right - left + 1) == (200, 240)
        assert left == 16 + (i % columns) * 256 and top == 16 + (i // columns) * 216
    assert made.shape == (16 + -(-5 // columns) * 216, 16 + columns * 256, 3)


def test_a_cell_is_wide_enough_for_its_title_and_high_enough_for_its_caption() -> None:
    title = "Positive for three Actual seven"
    bare = grid([Cell(picture=plain(9, 196, 40))], columns=1)
    titled = grid([Cell(picture=plain(9, 196, 40), title=title)], columns=1)
    long = "polarity=both " * 12
    captioned = grid([Cell(picture=plain(9, 196, 40), caption=long)], columns=1)
    assert titled.shape[1] > bare.shape[1] and captioned.shape[0] > bare.shape[0] + 3 * 16
    for made in (bare, titled, captioned):
        edge = np.concatenate([made[:10].ravel(), made[-4:].ravel(), made[:, -10:].ravel()])
        assert (edge == 255).all()


def test_a_finished_picture_keeps_its_size_and_another_is_made_to_fit() -> None:
    waterfall = plain(50, 300, 900)
    made = grid([Cell(picture=waterfall, finished=True)], columns=2)
    top, _, left, _ = places(made, 50)
    assert np.array_equal(made[top : top + 300, left : left + 900], waterfall)
    small = grid([Cell(picture=plain(50, 28, 28)), Cell(picture=plain(60, 900, 1800))], columns=2)
    top, bottom, left, right = places(small, 50)
    assert bottom - top == right - left == 195
    top, bottom, left, right = places(small, 60)
    assert (bottom - top + 1, right - left + 1) == (128, 256)


def test_the_bar_below_a_cell_runs_from_against_to_for() -> None:
    v = Visualization(
        type=VisualizationType.PIXELS, polarity=Polarity.BOTH, color_map=ColorMap.PINK_GREEN
    ).resolved(Dialect.AI_PLATFORM, regions=False)
    made = grid([Cell(picture=plain(128), visualization=v)], columns=1)
    _, bottom, left, right = places(made, 128)
    bar = made[bottom + 7 : bottom + 15, left : right + 1]
    assert bar[0, 0].tolist() == [255, 20, 147] and bar[0, -1].tolist() == [0, 255, 0]
    assert (bar == bar[:1]).all()
