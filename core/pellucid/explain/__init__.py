"""From instances to explanations: everything between a model and a response."""

from __future__ import annotations

from pellucid.explain.baselines import Baselines
from pellucid.explain.chosen_baseline import (
    BaselineKind,
    ChosenBaseline,
    choose_baseline,
    without_blur,
)
from pellucid.explain.explainer import MIXED_ROWS, Explainer
from pellucid.explain.features import (
    Companions,
    baseline_array,
    blurred,
    element_name,
    element_names,
    is_image,
    is_picture,
    zero,
)
from pellucid.explain.held import RecordLists
from pellucid.explain.noise import noise_chosen, noise_warnings
from pellucid.explain.pixel_watch import PixelWatch
from pellucid.explain.results import Explanation, LabelAttribution, Results
from pellucid.explain.series import is_series
from pellucid.explain.targets import name_at, targets_of
from pellucid.explain.texts import LookedUp, find_texts

__all__ = [
    "MIXED_ROWS",
    "BaselineKind",
    "Baselines",
    "ChosenBaseline",
    "Companions",
    "Explainer",
    "Explanation",
    "LabelAttribution",
    "LookedUp",
    "PixelWatch",
    "RecordLists",
    "Results",
    "baseline_array",
    "blurred",
    "choose_baseline",
    "element_name",
    "element_names",
    "find_texts",
    "is_image",
    "is_picture",
    "is_series",
    "name_at",
    "noise_chosen",
    "noise_warnings",
    "targets_of",
    "without_blur",
    "zero",
]
