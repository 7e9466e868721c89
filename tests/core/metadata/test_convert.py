"""From one dialect to the other and back: the same metadata, and a word for each thing that is lost."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from drawn_specs import documents
from hypothesis import given, settings

from pellucid.errors import SpecError
from pellucid.metadata.documents.convert import Converted, convert_metadata
from pellucid.metadata.documents.parse import parse_metadata
from pellucid.metadata.documents.serialize import dump_metadata
from pellucid.metadata.published_schemas import schema
from pellucid.metadata.spec import Dialect, ExplanationMetadata, FileBaseline
from pellucid.problems import Severity
from places import SAMPLES


def text_of(metadata: ExplanationMetadata) -> str:
    return json.dumps(dump_metadata(metadata))


def kept(metadata: ExplanationMetadata) -> ExplanationMetadata:
    """What both dialects can say: a tensor that Vertex leaves out is that of the key."""
    output = metadata.output
    return replace(
        metadata,
        inputs=tuple(
            replace(
                it,
                tensor_name=it.tensor_name or it.name,
                input_baselines=tuple(map(normal, it.input_baselines)),
                encoded_baselines=tuple(map(normal, it.encoded_baselines)),
            )
            for it in metadata.inputs
        ),
        output=replace(output, tensor_name=output.tensor_name or output.name),
        others=(),
        signature_key=None,
        tags=None,
        latent_space_source=None,
    )


def normal(baseline: Any) -> Any:
    """The same file by its shortest path."""
    if isinstance(baseline, FileBaseline):
        return FileBaseline(os.path.normpath(baseline.path))
    return baseline


# To draw a document takes most of the time: each is checked for all that is asked of conversion.
@given(documents())
@settings(max_examples=300, deadline=None)
def test_whatever_is_converted(metadata: ExplanationMetadata) -> None:
    there = convert_metadata(text_of(metadata))
    comes_back_the_same(metadata, there)
    is_valid_and_means_the_same(metadata, there)
    says_each_thing_that_is_lost(metadata, there)


def comes_back_the_same(metadata: ExplanationMetadata, there: Converted) -> None:
    assert there.dialect is not metadata.dialect
    back = convert_metadata(json.dumps(there.document))
    assert back.dialect is metadata.dialect
    assert kept(back.metadata) == kept(metadata)
    assert back.lost == ()


def is_valid_and_means_the_same(metadata: ExplanationMetadata, there: Converted) -> None:
    jsonschema.Draft202012Validator(schema(there.dialect)).validate(there.document)
    parsed = parse_metadata(json.dumps(there.document))
    assert [it for it in parsed.problems if it.severity is Severity.ERROR] == []
    assert parsed.metadata is not None
    framework = "tensorflow" if there.dialect is Dialect.AI_PLATFORM else None
    assert kept(parsed.metadata) == kept(
        replace(metadata, dialect=there.dialect, framework=framework)
    )


def says_each_thing_that_is_lost(metadata: ExplanationMetadata, there: Converted) -> None:
    said = {notice.where.path for notice in there.lost}
    expected = {
        "outputs": metadata.others or None,
        "serving_sigdef_key": metadata.signature_key,
        "tags": metadata.tags,
        "latentSpaceSource": metadata.latent_space_source,
    }
    assert said == {key for key, value in expected.items() if value is not None}


EVERYTHING = {
    "inputs": {
        "x": {
            "input_tensor_name": "x:0",
            "input_tensor_dtype": "DT_FLOAT",
            "is_sequential": True,
            "gradient_tensor_names": ["g:0"],
            "input_tensor_type": "numeric",
        }
    },
    "outputs": {"p": {"output_tensor_name": "p:0", "output_tensor_dtype": "DT_FLOAT"}},
    "Framework": "TensorFlow2",
    "embeddings": {},
    "sigdef_inputs": {},
    "serving_sigdef_key": "predict",
    "preparer_version": "1.2.3",
    "tags": ["serve", "gpu"],
}


def test_what_vertex_has_no_words_for() -> None:
    converted = convert_metadata(json.dumps(EVERYTHING))
    assert converted.document == {
        "inputs": {"x": {"inputTensorName": "x:0", "encoding": "IDENTITY"}},
        "outputs": {"p": {"outputTensorName": "p:0"}},
    }
    assert tuple(map(str, converted.lost)) == (
        "serving_sigdef_key: Vertex metadata name no signature; pass signature='predict'",
        "tags: Vertex metadata name no graph; pass tags=('serve', 'gpu')",
        "embeddings: has no counterpart; it was never used",
        "sigdef_inputs: has no counterpart; it was never used",
        "preparer_version: has no counterpart; it only says which program wrote the file",
        "inputs.x.input_tensor_dtype: has no counterpart; the type is read from the model",
        "inputs.x.is_sequential: has no counterpart; it was never used",
        "inputs.x.gradient_tensor_names: has no counterpart; it was never used",
        "inputs.x.input_tensor_type: has no counterpart; it has no effect",
        "outputs.p.output_tensor_dtype: has no counterpart; the type is read from the model",
    )
    assert [it.code for it in converted.problems] == ["MD016", "MD017"]


def test_what_ai_platform_has_no_words_for() -> None:
    spec = {
        "parameters": {"xraiAttribution": {"stepCount": 25}},
        "metadata": {
            "inputs": {"image": {"modality": "image", "visualization": {"type": "PIXELS"}}},
            "outputs": {"p": {"indexDisplayNameMapping": [["a"], ["b"]]}},
            "featureAttributionsSchemaUri": "gs://bucket/schema.yaml",
            "latentSpaceSource": "embedding",
        },
    }
    converted = convert_metadata(json.dumps(spec))
    assert converted.document == {
        "inputs": {
            "image": {
                "input_tensor_name": "image",
                "encoding": "identity",
                "modality": "image",
                "visualization": {"type": "pixels"},
            }
        },
        "outputs": {"p": {"output_tensor_name": "p", "index_name_mapping": [["a"], ["b"]]}},
        "framework": "tensorflow",
    }
    assert tuple(map(str, converted.lost)) == (
        "latentSpaceSource: AI Platform had no explanations by examples",
        "parameters: AI Platform's metadata choose no method (xrai); keep this file and pass it as "
        "spec=…",
        "featureAttributionsSchemaUri: has no counterpart; it only says where the service wrote",
    )


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/model")), ids=lambda it: it.parent.name)
def test_the_metadata_of_every_sample_come_back(path: Path) -> None:
    text = (path / "explanation_metadata.json").read_text("utf-8")
    there = convert_metadata(text)
    assert there.lost == ()
    back = convert_metadata(json.dumps(there.document))
    assert back.metadata == parse_metadata(text).metadata


def test_a_baseline_file_stays_the_same_file(tmp_path: Path) -> None:
    source = tmp_path / "in" / "m.json"
    feature = {"input_tensor_name": "x:0", "input_baselines": [{"file": "grey.npy"}]}
    document = {**EVERYTHING, "inputs": {"x": feature}}
    converted = convert_metadata(
        json.dumps(document), file=str(source), directory=tmp_path / "out" / "deep"
    )
    (baseline,) = converted.document["inputs"]["x"]["inputBaselines"]
    assert baseline == {"file": "../../in/grey.npy"}
    # To stdout, it is relative to where the source lies, as it was.
    converted = convert_metadata(json.dumps(document), file=str(source))
    assert converted.document["inputs"]["x"]["inputBaselines"] == [{"file": "grey.npy"}]


@pytest.mark.parametrize(
    ("document", "to", "sentence"),
    [
        (
            EVERYTHING,
            Dialect.AI_PLATFORM,
            "m.json: is written for ai-platform already; choose to='vertex'",
        ),
        (
            {"parameters": {"sampledShapleyAttribution": {"pathCount": 5}}},
            None,
            "m.json: holds parameters and no metadata, so there is nothing to convert",
        ),
        (
            {**EVERYTHING, "outputs": {}},
            None,
            "m.json:1:183: outputs: has no output; add the one to explain [MD023 one-output]",
        ),
    ],
)
def test_what_cannot_be_converted(document: Any, to: Dialect | None, sentence: str) -> None:
    with pytest.raises(SpecError) as stop:
        convert_metadata(json.dumps(document), to, file="m.json")
    assert str(stop.value) == sentence
