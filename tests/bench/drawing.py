"""Drawing one overlay: seconds, and against matplotlib, as people do it in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from timing import Measured, in_process, interleaved

from pellucid.metadata.spec import ColorMap, Dialect, OverlayType, Visualization, VisualizationType
from pellucid.visualize.overlay import clip_thresholds, draw

SIZES = {"224×224": ((224, 224), 0.010, 20), "4000×3000": ((3000, 4000), 1.5, 1)}
"""Name → (height and width, seconds of CPU that one overlay may take, how many are timed)."""


def picture(size: tuple[int, int]) -> tuple[Any, Any]:
    """A photo's worth of noise and an attribution [224, 224, 3]."""
    generator = np.random.default_rng(0)
    attribution = gaussian_filter(generator.normal(size=(224, 224, 3)), (3, 3, 0))
    return generator.integers(0, 256, (*size, 3), np.uint8), attribution


def settings(kind: VisualizationType) -> Visualization:
    """Viridis over gray from the 62nd percentile on, which both can do; or the default outlines."""
    gradient = kind is VisualizationType.PIXELS
    return Visualization(
        type=kind,
        color_map=ColorMap.VIRIDIS if gradient else None,
        overlay_type=OverlayType.GRAYSCALE if gradient else None,
    ).resolved(Dialect.AI_PLATFORM, regions=False)


def by_matplotlib(image: Any, attribution: Any, v: Visualization) -> Callable[[], Any]:
    """The same picture: gray, and over it the attribution above the threshold, at 60 %."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    def run() -> Any:
        height, width = image.shape[:2]
        lower, upper = clip_thresholds(attribution.sum(2), v)
        total = attribution.sum(2)
        figure = Figure(figsize=(width / 100, height / 100), dpi=100)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        extent = (0, width, height, 0)
        axes.imshow(image.mean(2), cmap="gray", vmin=0, vmax=255, extent=extent)
        axes.imshow(
            np.ma.masked_less(total, lower), cmap="viridis", vmin=lower, vmax=upper, alpha=0.6,
            interpolation="bilinear", extent=extent,
        )  # fmt: skip
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())

    return run


def overlays(turns: int) -> list[tuple[str, float, int, Measured]]:
    """Return (what, bound, how many were timed, ``ours`` and ``matplotlib``) by size and type."""
    found = []
    for name, (size, bound, count) in SIZES.items():
        image, attribution = picture(size)
        for kind in VisualizationType:
            v = settings(kind)

            def ours(image: Any = image, a: Any = attribution, v: Any = v, n: int = count) -> None:
                for _ in range(n):
                    draw(a, image, v)

            cases = {"ours": in_process(ours)}
            if kind is VisualizationType.PIXELS:
                theirs = by_matplotlib(image, attribution, v)

                def again(theirs: Any = theirs, n: int = count) -> None:
                    for _ in range(n):
                        theirs()

                cases["matplotlib"] = in_process(again)
            what = f"overlay {name}, {kind.value}"
            found.append((what, bound, count, interleaved(cases, turns)))
    return found
