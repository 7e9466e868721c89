"""One attribution drawn again and again as the lower clip percentile rises: what matters most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from pellucid.metadata import Visualization
from pellucid.model import Array
from pellucid.visualize.image_overlays import Drawing
from pellucid.visualize.panel import file_of

FRAMES = 20
"""Frames of an animation, unless another number is asked for."""

HIGHEST = 95.0
_EACH, _LAST = 150, 1200  # milliseconds


def sweep(drawing: Drawing, count: int) -> list[tuple[float, Drawing]]:
    """Return `count` drawings, each with its ``clip_below_percentile``: from 0 to 95.

    Where the upper percentile is lower than that, it ends below it.
    """
    above = drawing.visualization.clip_above_percentile
    highest = HIGHEST if above is None or above > HIGHEST else 0.95 * above
    levels = [round(level, 1) for level in np.linspace(0, highest, count).tolist()]
    return [(level, drawing.again(Visualization(clip_below_percentile=level))) for level in levels]


def animated(pictures: Sequence[Array]) -> bytes:
    """Return pictures of one size, uint8 [h, w, 3], as the bytes of an animated GIF that repeats.

    All frames have the same 256 colours, so that what stays the same does not flicker.
    """
    frames = [Image.fromarray(np.ascontiguousarray(picture)) for picture in pictures]
    chosen = frames[:: max(1, len(frames) // 4)]
    together = Image.new("RGB", (frames[0].width, frames[0].height * len(chosen)))
    for k, frame in enumerate(chosen):
        together.paste(frame, (0, k * frame.height))
    palette = together.quantize(256, method=Image.Quantize.MEDIANCUT)
    made = [frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames]
    durations = [_EACH] * (len(made) - 1) + [_LAST]
    return file_of(
        made[0], "GIF",
        save_all=True, append_images=made[1:], duration=durations, loop=0, optimize=True,
    )  # fmt: skip
