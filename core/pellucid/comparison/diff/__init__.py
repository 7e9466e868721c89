"""Two models on the same instances: what changed in what they say, and in why."""

from __future__ import annotations

from pellucid.comparison.diff.matching import Matched, Reading, match
from pellucid.comparison.diff.result import BOUNDS, Compared, Diff, Failed
from pellucid.comparison.diff.run import Given, Read, diff
from pellucid.comparison.diff.shifts import Shift

__all__ = [
    "BOUNDS",
    "Compared",
    "Diff",
    "Failed",
    "Given",
    "Matched",
    "Read",
    "Reading",
    "Shift",
    "diff",
    "match",
]
