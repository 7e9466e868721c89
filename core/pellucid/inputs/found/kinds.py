"""Which files of a folder are inputs, told by their names."""

from __future__ import annotations

from pellucid.inputs.csv import SEPARATED
from pellucid.inputs.files import suffix_of
from pellucid.inputs.parquet import PARQUET
from pellucid.inputs.readers import IMAGE_SUFFIXES

TEXT_SUFFIXES = frozenset((".json", ".jsonl", ".ndjson", *SEPARATED))
SUFFIXES = IMAGE_SUFFIXES | TEXT_SUFFIXES | {".npy", PARQUET}


def is_input(name: str) -> bool:
    """Whether a file in a folder is an input by its name; pictures are not compressed again."""
    suffix = suffix_of(name)
    if suffix.startswith(".tfrecord"):
        return True
    return suffix in (TEXT_SUFFIXES if name.lower().endswith(".gz") else SUFFIXES)
