"""Responses: the documented keys, in order, with numbers that clients can read."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from pellucid.explain.results import Explanation, LabelAttribution
from pellucid.metadata.spec import Dialect, ExplanationMetadata, InputSpec, OutputSpec
from pellucid.responses import encode, response


def label(index: tuple[int, ...], score: float, **options: Any) -> LabelAttribution:
    settings: dict[str, Any] = {
        "output": "y",
        "name": None,
        "baseline_score": 0.0,
        "values": {"x": np.zeros(2)},
        "features": {"x": np.array([1.0, 0.0])},
        "approx_error": 0.25,
    }
    return LabelAttribution(index=index, score=score, **{**settings, **options})


def body(dialect: Dialect, *labels: LabelAttribution, **options: Any) -> Any:
    metadata = ExplanationMetadata(
        dialect=dialect, inputs=(InputSpec(name="x"),), output=OutputSpec(name="y")
    )
    explanation = Explanation(
        prediction=options.pop("prediction", np.array([0.5, 2.0], np.float32)),
        labels=labels,
        inputs={},
    )
    return json.loads(encode(response([explanation], metadata, **options)))


def test_ai_platform_sorts_by_score_and_writes_every_number_as_a_float() -> None:
    text = encode(
        response(
            [Explanation(prediction=np.zeros(2), labels=(label((0,), 1.0),), inputs={})],
            ExplanationMetadata(inputs=(InputSpec(name="x"),), output=OutputSpec(name="y")),
        )
    ).decode()
    assert '"baseline_score": 0.0' in text and '"example_score": 1.0' in text
    assert "1.0,\n              0.0\n" in text
    got = body(Dialect.AI_PLATFORM, label((0,), 1.0), label((1,), 2.0, name="one"))
    assert got == {
        "explanations": [
            {
                "attributions_by_label": [
                    {
                        "approx_error": 0.25,
                        "attributions": {"x": [1.0, 0.0]},
                        "baseline_score": 0.0,
                        "example_score": 2.0,
                        "label_index": 1,
                        "label_name": "one",
                        "output_name": "y",
                    },
                    {
                        "approx_error": 0.25,
                        "attributions": {"x": [1.0, 0.0]},
                        "baseline_score": 0.0,
                        "example_score": 1.0,
                        "label_index": 0,
                        "output_name": "y",
                    },
                ]
            }
        ]
    }


@pytest.mark.parametrize("index, written", [((), -1), ((3,), 3), ((1, 2), [1, 2])])
def test_label_index(index: tuple[int, ...], written: object) -> None:
    got = body(Dialect.AI_PLATFORM, label(index, 1.0))
    assert got["explanations"][0]["attributions_by_label"][0]["label_index"] == written


def test_vertex_keeps_the_order_and_adds_the_predictions() -> None:
    got = body(Dialect.VERTEX, label((0,), 1.0), label((), 2.0, name="n", approx_error=None))
    first, second = got["explanations"][0]["attributions"]
    assert first == {
        "baselineOutputValue": 0.0,
        "instanceOutputValue": 1.0,
        "featureAttributions": {"x": [1.0, 0.0]},
        "outputIndex": [0],
        "approximationError": 0.25,
        "outputName": "y",
    }
    assert "outputIndex" not in second and second["outputDisplayName"] == "n"
    assert second["approximationError"] is None
    assert got["predictions"] == [[0.5, 2.0]] and got["deployedModelId"] == "local"
    scalar = body(Dialect.VERTEX, label((), 1.0), prediction=np.float32(0.5))
    assert scalar["predictions"] == [0.5]


def test_a_picture_takes_the_place_of_its_feature() -> None:
    def pictures(number: int, label: LabelAttribution) -> dict[str, tuple[bytes, str]]:
        return {"x": (b"picture", "png")}

    got = body(Dialect.AI_PLATFORM, label((0,), 1.0), pictures=pictures)
    features = got["explanations"][0]["attributions_by_label"][0]["attributions"]
    assert features == {"x": {"b64_png": base64.b64encode(b"picture").decode()}}
