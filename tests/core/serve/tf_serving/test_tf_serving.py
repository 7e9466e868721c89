"""Models as TensorFlow Serving lays them out: numbers for versions, ``model.config``, columns."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import Running, Stub, serving, until

import pellucid
from pellucid.errors import ModelError, PellucidError, SpecError
from pellucid.notices import Message
from pellucid.predictor import PredictorSettings
from pellucid.serve.server import ServerSettings
from pellucid.serve.tf_serving import base_entries, config_entries
from places import SAMPLES

POLL = ServerSettings(poll=0.05)
WINES = json.loads((SAMPLES / "wine" / "instances.json").read_text())["instances"]


def model_at(directory: Path, written: str = "") -> Path:
    directory.mkdir(parents=True)
    (directory / "saved_model.pb").write_text(written)
    return directory


class Named(Stub):
    """A model that says in which directory it lies."""

    def __init__(self, number: float = 0, **parts: Any) -> None:
        super().__init__(**parts)
        self.gate.set()
        self.number = number

    def predict(self, instances: list[Any]) -> list[Any]:
        return [np.float32(self.number) for _ in instances]


def load_named(directory: Path) -> Named:
    if (directory / "saved_model.pb").read_text() == "bad":
        raise ModelError("this is no model")
    return Named(float(directory.name))


def said(running: Running, version: int | None = None) -> Any:
    place = "" if version is None else f"/versions/{version}"
    answer = running.post(f"/v1/models/cats{place}:predict", {"instances": [1]})
    return answer.json["predictions"][0] if answer.status == 200 else answer.status


# Folders


def test_models_have_the_numbers_that_are_there(tmp_path: Path) -> None:
    for name in ("cats/1", "cats/10", "cats/9", "cats/next", "dogs/3", "notes/old"):
        model_at(tmp_path / name)
    (tmp_path / "cats" / "11").mkdir()  # still being copied
    (tmp_path / "README").touch()
    found = base_entries(tmp_path)
    assert {it.name: list(it.versions) for it in found} == {"cats": ["10"], "dogs": ["3"]}
    (alone,) = base_entries(tmp_path / "cats")
    assert (alone.name, list(alone.versions)) == ("cats", ["10"])


def test_a_folder_without_numbers_is_said_to_be_so(tmp_path: Path) -> None:
    model_at(tmp_path / "wine")
    with pytest.raises(ModelError) as caught:
        base_entries(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: has no versions: models lie there as NAME/1/saved_model.pb; name a directory "
        "with a single model as a model of its own"
    )
    with pytest.raises(ModelError, match="gone: does not exist"):
        base_entries(tmp_path / "gone")
    with pytest.raises(ModelError, match=r"saved_model\.pb: is a file, and not a folder of models"):
        base_entries(tmp_path / "wine" / "saved_model.pb")


def test_the_newest_is_served_as_versions_come_and_go(tmp_path: Path) -> None:
    model_at(tmp_path / "cats" / "1")
    model_at(tmp_path / "cats" / "2")
    with serving(entries=base_entries(tmp_path), settings=POLL, load=load_named) as running:
        assert (said(running), said(running, 2), said(running, 1)) == (2, 2, 404)
        model_at(tmp_path / "cats" / "10")
        until(lambda: said(running) == 10)
        until(lambda: said(running, 2) == 404)
        shutil.rmtree(tmp_path / "cats" / "10")
        until(lambda: said(running) == 2)
        assert said(running, 10) == 404
        assert "cats: version 10 is served no more" in list(map(str, running.said))


def test_a_broken_version_and_an_empty_folder_change_nothing(tmp_path: Path) -> None:
    model_at(tmp_path / "cats" / "1")
    with serving(entries=base_entries(tmp_path), settings=POLL, load=load_named) as running:
        model_at(tmp_path / "cats" / "2", "bad")
        until(lambda: bool(running.said))
        assert said(running) == 1
        shutil.rmtree(tmp_path / "cats" / "2")
        shutil.rmtree(tmp_path / "cats" / "1")
        model_at(tmp_path / "cats" / "3")
        until(lambda: said(running) == 3)


# model.config


def config(folder: Path, text: str) -> Path:
    file = folder / "model.config"
    file.write_text(text)
    return file


def test_a_config_names_models_and_policies(tmp_path: Path) -> None:
    for name in ("cats/1", "cats/2", "cats/3", "dogs/1", "dogs/2"):
        model_at(tmp_path / name)
    heard: list[Message] = []
    text = f"""
# As in TensorFlow Serving's documents.
model_config_list {{
  config {{
    name: 'tabby'
    base_path: '{tmp_path}/cats'
    model_platform: 'tensorflow'
    model_version_policy {{ specific {{ versions: 1 versions: 3 }} }}
    version_labels {{ key: 'stable' value: 1 }}
  }}
  config: {{ name: "dogs", base_path: "dogs", model_version_policy: {{ all {{}} }} }}
  config {{ name: "last" base_path: "cats" model_version_policy {{ latest {{ num_versions: 2 }} }} }}
  config {{ name: "one" base_path: "cats" }}
}}
"""
    found = config_entries(config(tmp_path, text), heard.append)
    assert {it.name: list(it.versions) for it in found} == {
        "tabby": ["1", "3"], "dogs": ["1", "2"], "last": ["2", "3"], "one": ["3"]
    }  # fmt: skip
    assert [str(it) for it in heard] == [
        f"{tmp_path}/model.config: version_labels of 'tabby' have no meaning here, where versions "
        "are numbers"
    ]
    with serving(entries=found, settings=POLL, load=load_named) as running:
        ask = "/v1/models/tabby/versions/{}:predict"
        answers = [running.post(ask.format(n), {"instances": [0]}).status for n in (1, 2, 3)]
        assert answers == [200, 404, 200]


@pytest.mark.parametrize(
    "text, kind, sentence",
    [
        ("model_config_list {\n  config {\n    nmae: 'x'\n  }\n}", SpecError,
         "model.config:3:5: is no model.config: Message type \"ModelConfig\" has no field named \"nmae\"."),
        ("model_config_list {\n  config {\n    name: 'x\n", SpecError, "model.config:3:11: is no"),
        ("model_config_list {", SpecError, "model.config:1:19: is no model.config: Expected \"}\"."),
        ("", SpecError, "model.config: names no models"),
        ("model_config_list { config { name: 'x' } }", SpecError, "config[0]: has no base_path"),
        ("model_config_list { config { base_path: 'x' } }", SpecError, "config[0]: has no name"),
        ("model_config_list { config { name: 'x' base_path: 'x' model_platform: 'torch' } }",
         SpecError, "config[0]: 'torch' cannot be explained here"),
        ("model_config_list { config { name: 'x' base_path: 'gone' } }", ModelError,
         "gone: does not exist"),
        ("model_config_list { config { name: 'x' base_path: '.' } }", ModelError,
         "has no versions: they lie there as 1/saved_model.pb"),
        ("model_config_list { config { name: 'a/b' base_path: 'cats' } }", SpecError,
         "'a/b' cannot be the name of a model"),
        ("model_config_list { config { name: 'x' base_path: 'cats' } config { name: 'x' "
         "base_path: 'cats' } }", SpecError, "config[1]: two models are called 'x'"),
        ("model_config_list { config { name: 'x' base_path: 'cats' model_version_policy { "
         "specific { versions: 7 } } } }", SpecError,
         "none of the versions that 'x' asks for is there: 1"),
    ],
)  # fmt: skip
def test_a_config_that_is_none(
    tmp_path: Path, text: str, kind: type[PellucidError], sentence: str
) -> None:
    model_at(tmp_path / "cats" / "1")
    with pytest.raises(kind) as caught:
        config_entries(config(tmp_path, text), print)
    assert sentence in str(caught.value)


# What clients ask


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("models")
    for name, number in (("wine", 1), ("wine", 2), ("diabetes", 7), ("code_or_prose", 1)):
        shutil.copytree(SAMPLES / name / "model", folder / name / str(number))
    with serving(entries=base_entries(folder)) as running:
        yield running


def test_rows_and_columns_are_answered_alike(base: Running) -> None:
    rows = base.post("/v1/models/wine:predict", {"instances": WINES})
    columns = {name: [row[name] for row in WINES] for name in WINES[0]}
    asked = {"signature_name": "serving_default", "inputs": columns}
    answer = base.post("/v1/models/wine/versions/2:predict", asked)
    assert answer.json == {"outputs": rows.json["predictions"]}
    assert base.post("/v1/models/wine/versions/1:predict", asked).status == 404
    explained = base.post("/v1/models/wine:explain", {"inputs": columns})
    whole = base.post("/v1/models/wine:explain", {"instances": WINES})
    assert explained.json["explanations"] == whole.json["explanations"]


def test_one_input_needs_no_name(base: Running) -> None:
    patients = json.loads((SAMPLES / "diabetes" / "instances.json").read_text())["instances"]
    rows = [it["patient"] if isinstance(it, dict) else it for it in patients]
    expected = base.post("/v1/models/diabetes:predict", {"instances": rows}).json["predictions"]
    for inputs in (rows, {"patient": rows}):
        answer = base.post("/v1/models/diabetes:predict", {"inputs": inputs})
        assert answer.json == {"outputs": expected}
    texts = base.post("/v1/models/code_or_prose:predict", {"inputs": {"text": ["a = b", "the"]}})
    assert len(texts.json["outputs"]) == 2


@pytest.mark.parametrize(
    "inputs, sentence",
    [
        ([[1.0]], "inputs: is one array, and the model has several inputs: "),
        ({"alcohol": 1}, "inputs.alcohol: must be a list, an entry for each instance, got"),
        ({"alcohol": [1, 2], "hue": [1]}, "have: 'alcohol' 2, 'hue' 1"),
        ({"alcohol": [1]}, "missing inputs"),
        ({}, "'instances' is an empty list"),
    ],
)
def test_columns_that_are_none(base: Running, inputs: Any, sentence: str) -> None:
    answer = base.post("/v1/models/wine:predict", {"inputs": inputs})
    assert answer.status == 400 and sentence in answer.json["error"]


def test_the_state_and_the_metadata_are_those_of_a_version(base: Running) -> None:
    state = base.get("/v1/models/wine/versions/2").json["model_version_status"]
    assert state == [
        {
            "version": "2",
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
    ]
    assert base.get("/v1/models/wine/versions/1").status == 404
    assert base.get("/v1/models/wine/versions/1/metadata").status == 404
    found = base.get("/v1/models/wine/metadata").json
    assert found["model_spec"] == {"name": "wine", "signature_name": "", "version": "2"}
    signature = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["alcohol"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}],
            "unknown_rank": False,
        },
        "name": "serving_default_alcohol:0",
    }


def test_our_own_client_of_the_protocol_is_answered(base: Running) -> None:
    model = pellucid.load(
        SAMPLES / "wine" / "model",
        warn=lambda it: None,
        method="sampled-shapley",
        paths=4,
        predictor=PredictorSettings(
            url=f"{base.url}/v1/models/wine/versions/2", protocol="tf-serving"
        ),
    )
    here = pellucid.load(
        SAMPLES / "wine" / "model", warn=lambda it: None, method="sampled-shapley", paths=4
    )
    found, expected = (it.explain(WINES[:1], seed=3)[0].labels[0] for it in (model, here))
    assert found.score == pytest.approx(expected.score, rel=1e-6)
    for name, values in expected.features.items():
        np.testing.assert_allclose(found.features[name], values, atol=1e-6)
