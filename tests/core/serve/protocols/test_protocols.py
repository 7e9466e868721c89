"""Each protocol answers as the service did: bodies, statuses, errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import Running, serving, until

import pellucid
from pellucid import Dialect
from places import SAMPLES

WINES = json.loads((SAMPLES / "wine" / "instances.json").read_text())
DIGITS = json.loads((SAMPLES / "digits" / "instances.json").read_text())
PATHS = {
    "kserve": "/v1/models/{}",
    "ai-platform": "/v1/projects/p/models/{}",
    "vertex": "/v1/projects/p/locations/europe-west4/endpoints/{}",
}
GOOGLE = ("ai-platform", "vertex")


def close(found: Any, expected: Any, path: str = "") -> None:
    """Compare documents: gathering may change the last bits of a number."""
    if isinstance(expected, dict):
        assert list(found) == list(expected), path
        for key in expected:
            close(found[key], expected[key], f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for i, item in enumerate(expected):
            close(found[i], item, f"{path}[{i}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6), path
    else:
        assert found == expected, path


def explained(name: str, body: dict[str, Any], dialect: Dialect | None, **settings: Any) -> Any:
    model = pellucid.load(SAMPLES / name / "model", warn=lambda sentence: None)
    return json.loads(model.explain(body["instances"], **settings).json(dialect=dialect))


@pytest.mark.parametrize(
    "protocol, dialect",
    [("kserve", None), ("ai-platform", Dialect.AI_PLATFORM), ("vertex", Dialect.VERTEX)],
)
def test_explain_answers_what_the_library_says(
    wine: Running, protocol: str, dialect: Dialect | None
) -> None:
    answer = wine.post(PATHS[protocol].format("wine") + ":explain", WINES)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    close(answer.json, explained("wine", WINES, dialect))


def test_an_image_feature_is_a_picture(wine: Running) -> None:
    answer = wine.post("/v1/projects/p/models/digits:explain", DIGITS)
    labels = [e["attributions_by_label"][0] for e in answer.json["explanations"]]
    assert [label["label_name"] for label in labels] == ["three", "seven", "zero"]
    assert all(list(label["attributions"]["image"]) == ["b64_jpeg"] for label in labels)


@pytest.mark.parametrize("protocol", PATHS)
def test_predict_answers_what_the_model_says(wine: Running, protocol: str) -> None:
    answer = wine.post(PATHS[protocol].format("wine") + ":predict", WINES)
    assert answer.status == 200
    expected = explained("wine", WINES, Dialect.VERTEX)["predictions"]
    np.testing.assert_allclose(answer.json["predictions"], expected, rtol=1e-5)
    others = {"deployedModelId", "model", "modelDisplayName"} if protocol == "vertex" else set()
    assert set(answer.json) == {"predictions"} | others


def test_a_text_is_text_and_never_a_file(wine: Running) -> None:
    body = {"instances": [{"text": "/etc/passwd"}]}
    answer = wine.post("/v1/models/code_or_prose:predict", body)
    assert answer.status == 200 and b"root" not in answer.data


def test_vertex_takes_an_override(wine: Running) -> None:
    override = {
        "parameters": {"topK": 2, "integratedGradientsAttribution": {"stepCount": 7}},
        "metadata": {"inputs": {"alcohol": {"inputBaselines": [13.5]}}},
    }
    path = PATHS["vertex"].format("wine") + ":explain"
    plain = wine.post(path, WINES).json["explanations"]
    changed = wine.post(path, {**WINES, "explanationSpecOverride": override}).json["explanations"]
    assert [len(e["attributions"]) for e in plain] == [1, 1, 1]
    assert [len(e["attributions"]) for e in changed] == [2, 2, 2]
    assert set(changed[0]["attributions"][0]["featureAttributions"]) == set(
        plain[0]["attributions"][0]["featureAttributions"]
    )
    before, after = (e[0]["attributions"][0]["baselineOutputValue"] for e in (plain, changed))
    assert before != after
    # And the next request is explained as ever.
    close(wine.post(path, WINES).json["explanations"], plain)


def test_vertex_refuses_another_method(wine: Running) -> None:
    override = {"parameters": {"sampledShapleyAttribution": {"pathCount": 5}}}
    answer = wine.post(
        PATHS["vertex"].format("wine") + ":explain",
        {**WINES, "explanationSpecOverride": override},
    )
    assert answer.status == 400
    error = answer.json["error"]
    assert error["status"] == "INVALID_ARGUMENT" and "cannot change it" in error["message"]


def test_kserve_s_explainer_answers_in_its_own_form(wine: Running) -> None:
    body = {"instances": DIGITS["instances"][:1], "num_samples": "50", "top_labels": "3"}
    body["segmentation_alg"] = "slic"
    answer = wine.post("/v1/models/digits:explain", body)
    assert answer.status == 200
    found = answer.json["explanations"]
    assert list(found) == ["temp", "masks", "top_labels"]
    assert np.shape(found["temp"]) == (28, 28, 3) and np.shape(found["masks"]) == (3, 28, 28)


def test_a_version_is_chosen_and_the_newest_is_the_default(wine: Running) -> None:
    path = "/v1/projects/p/models/cellar{}:predict"
    newest = wine.post(path.format(""), WINES)
    assert newest.status == 200
    assert newest.data == wine.post(path.format("/versions/v10"), WINES).data
    diabetes = json.loads((SAMPLES / "diabetes" / "instances.json").read_text())
    other = wine.post(path.format("/versions/v9"), diabetes)
    assert other.status == 200 and np.shape(other.json["predictions"][0]) in ((), (1,))
    lost = wine.post(path.format("/versions/v11"), WINES)
    assert lost.status == 404
    assert lost.json["error"]["message"].endswith("has no version 'v11'; it has 'v9', 'v10'")


def test_get_describes_a_model(wine: Running) -> None:
    assert wine.get("/v1/models").json == {"models": ["wine", "digits", "code_or_prose", "cellar"]}
    available = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert wine.get("/v1/models/wine").json == {
        "name": "wine",
        "ready": True,
        "model_version_status": [{"version": "1", **available}],
    }
    version = wine.get("/v1/projects/p/models/cellar").json["defaultVersion"]
    assert version["name"] == "projects/p/models/cellar/versions/v10" and version["isDefault"]
    other = wine.get("/v1/projects/p/models/cellar/versions/v9").json
    assert not other["isDefault"] and other["state"] == "READY"
    endpoint = wine.get("/v1/projects/p/locations/l/endpoints/wine").json
    assert endpoint["name"] == "projects/p/locations/l/endpoints/wine"


@pytest.mark.parametrize("path", ["/", "/healthz"])
def test_it_is_alive(wine: Running, path: str) -> None:
    assert wine.get(path, Accept="application/json").json == {"status": "alive"}


def test_an_instance_that_fails_is_each_protocol_s_error(wine: Running) -> None:
    body = {"instances": [{**WINES["instances"][0], "alcohol": "much"}]}
    sentence = "instances[0].alcohol: input 'alcohol' is float32 [1], got the string \"much\""
    found = {p: wine.post(PATHS[p].format("wine") + ":explain", body) for p in PATHS}
    assert (found["kserve"].status, found["kserve"].json) == (400, {"error": sentence})
    # "If explanation fails for any instance, … it contains a single error entry"
    assert (found["ai-platform"].status, found["ai-platform"].json) == (200, {"error": sentence})
    error = {"code": 400, "message": sentence, "status": "INVALID_ARGUMENT"}
    assert (found["vertex"].status, found["vertex"].json) == (400, {"error": error})


@pytest.mark.parametrize("protocol", PATHS)
@pytest.mark.parametrize(
    "body, status, words",
    [
        (b"", 400, "expected JSON"),
        (b"{", 400, "not JSON"),
        (b"[]", 400, "a request is an object"),
        (b'{"instances": []}', 400, "empty list"),
        (b'{"instance": [1]}', 400, "is it 'instance'?"),
        (b'{"instances": [1], "instances": [2]}', 400, "written twice"),
        (b"\xff\xfe", 400, "not UTF-8"),
        (b'{"instances": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "nested too deeply"),
        (b'{"instances": [' + b"[" * 40 + b"1" + b"]" * 40 + b"]}", 400, "the model has 13"),
    ],
)
def test_a_malformed_body_is_a_400(
    wine: Running, protocol: str, body: bytes, status: int, words: str
) -> None:
    answer = wine.post(PATHS[protocol].format("wine") + ":explain", body)
    error = answer.json["error"]
    message = error["message"] if isinstance(error, dict) else error
    if protocol == "ai-platform" and "the model has" in words:
        status = 200
    assert (answer.status, words in message) == (status, True), message
    if protocol in GOOGLE and answer.status != 200:
        assert error["code"] == 400 and error["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("protocol", PATHS)
def test_half_a_character_in_a_request_is_no_reason_to_fail(wine: Running, protocol: str) -> None:
    wrong = {**WINES["instances"][0], "alcohol": "\ud800", "\udfff": 1}
    for body in ({"instances": [wrong]}, {"instances": [{**wrong, "alcohol": 3}]}):
        answer = wine.post(PATHS[protocol].format("wine") + ":explain", body)
        assert answer.status in (200, 400) and "error" in answer.json


@pytest.mark.parametrize("protocol", PATHS)
def test_an_unknown_model_is_a_404_with_the_nearest_name(wine: Running, protocol: str) -> None:
    answer = wine.post(PATHS[protocol].format("wnie") + ":explain", WINES)
    error = answer.json["error"]
    assert answer.status == 404
    message = error["message"] if protocol in GOOGLE else error
    assert message == "there is no model 'wnie'; did you mean 'wine'?"


@pytest.mark.parametrize("protocol", PATHS)
def test_the_wrong_method_and_the_wrong_verb(wine: Running, protocol: str) -> None:
    path = PATHS[protocol].format("wine")
    assert wine.post(path, WINES).status == 405
    got = wine.get(f"{path}:explain")
    assert (got.status, got.headers["allow"]) == (405, "POST")
    assert wine.ask("DELETE", path).status == 405
    assert wine.post(f"{path}:train", WINES).status == 404


def test_a_path_that_is_none_is_a_404_in_the_shape_of_its_protocol(wine: Running) -> None:
    assert wine.get("/v1/nothing").json == {"error": "there is nothing at /v1/nothing"}
    assert wine.get("/v1/projects/p/jobs").json["error"]["status"] == "NOT_FOUND"


def test_another_signature_is_refused(wine: Running) -> None:
    answer = wine.post("/v1/models/wine:explain", {**WINES, "signature_name": "other"})
    assert answer.status == 400 and "signature_name" in answer.json["error"]
    good = wine.post("/v1/models/wine:explain", {**WINES, "signature_name": "serving_default"})
    assert good.status == 200


def test_every_request_is_one_line_of_the_log_and_counted(wine: Running) -> None:
    path = "/v1/models/wine:predict"

    def ours() -> list[dict[str, Any]]:
        # No other test sends two.
        return [it for it in wine.log if (it["path"], it.get("instances")) == (path, 2)]

    wine.post(path, {"instances": WINES["instances"][:2]})
    until(ours)  # it is written when the answer has gone
    (line,) = ours()
    assert (line["method"], line["status"], line["model"]) == ("POST", 200, "wine")
    assert line["protocol"] == "kserve" and line["verb"] == "predict" and line["seconds"] > 0
    text = wine.get("/metrics").data.decode()
    label = 'pellucid_requests_total{model="wine",protocol="kserve",status="200",verb="predict"}'
    assert label in text and 'pellucid_model_ready{model="wine"} 1.0' in text


def test_several_outputs_are_named(tmp_path: Path) -> None:
    from places import SHARED

    directory = SHARED / "models" / "heating_cooling_2out"
    if not directory.is_dir():
        pytest.skip("no shared models here")
    request = json.loads((directory / "inputs" / "instances.json").read_text())

    def load(path: Path) -> pellucid.LoadedModel:
        return pellucid.load(path, output="cooling_load", warn=lambda sentence: None)

    with serving(f"house={directory / 'model'}", load=load) as running:
        found = running.post("/v1/models/house:predict", request).json["predictions"][0]
        assert set(found) == {"cooling_load", "heating_load"}
