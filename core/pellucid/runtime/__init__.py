"""A SavedModel compiled: the one room that runs TensorFlow.

What is behind its door imports TensorFlow, so it is imported when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pellucid.runtime.compiler import Compiler
    from pellucid.runtime.keras_models import exported_file, exported_model
    from pellucid.runtime.recall import recalling

__all__ = ["Compiler", "exported_file", "exported_model", "recalling"]


def __getattr__(name: str) -> Any:
    if name == "Compiler":
        return import_module("pellucid.runtime.compiler").Compiler
    if name == "recalling":
        return import_module("pellucid.runtime.recall").recalling
    if name in __all__:
        return getattr(import_module("pellucid.runtime.keras_models"), name)
    raise AttributeError(f"module 'pellucid.runtime' has no attribute '{name}'")
