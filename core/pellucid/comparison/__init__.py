"""Two models, or a model and what another service recorded, compared: what is said, and why."""

from __future__ import annotations

from pellucid.comparison.agreement import Agreement, agreement, share_moved
from pellucid.comparison.diff import BOUNDS, Diff, Given, Matched, Read, Reading, diff, match
from pellucid.comparison.diff.verdict import percent, points
from pellucid.comparison.page import diff_page

__all__ = [
    "BOUNDS",
    "Agreement",
    "Diff",
    "Given",
    "Matched",
    "Read",
    "Reading",
    "agreement",
    "diff",
    "diff_page",
    "match",
    "percent",
    "points",
    "share_moved",
]
