"""Parameters in a document's own words, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pellucid.errors import SpecError
from pellucid.metadata import (
    Dialect,
    ExplanationParameters,
    IntegratedGradients,
    Lime,
    Players,
    Quadrature,
    SampledShapley,
    Segmentation,
    SmoothGrad,
    Xrai,
    read_recorded,
    recorded,
)
from pellucid.metadata.documents import parse_parameters

METHODS: list[Any] = [
    IntegratedGradients(
        quadrature=Quadrature.MIDPOINT,
        max_blur_sigma=4.0,
        smooth_grad=SmoothGrad(feature_noise_sigma=(("a", 1.0), ("b", 0.5))),
    ),
    Xrai(step_count=3, tolerance=0.5, smooth_grad=SmoothGrad(noise_sigma=0.2)),
    SampledShapley(players=Players.REGIONS, max_paths=7, mask="[MASK]"),
    Lime(segmentation_alg=Segmentation.SLIC, positive_only=False, hide_color=0.5),
]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method.name))
@pytest.mark.parametrize(
    "outputs", [{}, {"top_k": -1}, {"output_indices": ((0, 1), (2, 3)), "why_not": (1, 1)}]
)
def test_parameters_come_back_from_json(method: Any, outputs: Any) -> None:
    before = ExplanationParameters(method=method, **outputs)
    assert read_recorded(json.loads(json.dumps(recorded(before)))) == before


def test_the_words_are_those_of_a_document() -> None:
    made = recorded(ExplanationParameters(method=METHODS[0], top_k=2, why_not="five"))
    method = made["integratedGradientsAttribution"]
    assert method["quadrature"] == "MIDPOINT" and method["stepCount"] == 50
    assert (made["topK"], made["whyNot"]) == (2, "five")
    # What a document can say of it is read as such.
    own = {key: method[key] for key in ("stepCount", "blurBaselineConfig", "smoothGradConfig")}
    own["smoothGradConfig"] = {"featureNoiseSigma": own["smoothGradConfig"]["featureNoiseSigma"]}
    read, problems = parse_parameters(
        {"integratedGradientsAttribution": own, "topK": 2}, dialect=Dialect.VERTEX
    )
    assert read is not None and not [it for it in problems if it.severity.value == "error"]
    assert read.method.smooth_grad == METHODS[0].smooth_grad
    assert read.method.max_blur_sigma == 4.0


@pytest.mark.parametrize(
    "document, sentence",
    [
        ({"integratedGradientsAttribution": {"stepCuont": 3}},
         "integratedGradientsAttribution: 'stepCuont' is unknown here; did you mean 'stepCount'?"),
        ({"topK": 2}, "does not say which method it was"),
        ({"topk": 2}, "'topk' is unknown here; did you mean 'topK'?"),
        ({"xraiAttribution": {}, "limeAttribution": {}}, "does not say which method it was"),
        ({"xraiAttribution": 3}, "xraiAttribution: has to be an object"),
        ({"xraiAttribution": {"stepCount": "3"}}, "xraiAttribution.stepCount: is damaged"),
        ({"integratedGradientsAttribution": {"quadrature": "Quadrature.MIDPOINT"}},
         "integratedGradientsAttribution.quadrature: is damaged"),
        ({"xraiAttribution": {}, "outputIndices": 3}, "is damaged"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(document: Any, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_recorded(document)
    assert str(caught.value) == sentence
