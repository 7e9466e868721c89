"""The OpenAPI document: it is one, and what it says is true of the server (schemathesis)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from serving import Running, serving

from pellucid.serve.container import ContainerRoutes
from pellucid.serve.limits import Limits
from pellucid.serve.server import ServerSettings
from places import SAMPLES
from venvs import environment_with

WINES = json.loads((SAMPLES / "wine" / "instances.json").read_text())
TENSORS = {
    "inputs": [
        {"name": name, "shape": [1, 1], "datatype": "FP32", "data": [value]}
        for name, value in WINES["instances"][0].items()
    ]
}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serving(f"wine={SAMPLES / 'wine' / 'model'}") as running:
        yield running


@pytest.fixture(scope="module")
def document(running: Running) -> Any:
    return running.get("/openapi.json").json


def request_schema(document: Any, path: str) -> Any:
    content = document["paths"][path]["post"]["requestBody"]["content"]
    return content["application/json"]["schema"]


def test_it_lists_every_path_that_answers(running: Running, document: Any) -> None:
    assert document["openapi"] == "3.1.0"
    for path, item in document["paths"].items():
        place = path.replace("{project}", "p").replace("{location}", "l")
        if "get" in item:
            assert running.get(place).status == 200, path
        else:
            body = TENSORS if path.startswith("/v2/") else WINES
            assert running.post(place, body).status == 200, path
    # Of V2, three of the server and four of a model, which has one version; and its metadata.
    assert len(document["paths"]) == 4 + 3 * 6 + 3 + 2 * 5


def test_tensors_are_described_as_the_model_takes_them(running: Running, document: Any) -> None:
    schema = request_schema(document, "/v2/models/wine/infer")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(TENSORS, schema)
    first, *others = TENSORS["inputs"]
    for wrong in (
        {},
        {"inputs": others},
        {"inputs": [{**first, "name": "much"}, *others]},
        {"inputs": [{**first, "datatype": "FP64"}, *others]},
        {"inputs": [{**first, "shape": "1"}, *others]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
        assert running.post("/v2/models/wine/infer", wrong).status == 400


@pytest.mark.parametrize("routes", [("/health", "/predict"), ("/one", "/one")])
def test_the_paths_of_a_container_are_listed_and_answer(routes: tuple[str, str]) -> None:
    health, predict = routes
    settings = ServerSettings(poll=0, container=ContainerRoutes(health=health, predict=predict))
    with serving(f"model={SAMPLES / 'wine' / 'model'}", settings=settings) as running:
        paths = running.get("/openapi.json").json["paths"]
        assert "get" in paths[health] and running.get(health).status == 200
        content = paths[predict]["post"]["requestBody"]["content"]
        asked = {**WINES, "parameters": {"explain": True}}
        jsonschema.validate(asked, content["application/json"]["schema"])
        assert running.post(predict, asked).status == 200


def test_a_request_is_described_as_the_model_takes_it(running: Running, document: Any) -> None:
    schema = request_schema(document, "/v1/models/wine:explain")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(WINES, schema)
    wine = WINES["instances"][0]
    for wrong in (
        {"instances": []},
        {"instances": [{**wine, "alcohol": "much"}]},
        {"instances": [{**wine, "alcohol": 1e39}]},
        {"instances": [{**wine, "colour": 1.0}]},
        {"instances": [{k: v for k, v in wine.items() if k != "alcohol"}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)
        assert running.post("/v1/models/wine:explain", wrong).status == 400
    for right in ({"instances": wine}, {"instances": [{**wine, "alcohol": [13.0]}]}):
        jsonschema.validate(right, schema)
        assert running.post("/v1/models/wine:explain", right).status == 200


@pytest.mark.slow
def test_a_schema_driven_fuzzer_finds_nothing(tmp_path: Path) -> None:
    # It tries as many instances as are allowed, and one more; and every input in every way.
    settings = ServerSettings(poll=0, limits=Limits(instances=4))
    models = [f"{name}={SAMPLES / name / 'model'}" for name in ("diabetes", "code_or_prose")]
    with serving(*models, settings=settings) as running:
        fuzz(running, tmp_path)


def fuzz(running: Running, folder: Path) -> None:
    environment = environment_with("schemathesis", ("schemathesis==4.32.5",))
    run = subprocess.run(
        [
            *(str(environment / "bin" / "schemathesis"), "--config-file"),
            str(Path(__file__).with_name("schemathesis.toml")),
            *("run", f"{running.url}/openapi.json", "--max-examples", "5", "--seed", "1"),
            # The two versions of Vertex's API are the same code.
            *("--exclude-path-regex", "^/v1beta1/"),
            *("--no-color", "--generation-database", "none"),
        ],
        cwd=folder,  # it keeps what it found
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert run.returncode == 0, run.stdout[-6000:]
    assert "ST" not in run.stdout.partition("SUMMARY")[2]
    assert not [line for line in running.log if line["status"] >= 500]
    assert len(running.log) > 100
