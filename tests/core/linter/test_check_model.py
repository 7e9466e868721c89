"""A document against a real model: the exact text of what does not fit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pellucid.errors import SpecError
from pellucid.linter.check_model import check
from pellucid.linter.infer import infer_metadata
from pellucid.linter.lint_model import keep, lint
from pellucid.metadata.documents.document import locate
from pellucid.metadata.documents.parse import parse_metadata
from pellucid.metadata.spec import Modality
from pellucid.problems import Problem, Severity
from pellucid.saved_model.reader import Signature, TensorInfo, read
from places import ROOT

SAMPLES = ROOT / "sample_models"
STRANGERS = ROOT.parent / "shared" / "models"


def problems(model: str, document: dict[str, Any]) -> tuple[Problem, ...]:
    text = json.dumps(document, indent=2)
    parsed = parse_metadata(text)
    assert parsed.problems == ()
    assert parsed.metadata is not None
    found, _ = check(parsed.metadata, read(SAMPLES / model / "model"), parameters=parsed.parameters)
    return locate(found, text)


def said(model: str, document: dict[str, Any]) -> list[str]:
    return [f"{it.code} {it.path}: {it.text()}" for it in problems(model, document)]


def digits(feature: object = None, output: object = None, **top: object) -> dict[str, Any]:
    return {
        "inputs": {"image": {"input_tensor_name": "image", **(feature or {})}},  # type: ignore[dict-item]
        "outputs": {"digit": {"output_tensor_name": "output_0", **(output or {})}},  # type: ignore[dict-item]
        "framework": "tensorflow",
        **top,
    }


def prose(**parameters: object) -> dict[str, Any]:
    return {
        "parameters": parameters,
        "metadata": {
            "inputs": {"tokens": {"inputTensorName": "tokens", "modality": "text"}},
            "outputs": {"p": {"outputTensorName": "probabilities"}},
        },
    }


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/model")), ids=lambda it: it.parent.name)
def test_every_sample_model_is_without_a_fault(path: Path) -> None:
    found = lint(path)
    assert found.problems == ()
    assert found.resolutions


def test_how_names_were_resolved() -> None:
    parsed = parse_metadata(json.dumps(digits()))
    assert parsed.metadata is not None
    _, resolutions = check(parsed.metadata, read(SAMPLES / "digits" / "model"))
    assert [(it.path, it.resolved.how, it.info.shape) for it in resolutions] == [
        (
            "inputs.image.input_tensor_name",
            "signature input 'image' (serving_default_image:0)",
            (None, 28, 28),
        ),
        (
            "outputs.digit.output_tensor_name",
            "signature output 'output_0' (StatefulPartitionedCall_1:0)",
            (None, 10),
        ),
    ]


NAMES = [str(digit) for digit in range(10)]


@pytest.mark.parametrize(
    ("feature", "output", "messages"),
    [
        ({"modality": "image"}, {"index_name_mapping": NAMES}, []),
        ({"input_baselines": [0, [[0.5] * 28] * 28]}, None, []),
        ({"input_baselines": [[[[0.5] * 28] * 28]]}, None, []),
        (
            {"input_tensor_name": "imgae"},
            None,
            [
                "MD102 inputs.image.input_tensor_name: 'imgae' is not a tensor of the model; "
                "did you mean 'image'?"
            ],
        ),
        (
            {"input_baselines": [[0] * 28]},
            None,
            [
                "MD105 inputs.image.input_baselines[0]: has shape [28] and "
                "'serving_default_image:0' is [?, 28, 28]; write that shape without or with the "
                "batch axis, or one number"
            ],
        ),
        (
            {"input_baselines": [0, [[0] * 27] * 28]},
            None,
            [
                "MD105 inputs.image.input_baselines[1]: has shape [28, 27] and "
                "'serving_default_image:0' is [?, 28, 28]; write that shape without or with the "
                "batch axis, or one number"
            ],
        ),
        (
            {"modality": "text", "input_baselines": ["a"]},
            None,
            [
                "MD111 inputs.image.input_baselines[0]: is text and 'serving_default_image:0' "
                "is float32"
            ],
        ),
        (
            {"encoding": "bag_of_features", "index_feature_mapping": ["a", "b"]},
            None,
            [
                "MD106 inputs.image.index_feature_mapping: has 2 names, the last axis of "
                "'serving_default_image:0' has 28"
            ],
        ),
        (
            None,
            {"index_name_mapping": NAMES[:9]},
            [
                "MD107 outputs.digit.index_name_mapping: has shape [9], one instance of "
                "'StatefulPartitionedCall_1:0' is [10]; write a name for each index"
            ],
        ),
        (
            None,
            {"index_name_mapping_key": "output_1"},
            [
                "MD109 outputs.digit.index_name_mapping_key: 'output_1' is not an output of "
                "'serving_default'; did you mean 'output_0'?"
            ],
        ),
    ],
)
def test_what_does_not_fit(
    feature: dict[str, Any] | None, output: dict[str, Any] | None, messages: list[str]
) -> None:
    assert said("digits", digits(feature, output)) == messages


def test_a_baseline_file_that_does_not_exist(tmp_path: Path) -> None:
    text = json.dumps(digits({"input_baselines": [{"file": "grey.npy"}]}))
    parsed = parse_metadata(text, file=str(tmp_path / "explanation_metadata.json"))
    assert parsed.metadata is not None
    model = read(SAMPLES / "digits" / "model")
    (problem,), _ = check(parsed.metadata, model)
    assert problem.code == "MD110"
    assert problem.message == f"the file '{tmp_path}/grey.npy' does not exist"
    (tmp_path / "grey.npy").touch()
    assert check(parsed.metadata, model)[0] == ()


def test_signatures_and_tags_that_do_not_exist() -> None:
    assert said("digits", digits(serving_sigdef_key="servin_default")) == [
        "MD101 serving_sigdef_key: signature 'servin_default' does not exist; the model has "
        "'serve', 'serving_default'; did you mean 'serving_default'?"
    ]
    parsed = parse_metadata(json.dumps(digits()))
    assert parsed.metadata is not None
    (problem,), _ = check(parsed.metadata, read(SAMPLES / "digits" / "model"), None, ["gpu"])
    # One graph that is not the one asked for is no answer.
    assert problem.text() == "has no graph tagged 'gpu'; choose a tag set that exists: 'serve'"


def test_gradients_need_floats() -> None:
    clause = (
        "metadata.inputs.tokens.inputTensorName: gradients need a float tensor and "
        "'xai_model_tokens:0' is string; in the metadata, to 'tokens' add "
        '"encoding": "CONCAT_EMBEDDING", "encodedTensorName": '
        '"StatefulPartitionedCall_1/StatefulPartitionedCall/Gather:0", or explain with '
        "method='sampled-shapley'"
    )
    spec = prose(integratedGradientsAttribution={"stepCount": 5})
    (problem,) = problems("code_or_prose", spec)
    assert (problem.severity, problem.said()) == (Severity.ERROR, clause)
    assert said("code_or_prose", prose(sampledShapleyAttribution={"pathCount": 5})) == []
    (problem,) = problems("code_or_prose", spec["metadata"])
    assert problem.severity is Severity.WARNING
    assert problem.path == "inputs.tokens.inputTensorName"


def test_problems_of_an_explanation_spec_are_located_in_its_metadata() -> None:
    (problem,) = problems("code_or_prose", prose(integratedGradientsAttribution={"stepCount": 5}))
    # "inputTensorName" stands in line 10 of the document as json.dumps lays it out.
    assert (problem.line, problem.column) == (10, 28)


def test_preprocessing_gives_what_the_model_takes(tmp_path: Path) -> None:
    model = Path(shutil.copytree(SAMPLES / "code_or_prose" / "model", tmp_path / "model"))
    assert lint(model).problems == ()
    graph = read(model)
    signatures = graph.meta_graphs[0].message.signature_def
    signatures["xai_preprocess"].outputs["words"].name = "x:0"
    parsed = parse_metadata((model / "explanation_metadata.json").read_text())
    assert parsed.metadata is not None
    (problem,), _ = check(parsed.metadata, graph)
    assert str(problem) == (
        "xai_preprocess gives 'tokens', 'words' and xai_model takes 'tokens'; "
        "give them the same names [MD113 preprocess-outputs]"
    )


def test_an_image_has_the_rank_of_an_image() -> None:
    document = {
        "inputs": {"patient": {"input_tensor_name": "patient", "modality": "image"}},
        "outputs": {"p": {"output_tensor_name": "output_0"}},
        "framework": "tensorflow",
    }
    assert said("diabetes", document) == [
        "MD104 inputs.patient.modality: an image is [batch, height, width], "
        "[batch, height, width, 1 or 3] or [batch, 1 or 3, height, width] and "
        "'serving_default_patient:0' is [?, 10]"
    ]


def test_the_output_is_a_float() -> None:
    document = {
        "inputs": {"tokens": {"inputTensorName": "tokens"}},
        "outputs": {"p": {"outputTensorName": "tokens"}},
    }
    assert [it for it in said("code_or_prose", document) if it.startswith("MD108")] == [
        "MD108 outputs.p.outputTensorName: 'xai_model_tokens:0' is string, not a float score; "
        "explain 'probabilities'"
    ]


def signature(inputs: dict[str, TensorInfo], outputs: dict[str, TensorInfo]) -> Signature:
    return Signature(key="s", inputs=inputs, outputs=outputs, method_name="")


def info(dtype: str = "float32", *shape: int | None) -> TensorInfo:
    return TensorInfo(name="t:0", dtype=dtype, shape=(None, *shape))


@pytest.mark.parametrize(
    ("tensor", "modality"),
    [
        (info("float32", 4), Modality.NUMERIC),
        (info("float32", 28, 28), Modality.NUMERIC),
        (info("float32", 28, 28, 1), Modality.IMAGE),
        (info("float32", None, None, 3), Modality.IMAGE),
        (info("float32", 4, 28, 3), Modality.NUMERIC),
        (info("float32", 28, 28, 16), Modality.NUMERIC),
        (TensorInfo(name="t:0", dtype="float32", shape=None), Modality.NUMERIC),
        (info("uint8", 28, 28, 3), Modality.CATEGORICAL),
        (info("string"), Modality.CATEGORICAL),
    ],
)
def test_what_an_input_is_taken_for(tensor: TensorInfo, modality: Modality) -> None:
    metadata = infer_metadata(signature({"x": tensor}, {"y": info()}))
    assert [(it.name, it.tensor_name, it.modality) for it in metadata.inputs] == [
        ("x", "x", modality)
    ]


def test_which_output_is_taken() -> None:
    one, several = {"a": info("int64")}, {"a": info(), "b": info(), "c": info("string")}
    assert infer_metadata(signature({"x": info()}, one)).output.name == "a"
    mixed = {"a": info("int64"), "b": info()}
    assert infer_metadata(signature({"x": info()}, mixed)).output.name == "b"
    assert infer_metadata(signature({"x": info()}, several), "b").output.name == "b"
    with pytest.raises(SpecError) as caught:
        infer_metadata(signature({"x": info()}, several))
    assert str(caught.value) == (
        "signature 's' has several outputs; choose one of 'a', 'b', 'c' with output=…"
    )
    with pytest.raises(SpecError) as caught:
        infer_metadata(signature({"x": info()}, {"alpha": info()}), "alfa")
    assert (
        str(caught.value) == "output 'alfa' does not exist; 's' has 'alpha'; did you mean 'alpha'?"
    )
    with pytest.raises(SpecError, match="has no inputs"):
        infer_metadata(signature({}, several))


@pytest.mark.skipif(not STRANGERS.is_dir(), reason="no models of strangers here")
def test_models_of_strangers_without_metadata() -> None:
    codes = {
        it.name: [p.code for p in lint(it / "model").problems]
        for it in STRANGERS.iterdir()
        if it.is_dir()
    }
    assert codes == {
        "babyweight_bucketized": [],
        "dotnet_cifar": [],
        "heating_cooling_2out": ["MD112"],
        "iris_tf1_estimator": [],
        "mlperf_tiny_kws": [],
        "neg_empty_pb": ["MD100"],
        "neg_lfs_pointer": ["MD100"],
        "neg_missing_op_forest": ["MD103", "MD123", "MD123", "MD123"],
        "neg_missing_op_zeroout": ["MD103", "MD108", "MD123"],
        "neg_truncated_pb": ["MD100"],
        "neg_truncated_vars": ["MD100"],
        "scisharp_mnist_mlp": [],
    }
    (problem,) = lint(STRANGERS / "heating_cooling_2out" / "model").problems
    assert problem.text() == (
        "signature 'serving_default' has several outputs; choose one of 'cooling_load', "
        "'heating_load' with draft_metadata(output=…)"
    )


def test_rules_are_selected_by_code_beginning_or_name() -> None:
    found = [
        Problem(message="", code="MD031", rule="duplicate-name"),
        Problem(message="", code="MD102", rule="unknown-tensor"),
    ]
    assert [it.code for it in keep(found)] == ["MD031", "MD102"]
    assert [it.code for it in keep(found, select=["MD1"])] == ["MD102"]
    assert [it.code for it in keep(found, ignore=["unknown-tensor"])] == ["MD031"]
    assert keep(found, select=["MD0"], ignore=["MD031"]) == ()


def test_the_source_of_the_latent_space_is_a_tensor() -> None:
    """Example-based explanations: "name of the source to generate embeddings"."""
    document = prose(examples={"presets": {"modality": "TEXT"}})
    assert said("code_or_prose", document) == []
    document["metadata"]["latentSpaceSource"] = "probabilities"
    assert said("code_or_prose", document) == []
    document["metadata"]["latentSpaceSource"] = "probabilites"
    (problem,) = said("code_or_prose", document)
    assert problem.startswith(
        "MD102 metadata.latentSpaceSource: 'probabilites' is not a tensor of the model; did you mean "
        "'probabilities'"
    )
