"""The truth: of which class each input is, as people know it, beside what the model says.

What people wrote is matched to the names of the model's classes: exactly, else without regard to
letter case and separators, else as an index. That of an input that matches nothing is counted.
"""

from __future__ import annotations

from pellucid.batch.truth.judge import NAMED, Judge, Verdict
from pellucid.batch.truth.sources import Truth
from pellucid.batch.truth.tally import KEPT, Tally

__all__ = ["KEPT", "NAMED", "Judge", "Tally", "Truth", "Verdict"]
