"""From instances to explanations: everything between a model and a response."""

from __future__ import annotations

from pellucid.explain.chosen_baseline import (
    BaselineKind,
    ChosenBaseline,
    choose_baseline,
    without_blur,
)
from pellucid.explain.explainer import MIXED_ROWS, Explainer
from pellucid.explain.features import Companions, baseline_array, element_names, is_image, zero
from pellucid.explain.noise import noise_chosen, noise_warnings
from pellucid.explain.pixel_watch import PixelWatch
from pellucid.explain.results import Explanation, LabelAttribution, Results
from pellucid.explain.series import is_series
from pellucid.explain.texts import LookedUp

__all__ = [
    "MIXED_ROWS",
    "BaselineKind",
    "ChosenBaseline",
    "Companions",
    "Explainer",
    "Explanation",
    "LabelAttribution",
    "LookedUp",
    "PixelWatch",
    "Results",
    "baseline_array",
    "choose_baseline",
    "element_names",
    "is_image",
    "is_series",
    "noise_chosen",
    "noise_warnings",
    "without_blur",
    "zero",
]
