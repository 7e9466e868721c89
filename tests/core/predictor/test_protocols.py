"""Each protocol asks a predictor for the same, and says what it takes where the protocol can."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.errors import PellucidError, PredictorError, SpecError
from pellucid.predictor import PredictorSettings
from stand_in import TF, WEIGHTS, Asked, Reply, StandIn, linear

Loads = Callable[..., Any]
ROWS = np.array([[1, 2, 3], [0.1, -4, 5]], np.float32)
PATHS = {
    "kserve-v1": "/v1/models/linear",
    "oip-v2": "/v2/models/linear",
    "tf-serving": "/v1/models/linear/versions/3",
    "vertex": "/v1/projects/p/locations/l/endpoints/7",
}


@pytest.mark.parametrize("protocol", PATHS)
def test_a_linear_model_gets_its_own_shapley_values(
    loads: Loads, stand_in: StandIn, protocol: str
) -> None:
    model = loads(PATHS[protocol], protocol=protocol)
    for explanation, row in zip(model.explain(ROWS), ROWS, strict=True):
        scores = row @ WEIGHTS
        (label,) = explanation.labels
        assert label.index == (int(np.argmax(scores)),)
        np.testing.assert_allclose(label.features["x"], row * WEIGHTS[:, label.index[0]], atol=1e-6)
    assert {it.path for it in stand_in.asked} == {
        {
            "kserve-v1": "/v1/models/linear:predict",
            "oip-v2": "/v2/models/linear/infer",
            "tf-serving": "/v1/models/linear/versions/3:predict",
            "vertex": "/v1/projects/p/locations/l/endpoints/7:predict",
        }[protocol]
    }


@pytest.mark.parametrize("extensions", [[], ["binary_tensor_data"]])
def test_raw_bytes_are_sent_to_who_takes_them(
    loads: Loads, stand_in: StandIn, extensions: list[str]
) -> None:
    stand_in.extensions = extensions
    (found,) = loads("/v2/models/linear").predict(ROWS[:1])
    np.testing.assert_allclose(found, ROWS[0] @ WEIGHTS, rtol=1e-6)
    (asked,) = stand_in.asked
    assert (b"\x00\x00\x80?" in asked.body) is bool(extensions)


def test_the_path_of_a_custom_container_is_asked_as_it_is(loads: Loads, stand_in: StandIn) -> None:
    loads("/predict", protocol="vertex").predict(ROWS)
    assert [it.path for it in stand_in.asked] == ["/predict"]


@pytest.mark.parametrize("path", ["/v2/models/linear", "/v1/models/linear"])
def test_a_predictor_says_itself_what_it_takes(stand_in: StandIn, path: str) -> None:
    protocol = None
    if path.startswith("/v1"):
        stand_in.metadata, protocol = TF, "tf-serving"
    model = pellucid.load(
        f"{stand_in.url}{path}",
        predictor=PredictorSettings(protocol=protocol),
        warn=lambda message: None,
    )
    assert [(it.name, it.dtype, it.instance_shape) for it in model.inputs] == [
        ("x", "float32", (3,))
    ]
    np.testing.assert_allclose(model.predict(ROWS), ROWS @ WEIGHTS, rtol=1e-6)
    assert stand_in.described == 1
    assert stand_in.url in repr(model)


@pytest.mark.parametrize("path", ["/v1/models/linear", "/endpoints/7"])
def test_who_cannot_say_it_has_to_be_told(stand_in: StandIn, path: str) -> None:
    with pytest.raises(SpecError, match=r"does not say what a model takes; name the SavedModel"):
        pellucid.load(stand_in.url + path)


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"name": "linear", "inputs": [], "outputs": []}, "they name no inputs"),
        ({"inputs": [{"name": "x", "datatype": "FP32"}], "outputs": []}, "'x' has no shape"),
        ({"inputs": [{"name": "x", "datatype": "F4", "shape": [1]}]}, "'F4' is no datatype"),
        ({"metadata": {}}, "they name no signature"),
        ({"metadata": {"signature_def": {"signature_def": {"a": {}}}}}, "no signature has inputs"),
        (Reply([1]), "JSON that is no object"),
        (Reply(b"<html>", headers={"Content-Type": "text/html"}), "text/html instead of JSON"),
        (Reply({"error": "no"}, 404), "answers 404: no; look whether the address names a model"),
    ],
)
def test_metadata_that_do_not_say_it_are_told_in_a_sentence(
    stand_in: StandIn, metadata: Any, why: str
) -> None:
    stand_in.metadata = metadata
    with pytest.raises(PredictorError) as caught:
        pellucid.load(stand_in.url + "/v2/models/linear")
    assert why in str(caught.value)
    assert f"predictor {stand_in.url}/v2/models/linear: " in str(caught.value)


def test_a_file_that_is_no_metadata_is_told_in_a_sentence(tmp_path: Path) -> None:
    for text, why in (("{", "is no JSON"), ("[]", "is no metadata of a model: they are no object")):
        file = tmp_path / "signature.json"
        file.write_text(text)
        with pytest.raises(SpecError, match=why):
            pellucid.load(file, predictor="http://127.0.0.1:1/v1/models/linear")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://host/v1/models/a", "is no address of a predictor"),
        ("http://host:99999/v1/models/a", "has no port that is one"),
        ("http://user:secret@host/v1/models/a", "has no user, password, query or fragment"),
        ("http://host/v1/models/a?token=secret", "has no user, password, query or fragment"),
        ("http://host", "names no model"),
        ("http://host/v1/models/", "names no model"),
    ],
)
def test_an_address_that_is_none_is_told_so(url: str, why: str) -> None:
    with pytest.raises(SpecError, match=why) as caught:
        PredictorSettings(url=url).of("model")
    assert "secret" not in str(caught.value) or "token=secret" in url


def test_what_is_said_of_a_predictor_needs_one() -> None:
    with pytest.raises(SpecError, match="no predictor is named"):
        PredictorSettings(protocol="oip-v2").of("model")
    with pytest.raises(SpecError, match="'v9' is no protocol"):
        PredictorSettings(url="http://host/v1/models/a", protocol="v9").of("model")
    with pytest.raises(SpecError, match="an address already"):
        PredictorSettings(url="http://host/v1/models/a").of("http://host/v2/models/a")
    with pytest.raises(SpecError, match="before a softmax"):
        PredictorSettings(url="http://host/v1/models/a").of("model", logits=True)


@pytest.mark.parametrize("method", ["integrated-gradients", "xrai", "examples"])
def test_a_method_that_needs_more_says_which_do_not(loads: Loads, method: str) -> None:
    with pytest.raises(PellucidError, match="choose method='sampled-shapley' or, for pictures"):
        loads().explain(ROWS, method=method)


def test_a_model_of_two_outputs_is_asked_by_name(stand_in: StandIn, tmp_path: Path) -> None:
    signature = tmp_path / "signature.json"
    outputs = [{"name": name, "datatype": "FP64", "shape": [-1]} for name in ("a", "b")]
    inputs = [{"name": name, "datatype": "FP32", "shape": [-1]} for name in ("p", "q")]
    signature.write_text(json.dumps({"inputs": inputs, "outputs": outputs}))

    def answer(asked: Asked) -> Reply:
        rows = json.loads(asked.body)["instances"]
        # In another order than the signature has it.
        return Reply({"predictions": [{"b": r["q"], "a": r["p"] + 2 * r["q"]} for r in rows]})

    stand_in.answer = answer
    url = stand_in.url + "/v1/models/linear"
    model = pellucid.load(signature, predictor=url, output="a", warn=lambda message: None)
    (explanation,) = model.explain([{"p": 1.0, "q": 10.0}])
    features = explanation.labels[0].features
    assert {name: float(value) for name, value in features.items()} == {"p": 1.0, "q": 20.0}
    assert {name: float(value) for name, value in explanation.outputs.items()} == {"a": 21, "b": 10}


def test_neither_tensorflow_nor_a_second_question_is_needed(stand_in: StandIn) -> None:
    code = (
        "import sys, pellucid\n"
        f"model = pellucid.load('{stand_in.url}/v2/models/linear', warn=lambda it: None)\n"
        "model.explain([[1.0, 2.0, 3.0]])\n"
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    rows = [row.tobytes() for asked in stand_in.asked for row in asked.rows]
    assert len(rows) == len(set(rows))


def test_what_a_call_has_asked_is_asked_again_by_the_next(loads: Loads, stand_in: StandIn) -> None:
    model = loads()
    model.explain(ROWS[:1])
    first = len(stand_in.asked)
    stand_in.answer = lambda asked: linear(
        Asked(
            asked.path, {}, json.dumps({"instances": (2 * asked.rows).tolist()}).encode(), ("", 0)
        )
    )
    (explanation,) = model.explain(ROWS[:1])
    assert len(stand_in.asked) == 2 * first
    np.testing.assert_allclose(
        explanation.labels[0].features["x"], 2 * ROWS[0] * WEIGHTS[:, 0], atol=1e-5
    )
