"""``examples`` of a specification, and what a request may choose from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pellucid.errors import SpecError
from pellucid.metadata.documents.files import read_parameters_file
from pellucid.metadata.documents.overrides import overridden
from pellucid.metadata.documents.parameters import parse_parameters
from pellucid.metadata.example_spec import (
    Distance,
    ExampleModality,
    Examples,
    Normalization,
    Query,
    Restriction,
)
from pellucid.metadata.parameters import ExplanationParameters, SampledShapley
from pellucid.metadata.spec import Dialect, ExplanationMetadata, InputSpec, OutputSpec


def read(examples: dict[str, Any]) -> tuple[Any, list[str]]:
    made, problems = parse_parameters({"examples": examples})
    said = [f"{p.code} {p.path}: {p.text()}" for p in problems]
    return made.method if made else None, said


def test_a_preset() -> None:
    made, problems = read(
        {"neighborCount": 5, "presets": {"modality": "IMAGE", "query": "FAST"}}
    )  # fmt: skip
    assert problems == []
    assert made == Examples(neighbor_count=5, modality=ExampleModality.IMAGE, query=Query.FAST)
    assert read({"presets": {"modality": " image ".strip()}})[0].query is None
    assert read({"presets": {"modality": "MODALITY_UNSPECIFIED"}})[0].modality is None


def test_snake_case_and_lower_case_are_read_too() -> None:
    """As in the service's own samples: ``"modality": "image"`` and snake_case."""
    made, problems = read({"neighbor_count": 3, "presets": {"modality": "text", "query": "fast"}})
    assert (made.neighbor_count, made.modality, made.query) == (3, ExampleModality.TEXT, Query.FAST)
    assert problems == []


CONFIG = {
    "dimensions": 50,
    "approximateNeighborsCount": 20,
    "distanceMeasureType": "SQUARED_L2_DISTANCE",
    "featureNormType": "UNIT_L2_NORM",
    "shardSize": "SHARD_SIZE_SMALL",
    "algorithmConfig": {
        "treeAhConfig": {"leafNodeEmbeddingCount": 1000, "fractionLeafNodesToSearch": 1.0}
    },
}


def test_the_full_configuration() -> None:
    made, problems = read(
        {"nearestNeighborSearchConfig": {"contentsDeltaUri": "", "config": CONFIG}}
    )
    assert problems == []
    assert made == Examples(
        distance=Distance.SQUARED_L2,
        normalization=Normalization.UNIT_L2_NORM,
        query=Query.FAST,
        candidates=20,
        dimensions=50,
    )
    brute, _ = read(
        {"nearestNeighborSearchConfig": {"config": {"algorithmConfig": {"bruteForceConfig": {}}}}}
    )
    # "DOT_PRODUCT_DISTANCE: Default value." "NONE: Default value."
    assert brute == Examples(
        distance=Distance.DOT_PRODUCT, normalization=Normalization.NONE, query=Query.PRECISE
    )


@pytest.mark.parametrize(
    "source",
    [
        {"exampleGcsSource": {"dataFormat": "JSONL", "gcsSource": {"uris": ["a.jsonl"]}}},
        {"gcsSource": {"uris": ["a.jsonl"]}},
        {"gcs_source": {"uris": ["a.jsonl"]}},
    ],
)
def test_the_source_in_either_place(source: dict[str, Any]) -> None:
    assert read(source) == (Examples(sources=("a.jsonl",)), [])


def test_sources_are_relative_to_their_document(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(
        '{"parameters": {"examples": {"gcsSource": '
        '{"uris": ["a.jsonl", "/b.jsonl", "file:///c.jsonl", "gs://d/e"]}}}}'
    )
    made = read_parameters_file(path, print)
    assert made is not None and isinstance(made.method, Examples)
    assert made.method.sources == (str(tmp_path / "a.jsonl"), "/b.jsonl", "/c.jsonl", "gs://d/e")


@pytest.mark.parametrize(
    ("examples", "problem"),
    [
        ({"presets": {}, "nearestNeighborSearchConfig": {}}, "MD063 examples: has both 'presets'"),
        (
            {"gcsSource": {}, "exampleGcsSource": {"gcsSource": {}}},
            "MD063 examples: has both 'exampleGcsSource' and 'gcsSource'; keep one",
        ),
        ({"neighborCount": -1}, "MD014 examples.neighborCount: -1 is out of range, must be 1"),
        ({"presets": {"modality": "SOUND"}}, "MD013 examples.presets.modality: 'SOUND' is not"),
        ({"presets": {"query": "QUICK"}}, "MD013 examples.presets.query: 'QUICK' is not known"),
        (
            {"nearestNeighborSearchConfig": {"config": {"distanceMeasureType": "L2"}}},
            "MD013 examples.nearestNeighborSearchConfig.config.distanceMeasureType: 'L2' is not",
        ),
        (
            {
                "nearestNeighborSearchConfig": {
                    "config": {"algorithmConfig": {"treeAhConfig": {}, "bruteForceConfig": {}}}
                }
            },
            "MD063 examples.nearestNeighborSearchConfig.config.algorithmConfig: has both "
            "'treeAhConfig' and 'bruteForceConfig'; keep one",
        ),
    ],
)
def test_what_is_wrong_is_said(examples: dict[str, Any], problem: str) -> None:
    made, (said,) = read(examples)
    assert made is None
    assert said.startswith(problem)


METADATA = ExplanationMetadata(
    dialect=Dialect.VERTEX,
    inputs=(InputSpec(name="x", tensor_name="x"),),
    output=OutputSpec(name="y", tensor_name="y"),
)
INDEXED = Examples(index="i.npz", distance=Distance.L1, sources=("a.jsonl",))


def override(value: Any, method: Any = INDEXED) -> Any:
    parameters = ExplanationParameters(method=method)
    _, made = overridden(METADATA, parameters, {"explanation_spec_override": value})
    return made.method


def test_a_request_chooses_among_the_examples() -> None:
    """The example of the service's documentation."""
    made = override(
        {
            "examples_override": {
                "neighbor_count": 5,
                "crowding_count": 2,
                "restrictions": [
                    {"namespace_name": "label", "allow": ["Papilloma", "TBE"], "deny": ["Ebola"]}
                ],
            }
        }
    )
    assert made == Examples(
        index="i.npz",
        distance=Distance.L1,
        sources=("a.jsonl",),
        neighbor_count=5,
        crowding_count=2,
        restrictions=(
            Restriction(
                namespace="label",
                allow=frozenset(["Papilloma", "TBE"]),
                deny=frozenset(["Ebola"]),
            ),
        ),
    )
    assert override({"parameters": {"examples": {"neighborCount": 4}}}) == Examples(
        index="i.npz", distance=Distance.L1, sources=("a.jsonl",), neighbor_count=4
    )


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"neighborCount": -1}, r"examplesOverride\.neighborCount: -1 is out of range"),
        ({"neighbours": 3}, r"examplesOverride\.neighbours: is not a known key; did you mean"),
        ({"returnEmbeddings": True}, "embeddings are neither taken in nor returned"),
        ({"dataFormat": "EMBEDDINGS"}, "embeddings are neither taken in nor returned"),
        ([], "must be an object, not a list"),
    ],
)
def test_an_override_that_cannot_be_is_refused(value: Any, sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        override({"examplesOverride": value})


def test_only_examples_are_overridden_so() -> None:
    with pytest.raises(SpecError, match="the method is sampled-shapley, which has no examples"):
        override({"examplesOverride": {"neighborCount": 1}}, SampledShapley())
