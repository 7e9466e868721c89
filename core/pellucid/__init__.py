"""Pellucid: which pixels, regions, words or columns made a TensorFlow model say what it said.

Start at `load`. The way from there: `pellucid.api` (files → model), `pellucid.explain` (instances →
explanations; its `dispatch` is the one place that knows every method), `pellucid.methods` (the
methods, plain numpy over the questions of `pellucid.model`), `pellucid.runtime` (the compiled
model, on one of three backends), `pellucid.responses` and `pellucid.visualize` (what comes out).
Importing this package imports neither TensorFlow nor numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from pellucid.metadata.spec import Dialect

if TYPE_CHECKING:
    from pellucid.api.explanations import Explanations
    from pellucid.api.load import LoadedModel, load

__all__ = [
    "DependencyError",
    "Dialect",
    "Explanations",
    "InstanceError",
    "LoadedModel",
    "ModelError",
    "NotDifferentiableError",
    "OutputError",
    "PellucidError",
    "SpecError",
    "UnsafeModelError",
    "load",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # What needs numpy or TensorFlow is imported when it is asked for.
    if name in ("Explanations", "LoadedModel", "load"):
        from pellucid.api import load as module

        return getattr(module, name)
    raise AttributeError(f"module 'pellucid' has no attribute '{name}'")
