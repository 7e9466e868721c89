"""What is drawn onto pictures beside attributions: captions, and the patches that LIME names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.explain import LabelAttribution
from pellucid.metadata import (
    BaseMethod,
    ColorMap,
    OverlayType,
    PatchChoice,
    Polarity,
    Visualization,
    VisualizationType,
)
from pellucid.methods import lime
from pellucid.visualize.image_overlays import Drawing
from pellucid.visualize.overlay import draw


def number(value: float) -> str:
    """Write a score: probabilities with three decimals, anything else in four digits."""
    return f"{value:.3f}" if 1e-3 <= abs(value) < 10 or value == 0 else f"{value:.4g}"


def label_text(label: LabelAttribution, output: str) -> str:
    """Return the name of a label, or its index, or, of a scalar, the output's name."""
    return label.name or (f"{output} {list(label.index)}" if label.index else output)


def title_text(label: LabelAttribution, output: str) -> str:
    """Return a label and its score."""
    return f"{label_text(label, output)}: {number(label.score)}"


def method_text(method: BaseMethod, label: LabelAttribution | None = None) -> str:
    """Return a method and what it was asked for, in words; `label` says what was used."""
    return method.caption(None if label is None else label.evaluations)


def marked(
    drawing: Drawing,
    label: LabelAttribution,
    feature: str,
    choice: PatchChoice,
    chosen: Visualization = Visualization(),
) -> Drawing:
    """Return a drawing on which the patches that LIME would name are marked, and no others.

    "highlights the pixels in red that score above a certain confidence value": at most ten patches,
    with a weight above `choice.min_weight`. Without `choice.positive_only` those that speak for the
    label are green, and those against it red. What `chosen` sets takes the place of these colours.
    """
    segments = label.segments[feature]
    weights = np.zeros((1, int(segments.max()) + 1))
    weights[0, segments] = label.values[feature]
    shown = lime.masks(weights, segments, choice)[0]
    settings = replace(
        drawing.visualization,
        type=VisualizationType.PIXELS,
        polarity=Polarity.POSITIVE if choice.positive_only else Polarity.BOTH,
        color_map=ColorMap.RED if choice.positive_only else ColorMap.RED_GREEN,
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
        empty=None if shown.any() else f"no patch has a weight above {choice.min_weight:g}",
    )
