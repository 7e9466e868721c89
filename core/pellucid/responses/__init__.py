"""Explanations as what clients read: JSON of the services, and ``.npz`` files."""

from __future__ import annotations

from pellucid.responses.json import encode, predictions
from pellucid.responses.kserve import kserve, of_patches
from pellucid.responses.npz import pack, unpack
from pellucid.responses.services import response
from pellucid.responses.tidy import frame, tidy, tidy_groups
from pellucid.responses.tidy_files import TableForm, check_form, parquet, write_tidy

__all__ = [
    "TableForm",
    "check_form",
    "encode",
    "frame",
    "kserve",
    "of_patches",
    "pack",
    "parquet",
    "predictions",
    "response",
    "tidy",
    "tidy_groups",
    "unpack",
    "write_tidy",
]
