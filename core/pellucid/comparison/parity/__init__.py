"""A model here and what a service answered: field by field, and why they differ."""

from __future__ import annotations

from pellucid.comparison.parity.fields import Field, Tolerances, Verdict
from pellucid.comparison.parity.reasons import Reason
from pellucid.comparison.parity.result import Kind, Parity, Row
from pellucid.comparison.parity.run import parity

__all__ = ["Field", "Kind", "Parity", "Reason", "Row", "Tolerances", "Verdict", "parity"]
