"""Explanations as Vertex AI's ``endpoints.explain`` wrote them."""

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
    predictions,
)


def vertex(
    explanations: Sequence[Explanation],
    metadata: ExplanationMetadata,
    pictures: Picture,
    ids: Sequence[str | None] = (),
    *,
    errors: bool = False,
    features: Features = features_json,
) -> dict[str, Any]:
    """Return ``{"explanations": [{"attributions": […]}], "predictions": […], …}``."""
    result: list[dict[str, Any]] = []
    for number, explanation in enumerate(explanations):
        if explanation.neighbors is not None:
            near = neighbors_json(explanation.neighbors)
            result.append({**instance_json(ids, number), **near})
            continue
        result.append(
            {
                **instance_json(ids, number),
                "attributions": [
                    {
                        "baselineOutputValue": label.baseline_score,
                        "instanceOutputValue": label.score,
                        "featureAttributions": features(label, pictures(number, label)),
                        **({"outputIndex": list(label.index)} if label.index else {}),
                        **({} if label.name is None else {"outputDisplayName": label.name}),
                        "approximationError": label.approx_error,
                        "outputName": label.output,
                    }
                    for label in explanation.labels
                ],
                **names_json(metadata, explanation),
                **diagnostics_json(explanation.labels, explanation, metadata, errors=errors),
            }
        )
    predicted = predictions([explanation.answer for explanation in explanations])
    return {"explanations": result, "predictions": predicted, "deployedModelId": "local"}
