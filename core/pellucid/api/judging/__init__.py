"""Explanations judged: every candidate explains every instance, and every metric judges it."""

from __future__ import annotations

from pellucid.api.judging.advice import BaselineAdvice
from pellucid.api.judging.baselines import suggest_baseline
from pellucid.api.judging.evaluation import evaluate

__all__ = ["BaselineAdvice", "evaluate", "suggest_baseline"]
