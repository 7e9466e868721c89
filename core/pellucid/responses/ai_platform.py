"""Explanations as AI Platform's ``projects.explain`` wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.explain import Explanation
from pellucid.metadata import ExplanationMetadata
from pellucid.responses.json import (
    Features,
    Picture,
    diagnostics_json,
    features_json,
    instance_json,
    names_json,
    neighbors_json,
)


def ai_platform(
    explanations: Sequence[Explanation],
    metadata: ExplanationMetadata,
    pictures: Picture,
    ids: Sequence[str | None] = (),
    *,
    errors: bool = False,
    features: Features = features_json,
) -> dict[str, Any]:
    """Return ``{"explanations": [{"attributions_by_label": […]}]}``, sorted by example_score."""
    result: list[dict[str, Any]] = []
    for number, explanation in enumerate(explanations):
        if explanation.neighbors is not None:
            near = neighbors_json(explanation.neighbors)
            result.append({**instance_json(ids, number), **near})
            continue
        labels = sorted(explanation.labels, key=lambda label: -label.score)
        result.append(
            {
                **instance_json(ids, number),
                "attributions_by_label": [
                    {
                        "approx_error": label.approx_error,
                        "attributions": features(label, pictures(number, label)),
                        "baseline_score": label.baseline_score,
                        "example_score": label.score,
                        "label_index": _label_index(label.index),
                        **({} if label.name is None else {"label_name": label.name}),
                        "output_name": label.output,
                    }
                    for label in labels
                ],
                **names_json(metadata, explanation),
                **diagnostics_json(labels, explanation, metadata, errors=errors),
            }
        )
    return {"explanations": result}


def _label_index(index: tuple[int, ...]) -> int | list[int]:
    """ "label_index": an int; -1 for a scalar output, a list for an n-dimensional one."""
    if not index:
        return -1
    return index[0] if len(index) == 1 else list(index)
