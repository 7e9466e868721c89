"""A server of a model with an index: neighbours over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Running, serving

import pellucid
from places import SAMPLES

WINES = json.loads((SAMPLES / "wine/instances.json").read_text())["instances"]
VERTEX = "/v1/projects/p/locations/europe-west4/endpoints/wine:explain"


@pytest.fixture(scope="module")
def cellar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    index = tmp_path_factory.mktemp("index") / "wines.npz"
    directory = SAMPLES / "wine/model"
    pellucid.load(directory).index(SAMPLES / "wine/examples.csv", index)

    def load(path: Path) -> pellucid.LoadedModel:
        return pellucid.load(path, method="examples", index=index, neighbors=3)

    with serving(f"wine={directory}", load=load) as running:
        yield running, index


def test_neighbours_are_those_of_the_library(cellar: tuple[Running, Path]) -> None:
    running, index = cellar
    model = pellucid.load(SAMPLES / "wine/model", method="examples", index=index, neighbors=3)
    expected = [[it.id for it in one.neighbors or ()] for one in model.explain(WINES)]
    for path in ("/v1/models/wine:explain", VERTEX):
        answer = running.ask("POST", path, {"instances": WINES})
        assert answer.status == 200, answer.data
        found = [one["neighbors"] for one in answer.json["explanations"]]
        assert [[it["neighborId"] for it in row] for row in found] == expected


def test_a_request_as_the_service_documented_it(cellar: tuple[Running, Path]) -> None:
    """With ids beside the inputs, and an override."""
    running, _ = cellar
    beside = {"id": "7", "restricts": "", "crowding_tag": ""}
    body: dict[str, Any] = {
        "instances": [{**wine, **beside} for wine in WINES],
        "explanation_spec_override": {"examples_override": {"neighbor_count": 1}},
    }
    answer = running.ask("POST", VERTEX, body)
    assert answer.status == 200, answer.data
    assert [len(one["neighbors"]) for one in answer.json["explanations"]] == [1, 1, 1]
    assert len(answer.json["predictions"]) == 3


def test_no_request_may_have_all_the_examples_there_are(cellar: tuple[Running, Path]) -> None:
    running, _ = cellar
    override = {"explanationSpecOverride": {"examplesOverride": {"neighborCount": 10_001}}}
    answer = running.ask("POST", VERTEX, {"instances": WINES, **override})
    assert answer.status == 413
    assert b"ask for 10,001 neighbours of each instance; at most 10,000" in answer.data
