"""Explanations as what clients read: JSON of the services, and ``.npz`` files."""

from __future__ import annotations

from pellucid.responses.json import encode, predictions
from pellucid.responses.kserve import kserve, of_patches
from pellucid.responses.npz import pack, unpack
from pellucid.responses.services import response
from pellucid.responses.tidy import frame, parquet, tidy

__all__ = [
    "encode",
    "frame",
    "kserve",
    "of_patches",
    "pack",
    "parquet",
    "predictions",
    "response",
    "tidy",
    "unpack",
]
