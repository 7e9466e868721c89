"""The models of a server: their names and versions, and loading them when they change."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving import Running, Stub, listen, serving, until

from pellucid.api import load
from pellucid.errors import ModelError, SpecError
from pellucid.notices import Message
from pellucid.saved_model import Stamp, brought, stamp
from pellucid.serve import model_repository
from pellucid.serve.model_repository import model_entries
from pellucid.serve.server import ServerSettings
from places import SAMPLES
from stores import memory_store

WINE = SAMPLES / "wine" / "model"
POLL = ServerSettings(poll=0.05)


def names(*arguments: object) -> dict[str, list[str]]:
    said: list[Message] = []
    return {
        m.name: list(m.versions) for m in model_entries([str(a) for a in arguments], said.append)
    }


def model_at(directory: Path) -> Path:
    directory.mkdir(parents=True)
    (directory / "saved_model.pb").touch()
    return directory


def test_a_model_is_called_after_its_directory_or_as_one_says(tmp_path: Path) -> None:
    cats = model_at(tmp_path / "cats")
    assert names(cats) == {"cats": ["1"]}
    assert names(f"dogs={cats}") == {"dogs": ["1"]}
    assert names(f"7465={cats}", cats) == {"7465": ["1"], "cats": ["1"]}
    # As the sample models lie: a directory `model` says nothing, the one above it does.
    assert names(WINE) == {"wine": ["1"]}


def test_a_directory_whose_name_has_an_equals_sign_is_a_directory(tmp_path: Path) -> None:
    odd = model_at(tmp_path / "a=b")
    with pytest.raises(SpecError, match="'a=b' cannot be the name of a model"):
        names(odd)
    assert names(f"c={odd}") == {"c": ["1"]}


def test_versions_are_named_or_found(tmp_path: Path) -> None:
    for version in ("2", "10"):
        model_at(tmp_path / "cats" / version)
    (tmp_path / "cats" / "notes").mkdir()
    assert names(tmp_path / "cats") == {"cats": ["10", "2"]}
    (entries,) = model_entries([str(tmp_path / "cats")], print)
    assert entries.default.name == "10"
    assert names(f"cats/v1={tmp_path}/cats/2", f"cats/v2={tmp_path}/cats/10") == {
        "cats": ["v1", "v2"]
    }


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["{}/cats", "{}/cats"], "two models are called 'cats'"),
        (["c ats={}/cats"], "'c ats' cannot be the name of a model"),
        (["../x={}/cats"], "'..' cannot be the name of a model"),
    ],
)
def test_names_that_cannot_be(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    model_at(tmp_path / "cats")
    with pytest.raises(SpecError) as raised:
        names(*(a.format(tmp_path) for a in arguments))
    assert sentence in str(raised.value)


def test_a_directory_without_a_model_says_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no saved_model\.pb"):
        names(tmp_path)
    with pytest.raises(ModelError, match="does not exist"):
        names(tmp_path / "nowhere")


def test_a_version_that_leads_out_of_the_directory_is_not_served(tmp_path: Path) -> None:
    outside = model_at(tmp_path / "outside")
    model_at(tmp_path / "cats" / "1")
    (tmp_path / "cats" / "2").symlink_to(outside)
    said: list[Message] = []
    (entries,) = model_entries([str(tmp_path / "cats")], said.append)
    assert list(entries.versions) == ["1"]
    assert list(map(str, said)) == [
        f"{tmp_path}/cats/2: leads out of {tmp_path}/cats, and is not served"
    ]


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """``looked()`` waits until the server has looked at the directories a few times more."""
    looks = 0

    def counted(*arguments: Any) -> Stamp:
        nonlocal looks
        looks += 1
        return stamp(*arguments)

    def wait() -> None:
        enough = looks + 5
        until(lambda: looks >= enough)

    monkeypatch.setattr(model_repository, "stamp", counted)
    return wait


class Numbered(Stub):
    """A model that says which load it is."""

    def __init__(self, number: int = 0, **parts: Any) -> None:
        super().__init__(**parts)
        self.gate.set()
        self.number = number

    def predict(self, instances: list[Any]) -> list[Any]:
        import numpy as np

        return [np.float32(self.number) for _ in instances]


class Loads:
    """Loads a model whose directory says `good`, and counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, directory: Path) -> Numbered:
        if (directory / "saved_model.pb").read_text().startswith("bad"):
            raise ModelError(f"{directory}: this is no model")
        self.count += 1
        return Numbered(self.count)


def said_by(running: Running, version: str | None = None) -> Any:
    tail = "" if version is None else f"/versions/{version}"
    answer = running.post(f"/v1/projects/p/models/cats{tail}:predict", {"instances": [1]})
    return answer.json["predictions"][0] if answer.status == 200 else answer.status


def test_a_changed_model_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    cats = model_at(tmp_path / "cats")
    with serving(str(cats), settings=POLL, load=Loads()) as running:
        assert said_by(running) == 1
        (cats / "saved_model.pb").write_text("good")
        until(lambda: said_by(running) == 2)
        assert list(map(str, running.said)) == [f"cats: loaded anew from {cats}"]
        text = running.get("/metrics").data.decode()
        assert 'pellucid_model_reloads_total{model="cats",result="loaded"} 1.0' in text


def test_a_broken_model_leaves_the_old_one_and_is_said_once(
    tmp_path: Path, looked: Callable[[], None]
) -> None:
    cats = model_at(tmp_path / "cats")
    with serving(str(cats), settings=POLL, load=Loads()) as running:
        (cats / "saved_model.pb").write_text("bad")
        until(lambda: bool(running.said))
        looked()
        assert list(map(str, running.said)) == [
            "cats: changed, but cannot be loaded, the one before goes on answering: "
            f"{cats}: this is no model"
        ]
        assert said_by(running) == 1 and running.get("/v1/models/cats").json["ready"]
        (cats / "saved_model.pb").write_text("good again")
        until(lambda: said_by(running) == 2)
        text = running.get("/metrics").data.decode()
        assert 'pellucid_model_reloads_total{model="cats",result="refused"} 1.0' in text


def test_a_directory_that_goes_away_leaves_its_model(
    tmp_path: Path, looked: Callable[[], None]
) -> None:
    cats = model_at(tmp_path / "cats")
    with serving(str(cats), settings=POLL, load=Loads()) as running:
        shutil.rmtree(cats)
        looked()
        assert said_by(running) == 1 and running.said == []


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The store of ``memory://``, which is asked once, and copied to a cache of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pellucid.remote.stores.PAUSES", ())
    with memory_store() as store:
        yield store


def test_a_model_elsewhere_takes_the_place_of_the_old_one_when_it_changes(memory: Any) -> None:
    address = "memory://bucket/cats"
    memory.pipe_file(f"{address}/saved_model.pb", b"")
    memory.pipe_file(f"{address}/variables/variables.index", b"1")
    with serving(address, settings=POLL, load=Loads()) as running:
        assert said_by(running) == 1
        running.said.clear()  # where it was copied to
        memory.pipe_file(f"{address}/variables/variables.index", b"2")
        until(lambda: said_by(running) == 2)
        assert list(map(str, running.said)) == [f"cats: loaded anew from {address}"]
        memory.pipe_file(f"{address}/saved_model.pb", b"bad")
        until(lambda: len(running.said) == 2)
        said = str(running.said[-1])
        assert said.startswith("cats: changed, but cannot be loaded, the one before goes on")
        memory.pipe_file(f"{address}/saved_model.pb", b"good")
        until(lambda: said_by(running) == 3)


def test_the_port_is_open_while_a_model_elsewhere_is_copied_here(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "memory://bucket/cats"
    memory.pipe_file(f"{address}/saved_model.pb", b"")
    ports: list[int] = []
    seen: dict[str, int] = {}

    def listening(host: str, port: int) -> Any:
        found = listen(host, port)
        ports.append(found.getsockname()[1])
        return found

    def bringing(model: str, say: Any) -> Any:
        for path in ("/healthz", "/readyz", "/v1/models/cats", "/v2/health/ready"):
            connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=60)
            connection.request("GET", path)
            seen[path] = connection.getresponse().status
            connection.close()
        return brought(model, say)

    monkeypatch.setattr("serving.listen", listening)
    monkeypatch.setattr(model_repository, "brought", bringing)
    with serving(address, settings=ServerSettings(poll=0), load=Loads()) as running:
        assert running.get("/readyz").status == 200
        assert said_by(running) == 1
    assert seen == {
        "/healthz": 200,
        "/readyz": 503,
        "/v1/models/cats": 503,
        "/v2/health/ready": 503,
    }


def test_a_model_that_is_not_at_its_address_ends_the_server(memory: Any) -> None:
    with (
        pytest.raises(ModelError, match="memory://bucket/cats"),
        serving("memory://bucket/cats", load=Loads()),
    ):
        pass


def test_a_store_that_does_not_answer_leaves_its_model_and_is_said_once(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "memory://bucket/cats"
    memory.pipe_file(f"{address}/saved_model.pb", b"")
    asked: list[str] = []

    def lost(self: Any, path: str, **options: Any) -> Any:
        asked.append(path)
        raise ConnectionResetError("reset by peer")

    with serving(address, settings=POLL, load=Loads()) as running:
        running.said.clear()
        with monkeypatch.context() as patch:
            patch.setattr(type(memory), "ls", lost)
            until(lambda: len(asked) > 3)
        (said,) = map(str, running.said)
        assert said.startswith("cats: cannot be looked at for changes, and goes on answering as it")
        assert "the connection was lost in the middle (reset by peer)" in said
        assert said_by(running) == 1
        memory.pipe_file(f"{address}/saved_model.pb", b"good")
        until(lambda: said_by(running) == 2)


def test_a_new_version_becomes_the_default(tmp_path: Path) -> None:
    model_at(tmp_path / "cats" / "1")
    with serving(str(tmp_path / "cats"), settings=POLL, load=Loads()) as running:
        assert said_by(running) == 1
        model_at(tmp_path / "cats" / "2")
        until(lambda: said_by(running) == 2)
        assert (said_by(running, "1"), said_by(running, "2")) == (1, 2)


def test_another_version_is_loaded_when_it_is_asked_for(tmp_path: Path) -> None:
    for version in ("1", "2", "3"):
        model_at(tmp_path / "cats" / version)
    (tmp_path / "cats" / "1" / "saved_model.pb").write_text("bad")
    loads = Loads()
    with serving(str(tmp_path / "cats"), load=loads) as running:
        assert loads.count == 1
        assert (said_by(running, "2"), said_by(running, "2"), said_by(running)) == (2, 2, 1)
        assert said_by(running, "1") == 503
        assert list(map(str, running.said)) == [
            f"cats, version 1: cannot be loaded: {tmp_path}/cats/1: this is no model"
        ]


def test_a_model_that_cannot_be_loaded_at_the_start_ends_the_server(tmp_path: Path) -> None:
    (model_at(tmp_path / "cats") / "saved_model.pb").write_text("bad")
    with (
        pytest.raises(ModelError, match="this is no model"),
        serving(str(tmp_path / "cats"), load=Loads()),
    ):
        pass


def test_a_real_model_is_loaded_anew(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(WINE, tmp_path / "wine"))
    request = json.loads((SAMPLES / "wine" / "instances.json").read_text())
    with serving(str(copy), settings=POLL) as running:

        def baseline() -> float:
            found = running.post("/v1/models/wine:explain", request).json["explanations"]
            return float(found[0]["attributions_by_label"][0]["baseline_score"])

        before = baseline()
        file = copy / "explanation_metadata.json"
        metadata = json.loads(file.read_text())
        metadata["inputs"]["alcohol"]["input_baselines"] = [11.0]
        file.write_text(json.dumps(metadata))
        until(lambda: running.said)
        assert baseline() != before
        file.write_text("{")
        until(lambda: len(running.said) == 2)
        assert "the one before goes on answering" in str(running.said[1])
        assert baseline() != before


@pytest.mark.parametrize(
    "name, settings",
    [
        ("digits", {"method": "lime", "samples": 20000}),
        ("digits", {"method": "integrated-gradients", "steps": 5000, "noisy_samples": 500}),
        ("wine", {"method": "sampled-shapley", "paths": 5000}),
        ("wine", {"method": "sampled-shapley", "tolerance": 1e-9, "max_steps": 5000}),
        ("wine", {"method": "integrated-gradients", "tolerance": 1e-12, "max_steps": 5000}),
    ],
)
def test_a_model_is_warmed_up_with_little(name: str, settings: dict[str, Any]) -> None:
    model = load(SAMPLES / name / "model", warn=lambda it: None, **settings)
    rows = 0
    served = model.explainer.model

    class Counted:
        def __getattr__(self, name: str) -> Any:
            found = getattr(served, name)
            if not callable(found):
                return found

            def counted(*given: Any, **named: Any) -> Any:
                nonlocal rows
                if given and isinstance(given[0], dict):
                    rows += max(len(it) for it in given[0].values())
                return found(*given, **named)

            return counted

    explainer = replace(model.explainer, model=Counted())
    model_repository.warm(replace(model, explainers=(explainer,)))
    assert 0 < rows < 500
