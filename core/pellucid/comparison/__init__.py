"""Two models, or a model and what another service recorded, compared: what is said, and why."""

from __future__ import annotations

from pellucid.comparison.agreement import Agreement, agreement, share_moved
from pellucid.comparison.diff import BOUNDS, Diff, Given, Matched, Read, Reading, diff, match
from pellucid.comparison.diff.verdict import percent, points
from pellucid.comparison.page import diff_page, parity_page
from pellucid.comparison.parity import Parity, Tolerances, Verdict, parity
from pellucid.comparison.recorded import Exchange, read_recorded

__all__ = [
    "BOUNDS",
    "Agreement",
    "Diff",
    "Exchange",
    "Given",
    "Matched",
    "Parity",
    "Read",
    "Reading",
    "Tolerances",
    "Verdict",
    "agreement",
    "diff",
    "diff_page",
    "match",
    "parity",
    "parity_page",
    "percent",
    "points",
    "read_recorded",
    "share_moved",
]
