"""What a run writes into its folder, by which such a folder is known and left out."""

from __future__ import annotations

import re
from collections.abc import Collection

TREES = ("overlays", "thumbnails", "originals", "attributions", "summary")
"""The folders that a run writes below its own."""
STEMS = (".batch", "summary.json", "explanation.results-")
"""What tells that a run has written in a folder begins with one of these."""

_OUTPUTS = frozenset(
    (*TREES, "errors.jsonl", "summary.json", "table.csv", "table.jsonl", "table.parquet")
)
_RESULTS = re.compile(r"explanation\.results-\d{5}-of-\d{5}$")


def holds_run(names: Collection[str]) -> bool:
    """Whether a folder of such names is one that a run writes or has written."""
    return ".batch" in names or ("summary.json" in names and any(map(_RESULTS.match, names)))


def is_of_run(name: str) -> bool:
    """Whether a run writes something of this name into its folder."""
    return name in _OUTPUTS or bool(_RESULTS.match(name))
