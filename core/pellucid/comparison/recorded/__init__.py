"""What another service was asked and what it answered, as files: written, and read again."""

from __future__ import annotations

from pellucid.comparison.recorded.answers import Answer, AnsweredLabel, Masks, parse_answer
from pellucid.comparison.recorded.exchanges import Exchange, read_recorded

__all__ = ["Answer", "AnsweredLabel", "Exchange", "Masks", "parse_answer", "read_recorded"]
