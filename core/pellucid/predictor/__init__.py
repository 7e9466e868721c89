"""Predictors of somebody else's: a model that is asked over HTTP, by the protocol that it speaks.

Whoever asks urllib3 for it, the extra ``predictor``, asks here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pellucid.predictor.memory import remembering
from pellucid.predictor.reasons import reason_of
from pellucid.predictor.settings import (
    TOKEN_VARIABLE,
    Predictor,
    PredictorProtocol,
    PredictorSettings,
    is_address,
    restored,
)
from pellucid.predictor.signature import asked_signatures, gradients_refused, read_signatures

if TYPE_CHECKING:
    from pellucid.predictor.compiler import RemoteCompiler

__all__ = [
    "TOKEN_VARIABLE",
    "Predictor",
    "PredictorProtocol",
    "PredictorSettings",
    "RemoteCompiler",
    "asked_signatures",
    "gradients_refused",
    "is_address",
    "read_signatures",
    "reason_of",
    "remembering",
    "restored",
]


def __getattr__(name: str) -> Any:
    if name == "RemoteCompiler":
        return import_module("pellucid.predictor.compiler").RemoteCompiler
    raise AttributeError(f"module 'pellucid.predictor' has no attribute '{name}'")
