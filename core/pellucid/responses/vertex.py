"""Explanations as Vertex AI's ``endpoints.explain`` wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.explain import Explanation
from pellucid.metadata import ExplanationMetadata
from pellucid.responses.json import (
    Picture,
    diagnostics_json,
    features_json,
    neighbors_json,
    predictions,
)


def vertex(
    explanations: Sequence[Explanation], metadata: ExplanationMetadata, pictures: Picture
) -> dict[str, Any]:
    """Return ``{"explanations": [{"attributions": […]}], "predictions": […], …}``."""
    result: list[dict[str, Any]] = []
    for number, explanation in enumerate(explanations):
        if explanation.neighbors is not None:
            result.append(neighbors_json(explanation.neighbors))
            continue
        result.append(
            {
                "attributions": [
                    {
                        "baselineOutputValue": label.baseline_score,
                        "instanceOutputValue": label.score,
                        "featureAttributions": features_json(label, pictures(number, label)),
                        **({"outputIndex": list(label.index)} if label.index else {}),
                        **({} if label.name is None else {"outputDisplayName": label.name}),
                        "approximationError": label.approx_error,
                        "outputName": metadata.output.name,
                    }
                    for label in explanation.labels
                ],
                **diagnostics_json(explanation.labels, explanation),
            }
        )
    predicted = predictions([explanation.prediction for explanation in explanations])
    return {"explanations": result, "predictions": predicted, "deployedModelId": "local"}
