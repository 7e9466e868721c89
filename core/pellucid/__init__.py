"""Pellucid: which pixels, regions, words or columns made a TensorFlow model say what it said.

Start at `load`. The way from there: `pellucid.api` (files → model), `pellucid.explain` (instances →
explanations; its `dispatch` is the one place that knows every method), `pellucid.methods` (the
methods, plain numpy over the questions of `pellucid.model`), `pellucid.runtime` (the compiled
model, on one of three backends), `pellucid.responses` and `pellucid.visualize` (what comes out).
Importing this package imports neither TensorFlow nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pellucid.errors import (
    DependencyError,
    InstanceError,
    ModelError,
    NotDifferentiableError,
    OutputError,
    PellucidError,
    SpecError,
    UnsafeModelError,
)
from pellucid.problems import Problem, Severity

if TYPE_CHECKING:
    from pellucid.api import Explanations, LoadedModel, load
    from pellucid.examples import Neighbor
    from pellucid.explain import Explanation, LabelAttribution
    from pellucid.linter import lint
    from pellucid.metadata import (
        Dialect,
        Examples,
        ExplanationMetadata,
        ExplanationParameters,
        IntegratedGradients,
        Lime,
        SampledShapley,
        SmoothGrad,
        Visualization,
        Xrai,
    )

__all__ = [
    "DependencyError",
    "Dialect",
    "Examples",
    "Explanation",
    "ExplanationMetadata",
    "ExplanationParameters",
    "Explanations",
    "InstanceError",
    "IntegratedGradients",
    "LabelAttribution",
    "Lime",
    "LoadedModel",
    "ModelError",
    "Neighbor",
    "NotDifferentiableError",
    "OutputError",
    "PellucidError",
    "Problem",
    "SampledShapley",
    "Severity",
    "SmoothGrad",
    "SpecError",
    "UnsafeModelError",
    "Visualization",
    "Xrai",
    "lint",
    "load",
]
__version__ = "0.1.0"

# What needs numpy, or takes time to import, is imported when it is asked for.
_ROOMS: Final = {
    "api": ("Explanations", "LoadedModel", "load"),
    "examples": ("Neighbor",),
    "explain": ("Explanation", "LabelAttribution"),
    "linter": ("lint",),
    "metadata": (
        *("Dialect", "Examples", "ExplanationMetadata", "ExplanationParameters"),
        *("IntegratedGradients", "Lime", "SampledShapley", "SmoothGrad", "Visualization", "Xrai"),
    ),
}


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"pellucid.{room}"), name)
    raise AttributeError(f"module 'pellucid' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
