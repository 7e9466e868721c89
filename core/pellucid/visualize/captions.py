"""What is written on pictures: labels, scores, and the method in words."""

from __future__ import annotations

from pellucid.explain import LabelAttribution
from pellucid.metadata import BaseMethod


def number(value: float) -> str:
    """Write a score: probabilities with three decimals, anything else in four digits."""
    return f"{value:.3f}" if 1e-3 <= abs(value) < 10 or value == 0 else f"{value:.4g}"


def label_text(label: LabelAttribution, output: str) -> str:
    """Return the name of a label, or its index, or, of a scalar, the output's name."""
    return label.name or (f"{output} {list(label.index)}" if label.index else output)


def title_text(label: LabelAttribution, output: str) -> str:
    """Return a label and its score."""
    return f"{label_text(label, output)}: {number(label.score)}"


def method_text(method: BaseMethod, label: LabelAttribution | None = None) -> str:
    """Return a method and what it was asked for, in words; `label` says what was used."""
    return method.caption(None if label is None else label.evaluations)
