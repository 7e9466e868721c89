"""The Open Inference Protocol as it is spoken, and by the client that Triton's makers wrote."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from serving import Running, serving

import pellucid
from places import SAMPLES

WINE = SAMPLES / "wine" / "model"
WINES = json.loads((SAMPLES / "wine" / "instances.json").read_text())["instances"]
CODE = SAMPLES / "code_or_prose"
CELLAR = "/v2/models/wine"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    names = ("wine", "digits", "code_or_prose", "jpeg_bytes")
    with serving(*(f"{name}={SAMPLES / name / 'model'}" for name in names)) as running:
        yield running


def columns(running: Running) -> list[dict[str, Any]]:
    """The wines as columns, in the order of the model's metadata."""
    described = running.get(CELLAR).json["inputs"]
    return [
        {
            "name": it["name"],
            "shape": [len(WINES), *it["shape"][1:]],
            "datatype": it["datatype"],
            "data": [wine[it["name"]] for wine in WINES],
        }
        for it in described
    ]


def test_health_and_metadata_are_as_the_protocol_has_them(running: Running) -> None:
    server = running.get("/v2").json
    assert server == {
        "name": "pellucid",
        "version": pellucid.__version__,
        "extensions": ["binary_tensor_data"],
    }
    assert running.get("/v2/health/live").json == {"live": True}
    assert running.get("/v2/health/ready").json == {"ready": True}
    assert running.get("/v2/models/digits/ready").json == {"name": "digits", "ready": True}
    described = running.get("/v2/models/digits/versions/1").json
    assert (described["name"], described["versions"]) == ("digits", ["1"])
    assert [it["shape"][0] for it in described["inputs"]] == [-1]
    for path in ("/v2/models/none", "/v2/models/digits/versions/7", "/v2/models/none/ready"):
        answer = running.get(path)
        assert answer.status == 404
        assert answer.json["error"].startswith("model 'digits' has no" if "7" in path else "there")


def test_rows_are_answered_as_by_predict(running: Running) -> None:
    wanted = running.post("/v1/models/wine:predict", {"instances": WINES}).json["predictions"]
    answer = running.post(f"{CELLAR}/infer", {"id": "a", "inputs": columns(running)})
    assert answer.status == 200, answer.json
    (output,) = answer.json["outputs"]
    assert (answer.json["id"], answer.json["model_name"]) == ("a", "wine")
    np.testing.assert_allclose(np.reshape(output["data"], output["shape"]), wanted, rtol=1e-6)


def test_raw_bytes_are_taken_and_given(running: Running) -> None:
    parts, inputs = [], []
    for it in columns(running):
        parts.append(np.array(it.pop("data"), "<f4").tobytes())
        inputs.append({**it, "parameters": {"binary_data_size": len(parts[-1])}})
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    answer = running.ask(
        "POST",
        f"{CELLAR}/infer",
        head + b"".join(parts),
        {"Inference-Header-Content-Length": str(len(head))},
    )
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["inference-header-content-length"])
    (output,) = json.loads(answer.data[:length])["outputs"]
    found = np.frombuffer(answer.data[length:], "<f4").reshape(output["shape"])
    wanted = running.post("/v1/models/wine:predict", {"instances": WINES}).json["predictions"]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_strings_are_taken_as_bytes(running: Running) -> None:
    """A picture is a string of bytes, each behind its length."""
    described = running.get("/v2/models/jpeg_bytes").json["inputs"]
    assert [it["datatype"] for it in described] == ["BYTES"]
    request = json.loads((SAMPLES / "jpeg_bytes" / "instances.json").read_text())
    (prediction, *_) = running.post("/v1/models/jpeg_bytes:predict", request).json["predictions"]
    (picture,) = request["instances"][0].values()
    picture = base64.b64decode(picture["b64"])
    data = struct.pack("<I", len(picture)) + picture
    tensor = {"name": described[0]["name"], "shape": [1], "datatype": "BYTES"}
    head = json.dumps(
        {"inputs": [{**tensor, "parameters": {"binary_data_size": len(data)}}]}
    ).encode()
    answer = running.ask(
        "POST",
        "/v2/models/jpeg_bytes/infer",
        head + data,
        {"Inference-Header-Content-Length": str(len(head))},
    )
    assert answer.status == 200, answer.json
    found = {it["name"]: it["data"] for it in answer.json["outputs"]}
    wanted = prediction if isinstance(prediction, dict) else {next(iter(found)): prediction}
    for name, value in found.items():
        np.testing.assert_allclose(value, np.ravel(wanted[name]), rtol=1e-5)


def test_explanations_are_those_of_the_other_protocol(running: Running) -> None:
    answer = running.post(f"{CELLAR}/explain", {"inputs": columns(running)})
    assert answer.status == 200, answer.json
    wanted = running.post("/v1/models/wine:explain", {"instances": WINES}).json
    assert answer.json["model_name"] == "wine"
    for mine, theirs in zip(answer.json["explanations"], wanted["explanations"], strict=True):
        (one,), (other,) = mine["attributions_by_label"], theirs["attributions_by_label"]
        for name, value in one["attributions"].items():
            assert value == pytest.approx(other["attributions"][name], abs=1e-6)


def test_parameters_are_the_keys_of_kserves_explainer(running: Running) -> None:
    picture = json.loads((SAMPLES / "digits" / "instances.json").read_text())["instances"][:1]
    (described,) = running.get("/v2/models/digits").json["inputs"]
    pixels = np.array([next(iter(it.values())) if isinstance(it, dict) else it for it in picture])
    tensor = {
        "name": described["name"],
        "datatype": described["datatype"],
        "shape": list(pixels.shape),
        "data": pixels.ravel().tolist(),
    }
    body = {"inputs": [tensor], "parameters": {"num_samples": "50", "top_labels": "3"}}
    answer = running.post("/v2/models/digits/explain", body)
    assert answer.status == 200, answer.json
    assert len(answer.json["explanations"]["top_labels"]) == 3
    body["parameters"] = {"samples": 50}
    refused = running.post("/v2/models/digits/explain", body)
    assert refused.status == 400
    assert "unknown parameter 'samples'" in refused.json["error"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"inputs": 3}, "a request is an object"),
        ({"inputs": []}, "input 'alcalinity_of_ash' is missing"),
        ({"inputs": [{"name": "alcohl"}]}, "unknown input 'alcohl'; did you mean 'alcohol'?"),
        ({"inputs": [{"name": "alcohol"}]}, "'shape' is no list of sizes"),
        (
            {"inputs": [{"name": "alcohol", "shape": [1, 1], "datatype": "FP64", "data": [1]}]},
            "the model takes FP32, not FP64",
        ),
        (
            {"inputs": [{"name": "alcohol", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]},
            "the model takes rows of [1], not [1, 2]",
        ),
        (
            {"inputs": [{"name": "alcohol", "shape": [2, 1], "datatype": "FP32", "data": [1]}]},
            "1 elements are not those of shape [2, 1]",
        ),
        (
            {
                "inputs": [
                    {
                        "name": "alcohol",
                        "shape": [1, 1],
                        "datatype": "FP32",
                        "parameters": {"binary_data_size": 4},
                    }
                ]
            },
            "there are no 4 bytes of data",
        ),
        ({"outputs": [{"name": "none"}]}, "unknown output 'none'"),
        ({"outputs": 3}, "'outputs' is no list"),
        ({"parameters": 3}, "'parameters' is no object"),
    ],
)
def test_a_wrong_request_is_told_why(running: Running, change: dict[str, Any], why: str) -> None:
    answer = running.post(f"{CELLAR}/infer", {"inputs": columns(running), **change})
    assert answer.status == 400
    assert why in answer.json["error"]


def test_a_header_longer_than_its_body_is_refused(running: Running) -> None:
    answer = running.ask(
        "POST", f"{CELLAR}/infer", b"{}", {"Inference-Header-Content-Length": "99"}
    )
    assert answer.status == 400
    assert "the header of 99 bytes is not in the 2 of the body" in answer.json["error"]


@pytest.mark.parametrize("protocol", ["oip-v2", "kserve-v1"])
def test_a_predictor_is_explained_as_the_model_itself(running: Running, protocol: str) -> None:
    api = "v2" if protocol == "oip-v2" else "v1"
    settings: dict[str, Any] = {"method": "sampled-shapley", "paths": 5, "warn": lambda it: None}
    here = pellucid.load(WINE, **settings).explain(WINES)
    url = f"{running.url}/{api}/models/wine"
    there = pellucid.load(WINE, predictor=url, **settings).explain(WINES)
    for mine, theirs in zip(here, there, strict=True):
        assert mine.labels[0].name == theirs.labels[0].name
        for name, value in mine.labels[0].features.items():
            assert theirs.labels[0].features[name] == pytest.approx(value, abs=1e-5)
