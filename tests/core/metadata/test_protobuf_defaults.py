"""Documents as tools write them: defaults spelled out, a Model's description, other wrappings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pellucid.linter import lint
from pellucid.metadata import Dialect, Lime, SmoothGrad, published_schema
from pellucid.metadata.documents import convert_metadata, dump_metadata, parse_metadata
from pellucid.metadata.documents.parameters import parse_parameters

SPELLED_OUT: dict[str, Any] = {
    "inputTensorName": "x:0",
    "encoding": "ENCODING_UNSPECIFIED",
    "modality": "",
    "inputBaselines": [],
    "indicesTensorName": "",
    "denseShapeTensorName": "",
    "indexFeatureMapping": [],
    "encodedTensorName": "",
    "encodedBaselines": [],
    "groupName": "",
    "weightValuesName": "",
    "featureValueDomain": {
        "minValue": 0.0, "maxValue": 0.0, "originalMean": 0.0, "originalStddev": 0.0,
    },
    "visualization": {
        "type": "TYPE_UNSPECIFIED",
        "polarity": "POLARITY_UNSPECIFIED",
        "colorMap": "COLOR_MAP_UNSPECIFIED",
        "clipPercentUpperbound": 0.0,
        "clipPercentLowerbound": 0.0,
        "overlayType": "OVERLAY_TYPE_UNSPECIFIED",
    },
}  # fmt: skip
OUTPUT = {
    "outputTensorName": "p:0", "indexDisplayNameMapping": [], "displayNameMappingKey": "",
}  # fmt: skip
METADATA = {
    "inputs": {"x": SPELLED_OUT},
    "outputs": {"p": OUTPUT},
    "featureAttributionsSchemaUri": "",
    "latentSpaceSource": "",
}
STEPS: dict[str, Any] = {"integratedGradientsAttribution": {"stepCount": 20}}
SPEC = {"metadata": METADATA, "parameters": {**STEPS, "topK": 0, "outputIndices": []}}
PLAIN = {"inputs": {"x": {"inputTensorName": "x:0"}}, "outputs": {"p": {"outputTensorName": "p:0"}}}


def said(document: object) -> list[str]:
    return [
        f"{it.code} {it.path}: {it.text()}" for it in parse_metadata(json.dumps(document)).problems
    ]


def published(document: object, name: str = "vertex") -> bool:
    return bool(jsonschema.Draft202012Validator(published_schema(name)).is_valid(document))


def test_defaults_that_are_spelled_out_are_not_set() -> None:
    parsed = parse_metadata(json.dumps(SPEC))
    assert parsed.problems == () and published(SPEC)
    assert parsed.metadata is not None and parsed.parameters is not None
    assert parsed.parameters.top_k is None and parsed.parameters.output_indices is None
    (feature,) = parsed.metadata.inputs
    assert feature.visualization is None and feature.input_baselines == ()
    assert feature.domain is not None and feature.domain.range == (0.0, 1.0)
    written = dump_metadata(parsed.metadata)
    assert written["outputs"] == {"p": {"outputTensorName": "p:0"}}


def test_the_settings_of_a_picture_that_are_all_defaults_are_as_if_nobody_wrote_them() -> None:
    image = {"x": {**SPELLED_OUT, "modality": "image"}}
    parsed = parse_metadata(json.dumps({**SPEC, "metadata": {**METADATA, "inputs": image}}))
    assert parsed.problems == () and parsed.metadata is not None
    visualization = parsed.metadata.inputs[0].visualization
    assert visualization is not None
    assert visualization.clip_below_percentile is None and visualization.polarity is None


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [(0.0, 99.0, (0.0, 99.0)), (0, None, (0, None)), (50, 0.0, (50, None)), (0.0, 0, (None, None))],
)
def test_a_lower_clip_of_0_says_something_unless_the_upper_one_is_0(
    lower: float, upper: float | None, expected: tuple[Any, Any]
) -> None:
    clips = {"clipPercentLowerbound": lower, "clipPercentUpperbound": upper}
    drawn = {key: value for key, value in clips.items() if value is not None}
    document = {**PLAIN, "inputs": {"x": {"modality": "image", "visualization": drawn}}}
    parsed = parse_metadata(json.dumps(document))
    assert parsed.problems == () and parsed.metadata is not None
    found = parsed.metadata.inputs[0].visualization
    assert found is not None
    assert (found.clip_below_percentile, found.clip_above_percentile) == expected


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"integratedGradientsAttribution": {"stepCount": 0}},
            "MD011 parameters.integratedGradientsAttribution: has no 'stepCount' (0 means that it "
            "is not set), which is required; 50 is a good value to start",
        ),
        (
            {"sampled_shapley_attribution": {"path_count": 0.0}},
            "MD011 parameters.sampled_shapley_attribution: has no 'pathCount' (0.0 means that it "
            "is not set), which is required; 50 is a good value to start",
        ),
        ({**STEPS, "topK": False}, "MD012 parameters.topK: must be an integer, not false"),
        ({**STEPS, "topK": ""}, "MD012 parameters.topK: must be an integer, not the string ''"),
    ],
)
def test_what_is_required_has_to_be_set(parameters: dict[str, Any], message: str) -> None:
    document = {"metadata": PLAIN, "parameters": parameters}
    assert said(document) == [message]
    assert not published(document)


def test_a_required_name_of_ai_platform_is_not_empty() -> None:
    document = {
        "inputs": {"x": {"input_tensor_name": "", "modality": ""}},
        "outputs": {"p": {"output_tensor_name": "p:0"}},
        "framework": "tensorflow",
    }
    assert said(document) == [
        "MD011 inputs.x: has no 'input_tensor_name' (\"\" means that it is not set), which is "
        "required"
    ]
    assert not published(document, "ai-platform")
    document["inputs"]["x"]["input_tensor_name"] = "x:0"  # type: ignore[index]
    assert said(document) == [] and published(document, "ai-platform")


def test_0_stays_what_it_is_where_it_says_something() -> None:
    parsed = parse_metadata(
        json.dumps(
            {
                "metadata": {
                    "inputs": {"x": {"inputBaselines": [0, {"random": {"seed": 0}}]}},
                    "outputs": {"p": {}},
                },
                "parameters": {
                    "integratedGradientsAttribution": {
                        "stepCount": 5,
                        "smoothGradConfig": {"noiseSigma": 0, "noisySampleCount": 0},
                    },
                    "outputIndices": [0],
                },
            }
        )
    )
    assert parsed.problems == () and parsed.metadata is not None and parsed.parameters is not None
    assert len(parsed.metadata.inputs[0].input_baselines) == 2
    assert parsed.parameters.output_indices == ((0,),)
    assert parsed.parameters.method.smooth_grad == SmoothGrad(noise_sigma=0.0)  # type: ignore[union-attr]


@pytest.mark.parametrize("word", ["TYPE_UNSPECIFIED", "POLARITY_UNSPECIFIED"])
def test_an_unspecified_word_tells_vertex_and_belongs_to_its_field(word: str) -> None:
    picture = {"input_tensor_name": "x", "modality": "image", "visualization": {"type": word}}
    document = {"inputs": {"x": picture}, "outputs": {"p": {"output_tensor_name": "p"}}}
    clean = word == "TYPE_UNSPECIFIED"
    assert [it[:5] for it in said(document)] == ([] if clean else ["MD013"])
    assert published(document) is clean


MODEL = {
    "name": "projects/1/locations/us/models/9",
    "displayName": "m",
    "containerSpec": {"imageUri": "gcr.io/x"},
    "explanationSpec": {"metadata": PLAIN, "parameters": {"sampledShapleyAttribution": {"pathCount": 9}}},
}  # fmt: skip
WRAPPED = {
    "explanation_metadata": {
        "inputs": {"x": {"input_tensor_name": "x:0"}},
        "outputs": {"p": {"output_tensor_name": "p:0"}},
    },
    "explanation_parameters": {"sampled_shapley_attribution": {"path_count": 9}},
}


@pytest.mark.parametrize("document", [MODEL, WRAPPED, {"explanation_spec": WRAPPED}])
def test_what_describes_a_model_is_read_for_its_explanation(document: Any) -> None:
    parsed = parse_metadata(json.dumps(document))
    assert parsed.problems == () and published(document)
    assert parsed.metadata is not None and parsed.parameters is not None
    assert parsed.metadata.dialect is Dialect.VERTEX
    assert parsed.metadata.inputs[0].tensor_name == "x:0"
    alone, problems = parse_parameters(json.dumps(document))
    assert problems == () and alone == parsed.parameters
    assert alone is not None and alone.method.path_count == 9  # type: ignore[union-attr]
    converted = convert_metadata(json.dumps(document))
    assert converted.document["inputs"]["x"]["input_tensor_name"] == "x:0"


def test_a_fault_in_a_model_is_located_in_its_text(tmp_path: Path, samples: Path) -> None:
    folder = Path(shutil.copytree(samples / "diabetes/model", tmp_path / "model"))
    file = folder / "model.json"
    file.write_text(json.dumps(MODEL, indent=1))
    found = [it for it in lint(file).problems if it.code == "MD102"]
    places = {it.path: it.line for it in found}
    lines = file.read_text().splitlines()
    where = "explanationSpec.metadata.inputs.x.inputTensorName"
    assert '"inputTensorName": "x:0"' in lines[(places[where] or 0) - 1]
    empty = {**MODEL, "explanationSpec": {"metadata": {"inputs": {"x": {}}}}}
    file.write_text(json.dumps(empty))
    assert [it.path for it in lint(file).problems if it.code == "MD011"] == [
        "explanationSpec.metadata"
    ]


def test_the_latent_space_may_be_given_by_the_key_of_the_output() -> None:
    document = {**PLAIN, "latentSpaceSource": "p"}
    parsed = parse_metadata(json.dumps(document))
    assert parsed.metadata is not None
    assert parsed.metadata.latent_tensor_name == "p:0"
    other = parse_metadata(json.dumps({**document, "latentSpaceSource": "dense/Relu:0"}))
    assert other.metadata is not None
    assert other.metadata.latent_tensor_name == "dense/Relu:0"


def test_lime_is_chosen_in_a_document() -> None:
    chosen = {
        "numSamples": 30, "topLabels": 3, "minWeight": 0.0, "positiveOnly": False,
        "segmentationAlg": "SLIC",
    }  # fmt: skip
    made, problems = parse_parameters({"limeAttribution": chosen})
    assert problems == () and published({"limeAttribution": chosen}, "parameters")
    assert made is not None and made.top_k == 3 and isinstance(made.method, Lime)
    method = made.method
    assert (method.num_samples, method.top_labels, method.min_weight) == (30, 3, 0.0)
    assert not method.positive_only and method.segmentation_alg.value == "slic"
    other, _ = parse_parameters({"lime_attribution": {"top_labels": 3}, "outputIndices": [1]})
    assert other is not None and other.top_k is None and other.output_indices == ((1,),)
    wrong, problems = parse_parameters({"limeAttribution": {"numSample": 30, "topLabels": -1}})
    assert wrong is None and [it.code for it in problems] == ["MD010", "MD014"]


def test_class_names_that_occur_twice_are_a_warning() -> None:
    names = ["duck", "crane", "goose", "crane"]
    document = {
        **PLAIN,
        "outputs": {"p": {"outputTensorName": "p:0", "indexDisplayNameMapping": names}},
    }
    parsed = parse_metadata(json.dumps(document))
    assert parsed.metadata is not None and published(document)
    assert parsed.metadata.output.index_name_mapping == tuple(names)
    (problem,) = parsed.problems
    assert (problem.code, problem.severity.value) == ("MD031", "warning")
    assert problem.path == "outputs.p.indexDisplayNameMapping[3]"
