"""The metrics, a file for each kind: what is asked of the model, and what follows from it."""

from __future__ import annotations

from pellucid.evaluate.metrics.chosen import MEASURES, REPEATED, chosen_measures
from pellucid.evaluate.metrics.curves import CHANGED
from pellucid.evaluate.metrics.perturbed import SENSITIVITY
from pellucid.evaluate.metrics.sanity import rank_correlation, similarity

__all__ = [
    "CHANGED",
    "MEASURES",
    "REPEATED",
    "SENSITIVITY",
    "chosen_measures",
    "rank_correlation",
    "similarity",
]
