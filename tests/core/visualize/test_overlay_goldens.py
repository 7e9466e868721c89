"""Pixel goldens: every combination of settings that the documents describe, drawn small.

``--golden`` rewrites the sheets in ``tests/goldens/overlays``; they are to be looked at. Each is a
table of cells of 64×48 pixels, in the order of the code here, with 4 pixels between them.

Libraries round differently: in each cell at most 1.5 % of the pixels may differ by more than 8 of 255
levels in any channel. `methods.png` also depends on how scikit-image and SciPy cut pictures: there
it is 15 %.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pellucid.explain.dispatch import attribute
from pellucid.metadata.parameters import (
    IntegratedGradients,
    Lime,
    Method,
    Players,
    SampledShapley,
    Segmentation,
    SmoothGrad,
    Xrai,
)
from pellucid.metadata.spec import (
    ColorMap,
    Dialect,
    Domain,
    ExplanationMetadata,
    InputSpec,
    Modality,
    OutputSpec,
    OverlayType,
    Percentile,
    Polarity,
    Visualization,
    VisualizationType,
)
from pellucid.model import FunctionModel
from pellucid.visualize.overlay import draw
from places import ROOT

overlay_module = sys.modules["pellucid.visualize.overlay"]  # the door exports the function


GOLDENS = ROOT / "tests" / "goldens" / "overlays"
WIDTH, HEIGHT, GAP = 64, 48, 4
Rows = list[list[Any]]


def place(height: int, width: int) -> Any:
    """Coordinates of pixels, y and x, from −1 to 1."""
    y, x = np.mgrid[:height, :width]
    return (2 * y + 1) / height - 1, (2 * x + 1) / width - 1


def hill(y: Any, x: Any, at: tuple[float, float], wide: float) -> Any:
    return np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / wide**2)


@cache
def photo(height: int = HEIGHT, width: int = WIDTH) -> Any:
    """A ball on a striped ground, in colour."""
    y, x = place(height, width)
    ground = np.stack([0.5 + 0.3 * np.sin(6 * x), 0.45 + 0.3 * y, 0.6 - 0.3 * x], -1)
    ball = np.stack([0.95 + 0 * x, 0.75 + 0.2 * y, 0.35 - 0.2 * x], -1)
    picture = np.where((y**2 + (x * width / height) ** 2 < 0.4)[..., None], ball, ground)
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8)


@cache
def attribution(height: int = HEIGHT // 2, width: int = WIDTH // 2) -> Any:
    """Hills for the output and against it, and a little of a grain that is the same everywhere."""
    y, x = place(height, width)
    values = hill(y, x, (-0.2, -0.1), 0.4) + 0.6 * hill(y, x, (0.5, 0.6), 0.25)
    values = values - 0.8 * hill(y, x, (-0.5, 0.6), 0.3) - 0.5 * hill(y, x, (0.6, -0.6), 0.3)
    return values + 0.05 * np.sin(40 * y) * np.sin(55 * x)


def islands() -> Any:
    """Five regions of their own, each smaller than the one before."""
    y, x = place(HEIGHT // 2, WIDTH // 2)
    at = (
        (-0.5, -0.7, 0.3),
        (-0.5, 0.0, 0.26),
        (-0.5, 0.65, 0.23),
        (0.6, -0.6, 0.2),
        (0.6, 0, 0.17),
    )
    return sum(hill(y, x, (b, a), wide) for b, a, wide in at)


def settings(*, regions: bool = False, vertex: bool = False, **given: Any) -> Visualization:
    dialect = Dialect.VERTEX if vertex else Dialect.AI_PLATFORM
    # Drawn by shares, of which the smallest parts are drawn as well.
    given = {"percentile": Percentile.SHARE, **given}
    return Visualization(**given).resolved(dialect, regions=regions)


def combinations(kind: VisualizationType) -> Rows:
    """A row for each colour map; polarities, each over every kind of ground."""
    return [
        [
            draw(
                attribution(),
                photo(),
                settings(type=kind, color_map=color_map, polarity=polarity, overlay_type=ground),
            )
            for polarity in Polarity
            for ground in OverlayType
        ]
        for color_map in ColorMap
    ]


def clips() -> Rows:
    """The clip values of the documentation, by either reading; a row for each type and colour map.

    "Highly predictive only", "Moderately predictive", "Almost all", the defaults, and no clipping.
    """
    levels = ((90, 99.9), (70, 99.9), (30, 99.9), (62, 99.9), (0, 100), (62, 80))
    kinds = (
        (VisualizationType.PIXELS, ColorMap.PINK_GREEN),
        (VisualizationType.PIXELS, ColorMap.VIRIDIS),
        (VisualizationType.OUTLINES, ColorMap.PINK_GREEN),
    )
    return [
        [
            draw(
                attribution(),
                photo(),
                settings(
                    type=kind,
                    color_map=color_map,
                    percentile=reading,
                    clip_below_percentile=float(below),
                    clip_above_percentile=float(above),
                ),
            )
            for reading in Percentile
            for below, above in levels
        ]
        for kind, color_map in kinds
    ]


def details() -> Rows:
    """Multipliers; outlines with and without a shaded inside; blur; gray pictures and other sizes."""
    pixels, outlines = VisualizationType.PIXELS, VisualizationType.OUTLINES
    gray = photo()[..., :1]
    flat = np.stack([attribution()] * 3, -1) / 3
    return [
        [
            draw(attribution(), photo(), settings(type=kind, overlay_multiplier=share))
            for kind in (pixels, outlines)
            for share in (0.0, 0.3, 0.6, 1.0)
        ],
        [
            draw(
                attribution(),
                photo(),
                settings(type=outlines, shade_within_outlines=shade, polarity=polarity),
            )
            for polarity in Polarity
            for shade in (True, False)
        ]
        + [
            draw(islands(), photo(), settings(type=outlines, clip_below_percentile=20.0)),
            draw(islands() > 0.9, photo(), settings(type=outlines)),
        ],
        [
            draw(attribution(), photo(), settings(type=pixels, blur_sigma=sigma, overlay_type=o))
            for o in (OverlayType.ORIGINAL, OverlayType.NONE)
            for sigma in (0.0, 1.0, 2.0, 4.0)
        ],
        [
            draw(attribution(), gray, settings(type=pixels)),
            draw(attribution(), gray, settings(type=outlines)),
            draw(flat, photo(), settings(type=pixels)),
            draw(attribution(HEIGHT, WIDTH), photo(), settings(type=outlines)),
            draw(attribution(9, 40), photo(), settings(type=pixels)),
            draw(attribution(), photo(), settings(type=pixels), dim=False),
            draw(attribution(), photo(), settings(type=outlines), dim=False),
            draw(0 * attribution(), photo(), settings()),
        ],
    ]


def ball_model() -> FunctionModel:
    """Bright pixels in the middle speak for the output, those at the right edge against it."""
    y, x = place(HEIGHT, WIDTH)
    weight = (hill(y, x, (0, 0), 0.45) - 0.6 * hill(y, x, (0, 1), 0.3))[..., None] / 400

    def scores(tensors: Any) -> Any:
        total = (np.asarray(tensors["image"], float) * weight).sum((1, 2, 3))
        return np.stack([np.tanh(total), -np.tanh(total)], -1)

    def gradient(tensors: Any, target: Any) -> Any:
        total = (np.asarray(tensors["image"], float) * weight).sum((1, 2, 3))
        slope = (1 - np.tanh(total) ** 2) * np.where(target == 0, 1, -1)
        return {"image": slope[:, None, None, None] * np.ones((1, 1, 1, 3)) * weight}

    return FunctionModel(scores, gradient, frozenset({"image"}))


METHODS: tuple[Method, ...] = (
    IntegratedGradients(step_count=20),
    IntegratedGradients(step_count=20, smooth_grad=SmoothGrad(noise_sigma=0.2)),
    Xrai(step_count=20),
    SampledShapley(path_count=6, players=Players.REGIONS),
    Lime(num_samples=200, segmentation_alg=Segmentation.SLIC),
)


def methods() -> Rows:
    """What each method says of the ball, in colour and gray, with the defaults of either service."""
    rows: Rows = []
    for image in (photo(), np.repeat(photo()[..., 1:2], 3, 2)):
        for vertex in (False, True):
            row = []
            for method in METHODS:
                x = {"image": (image[None] / 255).astype(np.float32)}
                spec = InputSpec(
                    name="image", modality=Modality.IMAGE, domain=Domain(minimum=0, maximum=1)
                )
                metadata = ExplanationMetadata(inputs=(spec,), output=OutputSpec(name="y"))
                found = attribute(
                    ball_model(), x, [{"image": np.zeros_like(x["image"])}], np.array([0]),
                    metadata, method, seed=0, numbers=[0], instances=[0],
                )  # fmt: skip
                v = settings(regions=isinstance(method, Xrai), vertex=vertex)
                row.append(draw(found.values["image"][0], image, v))
            rows.append(row)
    return rows


GRIDS = {
    "pixels": lambda: combinations(VisualizationType.PIXELS),
    "outlines": lambda: combinations(VisualizationType.OUTLINES),
    "clips": clips,
    "details": details,
    "methods": methods,
}


def table(rows: Rows) -> Any:
    columns = max(map(len, rows))
    size = (len(rows) * (HEIGHT + GAP) - GAP, columns * (WIDTH + GAP) - GAP, 3)
    grid = np.full(size, 255, np.uint8)
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            top, left = i * (HEIGHT + GAP), j * (WIDTH + GAP)
            grid[top : top + HEIGHT, left : left + WIDTH] = cell
    return grid


def worst(name: str, grid: Any) -> float:
    """Return the share of pixels that clearly differ from a golden, in the cell with the most."""
    with Image.open(GOLDENS / f"{name}.png") as golden:
        expected = np.asarray(golden.convert("RGB")).astype(int)
    assert grid.shape == expected.shape
    far = np.pad(np.abs(grid - expected).max(-1) > 8, ((0, GAP), (0, GAP)))
    rows, columns = far.shape[0] // (HEIGHT + GAP), far.shape[1] // (WIDTH + GAP)
    cells = far.reshape(rows, HEIGHT + GAP, columns, WIDTH + GAP)
    return float(cells.sum((1, 3)).max() / (HEIGHT * WIDTH))


@pytest.mark.parametrize("name", GRIDS)
def test_overlays_are_drawn_as_ever(name: str, request: pytest.FixtureRequest) -> None:
    grid = table(GRIDS[name]())
    if request.config.getoption("--golden"):
        GOLDENS.mkdir(exist_ok=True)
        Image.fromarray(grid).save(GOLDENS / f"{name}.png", optimize=True)
    assert worst(name, grid) <= (0.15 if name == "methods" else 0.015)


@pytest.mark.parametrize(
    "name, constant, value",
    [
        ("pixels", "FAINTEST", 0.3),
        ("outlines", "INSIDE", 0.6),
        ("details", "KEPT_REGIONS", 2),
        ("details", "KEPT_AREA", 0.5),
    ],
)
def test_the_goldens_notice_a_change(
    name: str, constant: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlay_module, constant, value)
    assert worst(name, table(GRIDS[name]())) > 0.015
