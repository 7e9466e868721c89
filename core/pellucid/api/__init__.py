"""What Python programs and the commands call."""

from __future__ import annotations

from pellucid.api.compare import OF_ONE_METHOD, compared, settings_of
from pellucid.api.explanations import Explanations, unpack
from pellucid.api.loaded_model import LoadedModel, load
from pellucid.api.smoke_test import smoke_test

__all__ = [
    "OF_ONE_METHOD",
    "Explanations",
    "LoadedModel",
    "compared",
    "load",
    "settings_of",
    "smoke_test",
    "unpack",
]
