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
    from pellucid.metadata import Dialect, Examples, ExplanationMetadata, Visualization, parameters

    # The methods, with what they are made of: adding one leaves this file alone.
    from pellucid.metadata.parameters import *  # noqa: F403

__all__ = [
    "DependencyError",
    "Dialect",
    "Examples",
    "Explanation",
    "ExplanationMetadata",
    "Explanations",
    "InstanceError",
    "LabelAttribution",
    "LoadedModel",
    "ModelError",
    "Neighbor",
    "NotDifferentiableError",
    "OutputError",
    "PellucidError",
    "Problem",
    "Severity",
    "SpecError",
    "UnsafeModelError",
    "Visualization",
    "lint",
    "load",
]
if TYPE_CHECKING:
    __all__ += parameters.__all__
__version__ = "0.1.0"

# What needs numpy, or takes time to import, is imported when it is asked for.
_ROOMS: Final = {
    "api": ("Explanations", "LoadedModel", "load"),
    "examples": ("Neighbor",),
    "explain": ("Explanation", "LabelAttribution"),
    "linter": ("lint",),
    "metadata": ("Dialect", "Examples", "ExplanationMetadata", "Visualization"),
}


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'pellucid' has no attribute '{name}'")
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(f"pellucid.{room}"), name)
    if name in _methods():
        return getattr(import_module("pellucid.metadata"), name)
    raise AttributeError(f"module 'pellucid' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, *_methods(), "__version__"]


def _methods() -> list[str]:
    names: list[str] = import_module("pellucid.metadata").parameters.__all__
    return names
