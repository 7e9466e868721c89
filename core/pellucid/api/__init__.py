"""What Python programs and the commands call."""

from __future__ import annotations

from pellucid.api.calls import block_size, refuse_means
from pellucid.api.compare import compared, of_all_methods, settings_of
from pellucid.api.explanations import Explanations, unpack
from pellucid.api.keras import saved_directory
from pellucid.api.loaded_model import LoadedModel
from pellucid.api.loading import LoadOptions, load, load_model
from pellucid.api.reproducing import Again, Saved, read_saved
from pellucid.api.smoke_test import smoke_test
from pellucid.api.tables import TableSettings, named_after

__all__ = [
    "Again",
    "Explanations",
    "LoadOptions",
    "LoadedModel",
    "Saved",
    "TableSettings",
    "block_size",
    "compared",
    "load",
    "load_model",
    "named_after",
    "of_all_methods",
    "read_saved",
    "refuse_means",
    "saved_directory",
    "settings_of",
    "smoke_test",
    "unpack",
]
