"""Explanations judged: every candidate explains every instance, and every metric judges it."""

from __future__ import annotations

from pellucid.api.judging.advice import BaselineAdvice
from pellucid.api.judging.baselines import suggest_baseline
from pellucid.api.judging.evaluation import Elsewhere, Group, evaluate, judge_of
from pellucid.api.judging.findings import Findings
from pellucid.api.judging.journal import Journal

__all__ = [
    "BaselineAdvice",
    "Elsewhere",
    "Findings",
    "Group",
    "Journal",
    "evaluate",
    "judge_of",
    "suggest_baseline",
]
