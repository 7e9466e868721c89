"""LIME's picture of a label: the patches that speak for it in red, as KServe's page showed them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.explain.explainer import LabelAttribution
from pellucid.metadata.spec import (
    ColorMap,
    Lime,
    OverlayType,
    Polarity,
    Visualization,
    VisualizationType,
)
from pellucid.methods.lime import masks
from pellucid.visualize.image_overlays import Drawing
from pellucid.visualize.overlay import draw


def marked(
    drawing: Drawing,
    label: LabelAttribution,
    feature: str,
    config: Lime,
    chosen: Visualization = Visualization(),
) -> Drawing:
    """Return a drawing on which the patches that LIME would name are marked, and no others.

    "highlights the pixels in red that score above a certain confidence value": at most ten patches,
    with a weight above `config.min_weight`. Without `config.positive_only` those that speak for the
    label are green, and those against it red. What `chosen` sets takes the place of these colours.
    """
    segments = label.segments[feature]
    weights = np.zeros((1, int(segments.max()) + 1))
    weights[0, segments] = label.values[feature]
    shown = masks(weights, segments, config)[0]
    settings = replace(
        drawing.visualization,
        type=VisualizationType.PIXELS,
        polarity=Polarity.POSITIVE if config.positive_only else Polarity.BOTH,
        color_map=ColorMap.RED if config.positive_only else ColorMap.RED_GREEN,
        overlay_type=OverlayType.ORIGINAL,
        clip_below_percentile=0.0,
        clip_above_percentile=100.0,
        blur_sigma=0.0,
    ).updated(chosen)
    return replace(
        drawing,
        overlay=draw(shown, drawing.image, settings, dim=False),
        attribution=shown,
        visualization=settings,
        empty=None if shown.any() else f"no patch has a weight above {config.min_weight:g}",
    )
