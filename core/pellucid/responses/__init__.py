"""Explanations as what clients read: JSON of the services, and ``.npz`` files."""

from __future__ import annotations

from pellucid.responses.archive import DOCUMENT, archive_digest, read_arrays
from pellucid.responses.json import Features, encode, laid_out, predictions
from pellucid.responses.kserve import kserve, of_patches
from pellucid.responses.npz import pack, unpack
from pellucid.responses.provenance import (
    CLOSE,
    DIAGNOSTICS,
    DIGEST,
    PROVENANCE,
    Comparison,
    Leaf,
    compared,
    digest_of,
    leaves,
    stamped,
)
from pellucid.responses.row_texts import RowTexts
from pellucid.responses.services import response
from pellucid.responses.tidy import frame, tidy, tidy_groups
from pellucid.responses.tidy_files import TableForm, check_form, parquet, write_tidy

__all__ = [
    "CLOSE",
    "DIAGNOSTICS",
    "DIGEST",
    "DOCUMENT",
    "PROVENANCE",
    "Comparison",
    "Features",
    "Leaf",
    "RowTexts",
    "TableForm",
    "archive_digest",
    "check_form",
    "compared",
    "digest_of",
    "encode",
    "frame",
    "kserve",
    "laid_out",
    "leaves",
    "of_patches",
    "pack",
    "parquet",
    "predictions",
    "read_arrays",
    "response",
    "stamped",
    "tidy",
    "tidy_groups",
    "unpack",
    "write_tidy",
]
