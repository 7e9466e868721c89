"""What a request may choose for itself: Vertex's override, and the keys of KServe's explainer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pellucid.errors import SpecError
from pellucid.metadata.documents.overrides import overridden
from pellucid.metadata.kserve import with_kserve_keys
from pellucid.metadata.parameters import (
    ExplanationParameters,
    IntegratedGradients,
    Lime,
    Players,
    Quadrature,
    SampledShapley,
    Segmentation,
    SmoothGrad,
)
from pellucid.metadata.spec import (
    Dialect,
    Domain,
    ExplanationMetadata,
    InputSpec,
    Modality,
    OutputSpec,
    Polarity,
    ValueBaseline,
    Visualization,
)
from pellucid.notices import Message

METADATA = ExplanationMetadata(
    dialect=Dialect.VERTEX,
    inputs=(
        InputSpec(
            name="image",
            tensor_name="image",
            modality=Modality.IMAGE,
            domain=Domain(minimum=0, maximum=1),
            visualization=Visualization(polarity=Polarity.BOTH, clip_below_percentile=30),
        ),
        InputSpec(name="age", tensor_name="age", encoded_baselines=(ValueBaseline(3),)),
    ),
    output=OutputSpec(name="scores", tensor_name="scores"),
)
STEPS = ExplanationParameters(
    method=IntegratedGradients(step_count=50, quadrature=Quadrature.MIDPOINT, tolerance=0.01)
)


def asked(
    request: Mapping[str, object], parameters: ExplanationParameters = STEPS
) -> tuple[ExplanationMetadata, ExplanationParameters, list[str]]:
    said: list[Message] = []
    metadata, chosen = overridden(METADATA, parameters, request)
    chosen = with_kserve_keys(request, chosen, said.append)
    return metadata, chosen, [it.sentence() for it in said]


def override(**parts: Any) -> dict[str, object]:
    return {"explanationSpecOverride": parts}


def test_a_request_without_settings_changes_nothing() -> None:
    metadata, parameters, said = asked({"instances": [1], "signature_name": "x", "parameters": {}})
    assert metadata is METADATA and parameters is STEPS and not said


def test_parameters_that_are_written_go_before_and_ours_stay() -> None:
    written = {
        "integratedGradientsAttribution": {
            "stepCount": 7,
            "smoothGradConfig": {"noisySampleCount": 4},
        },
        "topK": 3,
    }
    _, parameters, _ = asked(override(parameters=written))
    method = IntegratedGradients(
        step_count=7,
        smooth_grad=SmoothGrad(noisy_sample_count=4),
        quadrature=Quadrature.MIDPOINT,
    )
    assert parameters == ExplanationParameters(method=method, top_k=3)


def test_outputs_alone_can_be_chosen_in_either_spelling() -> None:
    chosen = replace(STEPS, output_indices=((5,),))
    _, parameters, _ = asked({"explanation_spec_override": {"parameters": {"top_k": 2}}}, chosen)
    assert parameters == replace(STEPS, top_k=2)
    _, parameters, _ = asked(override(parameters={"outputIndices": [4]}), chosen)
    assert parameters == replace(STEPS, output_indices=((4,),))


def test_players_stay_when_the_number_of_paths_is_written() -> None:
    shapley = ExplanationParameters(method=SampledShapley(players=Players.REGIONS))
    _, parameters, _ = asked(
        override(parameters={"sampledShapleyAttribution": {"pathCount": 9}}), shapley
    )
    assert parameters.method == SampledShapley(path_count=9, players=Players.REGIONS)


def test_baselines_and_visualization_of_one_input() -> None:
    inputs = {
        "image": {"visualization": {"polarity": "NEGATIVE"}},
        "age": {"inputBaselines": [4.5]},
    }
    metadata, parameters, _ = asked(override(metadata={"inputs": inputs}))
    image, age = metadata.inputs
    assert image.visualization == Visualization(
        polarity=Polarity.NEGATIVE, clip_below_percentile=30
    )
    assert image.domain == METADATA.inputs[0].domain
    # Baselines of both kinds exclude each other: the request's take the place of the others.
    assert age == replace(
        METADATA.inputs[1], input_baselines=(ValueBaseline(4.5),), encoded_baselines=()
    )
    assert parameters is STEPS


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (
            override(parameters={"xraiAttribution": {"stepCount": 5}}),
            "explanationSpecOverride.parameters: the method is integrated-gradients and a request "
            "cannot change it; xrai needs a deployment of its own",
        ),
        (
            override(parameters={"integratedGradientsAttribution": {"stepCount": -1}}),
            "explanationSpecOverride.parameters.integratedGradientsAttribution.stepCount: -1 is out "
            "of range, must be 1 to 100",
        ),
        (
            override(metadata={"inputs": {"aeg": {"inputBaselines": [1]}}}),
            "explanationSpecOverride.metadata.inputs: 'aeg' is not an input of the metadata; "
            "did you mean 'age'?",
        ),
        (
            override(metadata={"inputs": {"age": {"input_baseline": [1]}}}),
            "explanationSpecOverride.metadata.inputs.age: 'input_baseline' is unknown, it may have "
            "inputBaselines, visualization; did you mean 'inputBaselines'?",
        ),
        (
            override(metadata={"inputs": {"age": {"inputBaselines": [{"file": "/etc/x.npy"}]}}}),
            "explanationSpecOverride.metadata.inputs.age.inputBaselines: a request cannot name a "
            "file; send the values",
        ),
        (
            override(metadata={"inputs": {"age": {"inputBaselines": ["1.5"]}}}),
            "explanationSpecOverride.metadata.inputs.age.inputBaselines[0]: must be a number or a "
            "list, not the string '1.5'",
        ),
        (
            override(metadata={"inputs": {"image": {"visualization": {"polarity": "up"}}}}),
            "explanationSpecOverride.metadata.inputs.image.visualization.polarity: 'up' is not known",
        ),
        ({"explanationSpecOverride": 3}, "explanationSpecOverride: must be an object, not the number 3"),
        (override(parameter={}), "explanationSpecOverride: 'parameter' is unknown, it may have parameters,"),
    ],
)  # fmt: skip
def test_what_is_refused(request_: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        asked(request_)
    assert sentence in str(caught.value)


LIME = ExplanationParameters(method=Lime())


@pytest.mark.parametrize("text", [False, True])
def test_kserve_s_keys_are_numbers_or_strings(text: bool) -> None:
    request = {
        "top_labels": 3,
        "segmentation_alg": "slic",
        "num_samples": 40,
        "positive_only": False,
        "min_weight": 0.5,
    }
    _, parameters, said = asked({k: str(v) if text else v for k, v in request.items()}, LIME)
    assert parameters == ExplanationParameters(
        method=Lime(
            top_labels=3,
            segmentation_alg=Segmentation.SLIC,
            num_samples=40,
            positive_only=False,
            min_weight=0.5,
        ),
        top_k=3,
    )
    assert not said


@pytest.mark.parametrize("yes", ["true", "YES", "on", "1", "t", "y", True, 1])
def test_what_is_true(yes: object) -> None:
    before = ExplanationParameters(method=Lime(positive_only=False))
    _, parameters, _ = asked({"positive_only": yes}, before)
    assert parameters.method == Lime(positive_only=True)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("num_samples", "many", "num_samples: must be a number, not the string 'many'"),
        ("num_samples", True, "num_samples: must be a number, not true"),
        ("num_samples", 1, "num_samples: 1 is out of range, must be 2 or more"),
        ("num_samples", 2.5, "num_samples: must be a whole number, not the number 2.5"),
        ("top_labels", "0", "top_labels: 0 is out of range, must be 1 or more"),
        ("min_weight", "nan", "min_weight: must be a finite number, not the string 'nan'"),
        ("positive_only", "perhaps", "positive_only: must be true or false, not the string 'perhaps'"),
        (
            "segmentation_algorithm",
            "slick",
            "segmentation_algorithm: must be quickshift, felzenszwalb or slic, not the string "
            "'slick'; did you mean 'slic'?",
        ),
    ],
)  # fmt: skip
def test_a_wrong_key_of_kserve_s_costs_a_sentence(key: str, value: object, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        asked({key: value}, LIME)
    assert str(caught.value) == sentence


def test_kserve_s_keys_without_lime_are_said_to_do_nothing() -> None:
    _, parameters, said = asked({"top_labels": 2, "min_weight": 0})
    assert parameters is STEPS
    assert said == [
        "the request sets top_labels, min_weight, which only LIME has; the method is "
        "integrated-gradients"
    ]


def test_metadata_of_ai_platform_can_be_overridden_too() -> None:
    theirs = replace(
        METADATA, dialect=Dialect.AI_PLATFORM, framework="tensorflow", signature_key="serve"
    )
    inputs = {"age": {"inputBaselines": [4.5]}}
    metadata, _ = overridden(theirs, STEPS, override(metadata={"inputs": inputs}))
    assert metadata.inputs[1].input_baselines == (ValueBaseline(4.5),)
    assert (metadata.dialect, metadata.framework) == (Dialect.AI_PLATFORM, "tensorflow")
