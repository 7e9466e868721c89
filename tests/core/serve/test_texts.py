"""Texts over HTTP: a server of a model of two texts and a tag, asked for words by each protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import Running, serving

import advice_models
import pellucid
from pellucid.runtime.engine.tensorflow import tf

INSTANCE = {"title": "a good film", "text": "Surely a good, good film", "tag": "red wine"}
WORDS = {"title": ["a", "good", "film"], "text": ["Surely", "a", "good", "good", "film"]}
PLACES = {"title": [0, 2, 7], "text": [0, 7, 9, 15, 20]}
PATHS = ["/v1/models/reviews:explain", "/v1/projects/p/models/reviews:explain"]


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that counts what is good, and whether the tag begins with red."""

    def serving_default(title: Any, text: Any, tag: Any) -> Any:
        def good(texts: Any) -> Any:
            words = tf.strings.split(tf.strings.regex_replace(texts, "[^a-z]", " "))
            return tf.reduce_sum(tf.cast(words == "good", tf.float32), 1)

        red = tf.cast(tf.strings.regex_full_match(tag, "red.*"), tf.float32)
        score = good(title) + 2 * good(text) + red / 2
        return {"score": tf.stack([score, -score], 1)}

    directory = tmp_path_factory.mktemp("models") / "reviews"
    row = tf.TensorSpec([None], tf.string)
    advice_models.save(directory, dict.fromkeys(INSTANCE, row), serving_default)
    inputs = {
        name: {"input_tensor_name": name, "modality": "categorical" if name == "tag" else "text"}
        for name in INSTANCE
    }
    document = {
        "framework": "tensorflow",
        "inputs": inputs,
        "outputs": {"score": {"output_tensor_name": "score"}},
    }
    (directory / advice_models.METADATA).write_text(json.dumps(document), "utf-8")
    return directory


@pytest.fixture(scope="module", params=["sampled-shapley", "lime"])
def server(reviews: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, Running]]:
    def load(directory: Path) -> Any:
        model = pellucid.load(directory, warn=lambda sentence: None)
        return model.configured(method=request.param, samples=2000)

    with serving(f"reviews={reviews}", load=load) as running:
        yield request.param, running


@pytest.mark.parametrize("path", PATHS)
def test_words_and_their_places_are_answered(server: tuple[str, Running], path: str) -> None:
    method, running = server
    answer = running.post(path, {"instances": [INSTANCE, {**INSTANCE, "text": ""}]})
    assert answer.status == 200, answer.json
    first, second = answer.json["explanations"]
    label, *_ = first["attributions_by_label"]  # by KServe's protocol, LIME explains all labels
    found = label["attributions"]
    # A sum over words: Shapley values are its terms, which LIME's regression draws a little to 0.
    # A bag of words takes what each place of a word adds together.
    twice = 4 if method == "lime" else 2
    expected = {"title": [0, 1, 0], "text": [0, 0, twice, twice, 0]}
    far = {"rtol": 0, "atol": 0.1 if method == "lime" else 1e-5}
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, **far)
    np.testing.assert_allclose(found["tag"], 0.5, **far)
    diagnostics, *_ = first["diagnostics"]
    said = diagnostics["words"]
    assert list(said) == ["title", "text"], "a category is no text"
    assert {name: [it["word"] for it in said[name]] for name in said} == WORDS
    assert {name: [it["start"] for it in said[name]] for name in said} == PLACES
    assert ("stability" in diagnostics) == (method == "lime")
    other, *_ = second["attributions_by_label"]
    assert other["attributions"]["text"] == [] and second["diagnostics"][0]["words"]["text"] == []
    assert np.shape(other["attributions"]["title"]) == (3,)


def test_kserve_s_keys_ask_for_lime_of_words(server: tuple[str, Running]) -> None:
    body = {"instances": [INSTANCE], "num_samples": 500, "top_labels": 2}
    answer = server[1].post(PATHS[0], body)
    assert answer.status == 200, answer.json
    (one,) = answer.json["explanations"]
    assert [it["label_index"] for it in one["attributions_by_label"]] == [0, 1]
    assert "stability" in one["diagnostics"][0]


def test_the_page_names_bars_by_their_words(server: tuple[str, Running]) -> None:
    models = server[1].get("/page/models").json
    (model,) = models["models"]
    assert "lime" in model["methods"] and "xrai" not in model["methods"]
    answer = server[1].post("/page/explain", {"model": "reviews", "instance": INSTANCE})
    assert answer.status == 200, answer.json
    names = [bar["name"] for bar in answer.json["bars"]]
    assert names.count("good") == 3 and "tag" in names


def test_more_paths_than_a_server_gives_are_counted_by_words(server: tuple[str, Running]) -> None:
    override = {"parameters": {"sampledShapleyAttribution": {"pathCount": 2000}}}
    body = {
        "instances": [{**INSTANCE, "text": "good " * 100}],
        "explanationSpecOverride": override,
    }
    if server[0] == "lime":
        return
    path = "/v1/projects/p/locations/europe-west4/endpoints/reviews:explain"
    answer = server[1].post(path, body)
    assert answer.status == 413, answer.json
    assert "210,000 evaluations" in answer.json["error"]["message"]
