"""Exchanges as people keep them: what is read, and what is said of what is not whole."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.comparison.recorded import Exchange, parse_answer, read_recorded
from pellucid.errors import InstanceError
from pellucid.notices import Where

REQUEST = {"instances": [[1.0, 2.0]]}
ANSWER: dict[str, Any] = {
    "explanations": [
        {
            "attributions_by_label": [
                {
                    "approx_error": 0.01,
                    "attributions": {"x": [0.5, -0.25]},
                    "baseline_score": 0.1,
                    "example_score": 0.35,
                    "label_index": -1,
                    "output_name": "y",
                }
            ]
        }
    ]
}
VERTEX: dict[str, Any] = {
    "explanations": [
        {
            "attributions": [
                {
                    "baselineOutputValue": 0.1,
                    "instanceOutputValue": 0.35,
                    "featureAttributions": {"x": [0.5, -0.25]},
                    "outputIndex": [2],
                    "outputDisplayName": "cat",
                    "approximationError": 0.01,
                    "outputName": "y",
                }
            ]
        }
    ],
    "predictions": [[0.2, 0.3, 0.5]],
}


def har(*entries: dict[str, Any]) -> str:
    return json.dumps({"log": {"version": "1.2", "entries": list(entries)}})


def entry(
    request: Any, response: Any, url: str = "https://s/v1/models/m:explain?key=secret"
) -> Any:
    return {
        "request": {
            "method": "POST", "url": url, "postData": {"text": json.dumps(request)},
            "headers": [{"name": "Authorization", "value": "Bearer secret"}],
        },
        "response": {"status": 200, "content": {"text": json.dumps(response)}},
    }  # fmt: skip


def read(path: Path) -> list[Exchange]:
    found = []
    for it in read_recorded(path):
        assert isinstance(it, Exchange), it
        found.append(it)
    return found


def failed(path: Path) -> list[str]:
    return [str(it) for it in read_recorded(path) if isinstance(it, InstanceError)]


def test_every_way_of_keeping_an_exchange_is_read(tmp_path: Path) -> None:
    pair = {"request": REQUEST, "response": ANSWER}
    (tmp_path / "a.request.json").write_text(json.dumps(REQUEST))
    (tmp_path / "a.response.json").write_text(json.dumps(ANSWER))
    (tmp_path / "b.json").write_text(json.dumps({"path": "/v1/models/m:explain", **pair}))
    (tmp_path / "c.json").write_text(json.dumps([pair, pair]))
    (tmp_path / "d.jsonl").write_text(f"{json.dumps(pair)}\n\n{json.dumps(pair)}\n")
    line = {"instance": [1.0, 2.0], "prediction": 0.35, "explanation": VERTEX["explanations"][0]}
    (tmp_path / "e.jsonl").write_text(json.dumps(line) + "\n")
    other = {"request": {"method": "GET", "url": "https://s/"}, "response": {"content": {}}}
    (tmp_path / "f.har").write_text(har(other, entry(REQUEST, ANSWER)))
    encoded = entry(REQUEST, ANSWER)
    encoded["response"]["content"] = {
        "encoding": "base64", "text": base64.b64encode(json.dumps(ANSWER).encode()).decode(),
    }  # fmt: skip
    (tmp_path / "g.har").write_text(har(encoded))
    found = read(tmp_path)
    assert len(found) == 9 and all(it.request == REQUEST for it in found)
    assert [it.response for it in found][:6] == [ANSWER] * 6
    assert found[6].response["predictions"] == [0.35]
    # The query of an address, where keys are, is not kept.
    assert found[7].path == "https://s/v1/models/m:explain" and found[8].response == ANSWER


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.response.json", json.dumps(ANSWER), "is an answer without its request"),
        ("a.request.json", json.dumps(REQUEST), "is a request without its answer"),
        ("a.json", json.dumps(ANSWER), "is an answer without its request"),
        ("a.json", json.dumps(REQUEST), "is a request without its answer"),
        ("a.json", json.dumps({"request": REQUEST}), "has no 'response'"),
        ("a.json", json.dumps({"request": [], "response": {}}), "request: is no object"),
        ("a.har", har(entry(REQUEST, ANSWER))[:400], "a.har"),
        ("a.har", har(), "none of its 0 entries explains anything"),
        ("a.har", '{"log": []}', "is no HAR file"),
        (
            "a.har",
            har({"request": {"url": "https://s/m:explain"}, "response": {"content": {}}}),
            "log.entries[0]: was saved without the body of the request",
        ),
        (
            "a.har",
            har({**entry(REQUEST, ANSWER), "response": {"content": {"size": 5}}}),
            "log.entries[0]: was saved without the body of the answer",
        ),
        ("a.jsonl", "{}\n", "a.jsonl:1: has no 'request'"),
        ("a.txt", "", "holds no exchanges"),
    ],
)
def test_what_is_not_whole_is_said_with_its_place(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    (found,) = failed(tmp_path)
    assert said in found and str(tmp_path) in found


def test_one_that_is_cut_off_costs_itself(tmp_path: Path) -> None:
    pair = json.dumps({"request": REQUEST, "response": ANSWER})
    (tmp_path / "a.jsonl").write_text(f"{pair}\n{pair[:50]}\n{pair}\n")
    found = [*read_recorded(tmp_path)]
    assert [isinstance(it, Exchange) for it in found] == [True, False, True]


def test_the_answers_of_the_services_are_one_kind_of_record() -> None:
    (ours,) = parse_answer(ANSWER, Where()).instances[0]
    answer = parse_answer(VERTEX, Where())
    (theirs,) = answer.instances[0]
    assert answer.predictions == ([0.2, 0.3, 0.5],)
    assert (ours.index, theirs.index, theirs.name) == ((), (2,), "cat")
    for it in (ours, theirs):
        assert (it.score, it.baseline_score, it.approx_error, it.output) == (0.35, 0.1, 0.01, "y")
        np.testing.assert_array_equal(it.features["x"], [0.5, -0.25])
    snake = json.loads(
        json.dumps(VERTEX)
        .replace("baselineOutputValue", "baseline_output_value")
        .replace("featureAttributions", "feature_attributions")
    )
    (written,) = parse_answer(snake, Where()).instances[0]
    assert written.baseline_score == 0.1 and "x" in written.features


def test_an_answer_of_another_kind_is_refused_with_what_it_has() -> None:
    for response, said in (
        ({}, "explanations: is not there"),
        ({"explanations": []}, "explanations: is no list of explanations"),
        ({"explanations": [{"shap_values": []}]}, "explanations[0]: has 'shap_values'"),
        ({"explanations": [{"attributions": [{"x": 1}]}]}, "has no 'featureAttributions'"),
        ({"explanations": [{"masks": [[1]], "top_labels": [1]}]}, "masks of shape [1, 1]"),
    ):
        with pytest.raises(InstanceError) as error:
            parse_answer(response, Where())
        assert said in str(error.value)
    assert parse_answer({"error": {"message": "late"}}, Where()).error == "late"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label_index": float("inf")}, "has the index inf"),
        ({"example_score": "high"}, "in the place of a score"),
        ({"attributions": {"x": {"b64_jpeg": "é"}}}, "is no base64"),
    ],
)
def test_what_no_service_writes_is_refused_in_a_sentence(change: dict[str, Any], said: str) -> None:
    label = {**ANSWER["explanations"][0]["attributions_by_label"][0], **change}
    with pytest.raises(InstanceError, match=said):
        parse_answer({"explanations": [{"attributions_by_label": [label]}]}, Where())


def test_an_explanation_of_nothing_is_refused_and_nan_is_a_number() -> None:
    with pytest.raises(InstanceError, match="explains no output"):
        parse_answer({"explanations": [{"attributions_by_label": []}]}, Where())
    label = {**ANSWER["explanations"][0]["attributions_by_label"][0], "approx_error": "NaN"}
    answer = parse_answer({"explanations": [{"attributions_by_label": [label]}]}, Where())
    assert np.isnan(answer.instances[0][0].approx_error)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (503, {"text": "<html>busy</html>"}, "is answered by an error: 503"),
        (200, {"text": "é", "encoding": "base64"}, "has an answer that is no text"),
    ],
)
def test_answers_in_a_har_file_that_are_none_say_what_they_are(
    tmp_path: Path, status: int, content: dict[str, Any], said: str
) -> None:
    request = {"url": "https://x/m:explain?key=K", "postData": {"text": json.dumps(REQUEST)}}
    entry = {"request": request, "response": {"status": status, "content": content}}
    path = tmp_path / "kept.har"
    path.write_text(json.dumps({"log": {"entries": [entry]}}))
    (found,) = read_recorded(path)
    assert isinstance(found, InstanceError) and said in str(found)
