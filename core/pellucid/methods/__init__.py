"""Attribution methods: each module has one function of a `pellucid.model.Model` and arrays."""

from __future__ import annotations

from pellucid.methods.integrated_gradients import integrated_gradients
from pellucid.methods.lime import lime, marked, masks
from pellucid.methods.nearest_examples import distances, nearest_examples, normalized
from pellucid.methods.sampled_shapley import sampled_shapley
from pellucid.methods.superpixels import superpixels
from pellucid.methods.xrai import xrai

__all__ = [
    "distances",
    "integrated_gradients",
    "lime",
    "marked",
    "masks",
    "nearest_examples",
    "normalized",
    "sampled_shapley",
    "superpixels",
    "xrai",
]
