"""What is written on pictures: labels, scores, and the method in words."""

from __future__ import annotations

from pellucid.explain import LabelAttribution
from pellucid.metadata import (
    Examples,
    IntegratedGradients,
    Lime,
    Method,
    Players,
    SampledShapley,
    Xrai,
)


def number(value: float) -> str:
    """Write a score: probabilities with three decimals, anything else in four digits."""
    return f"{value:.3f}" if 1e-3 <= abs(value) < 10 or value == 0 else f"{value:.4g}"


def label_text(label: LabelAttribution, output: str) -> str:
    """Return the name of a label, or its index, or, of a scalar, the output's name."""
    return label.name or (f"{output} {list(label.index)}" if label.index else output)


def title_text(label: LabelAttribution, output: str) -> str:
    """Return a label and its score."""
    return f"{label_text(label, output)}: {number(label.score)}"


def method_text(method: Method, label: LabelAttribution | None = None) -> str:
    """Return a method and what it was asked for, in words; `label` says what was used."""
    match method:
        case IntegratedGradients() | Xrai():
            name = "XRAI" if isinstance(method, Xrai) else "integrated gradients"
            steps = method.step_count
            if method.tolerance is not None and label is not None and label.evaluations:
                steps = label.evaluations
            parts = [name, f"{steps} steps"]
            if (smooth := method.smooth_grad) is not None:
                parts[0] = "SmoothGrad" if isinstance(method, IntegratedGradients) else name
                parts.append(f"{smooth.noisy_sample_count} noisy samples")
            if method.max_blur_sigma is not None:
                parts.append(f"from blur {method.max_blur_sigma:g}")
        case SampledShapley():
            parts = ["sampled Shapley", f"{method.path_count} paths"]
            if method.players is Players.REGIONS:
                parts.append("regions")
        case Lime():
            parts = ["LIME", f"{method.num_samples} samples", method.segmentation_alg.value]
        case Examples():
            parts = ["examples"]
    return ", ".join(parts)
