"""An explainer whose predictor is another server: the same explanations, and the right statuses."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving import Running, serving, until

import pellucid
from pellucid.predictor import PredictorSettings
from pellucid.serve.limits import Limits
from pellucid.serve.server import ServerSettings
from places import SAMPLES
from stand_in import V2, Reply, StandIn, standing_in

WINE = SAMPLES / "wine" / "model"
WINES = json.loads((SAMPLES / "wine" / "instances.json").read_text())


def unheard(message: object) -> None:
    pass


@pytest.fixture(scope="module")
def predictor() -> Iterator[Running]:
    with serving(f"wine={WINE}") as running:
        yield running


@pytest.mark.parametrize("path", ["/v1/models/wine", "/v1/projects/p/locations/l/endpoints/wine"])
def test_a_predictor_of_ours_is_explained_as_the_model_itself(
    predictor: Running, path: str
) -> None:
    settings: dict[str, Any] = {"method": "sampled-shapley", "paths": 5, "warn": unheard}
    here = pellucid.load(WINE, **settings).explain(WINES["instances"])
    there = pellucid.load(WINE, predictor=predictor.url + path, **settings)
    found = there.explain(WINES["instances"])
    for mine, theirs in zip(here, found, strict=True):
        assert mine.labels[0].name == theirs.labels[0].name
        for name, value in mine.labels[0].features.items():
            # Other companies of rows round otherwise.
            assert theirs.labels[0].features[name] == pytest.approx(value, abs=1e-5)


class Explainer:
    """A server that explains a stand-in."""

    def __init__(self, stack: ExitStack, tmp: Path, timeout: float = 60.0) -> None:
        self.predictor: StandIn = stack.enter_context(standing_in())
        signature = tmp / "linear.json"
        signature.write_text(json.dumps(V2))
        asked = PredictorSettings(url=f"{self.predictor.url}/v1/models/linear", timeout=timeout)
        limits = replace(Limits(), seconds=30.0)
        self.server = stack.enter_context(
            serving(
                f"linear={signature}",
                settings=ServerSettings(poll=0, limits=limits),
                load=lambda place: pellucid.load(place, predictor=asked, warn=unheard),
            )
        )

    def explain(self, **headers: str) -> Any:
        body = {"instances": [[1.0, 2.0, 3.0]]}
        return self.server.post("/v1/models/linear:explain", body, **headers)


@pytest.fixture
def explainer(tmp_path: Path) -> Iterator[Explainer]:
    with ExitStack() as stack:
        yield Explainer(stack, tmp_path)


def test_an_explainer_answers_by_its_predictor(explainer: Explainer) -> None:
    answer = explainer.explain()
    assert answer.status == 200
    (label,) = answer.json["explanations"][0]["attributions_by_label"]
    assert label["attributions"]["x"] == [1.0, 6.0, 0.0]
    predicted = explainer.server.post("/v1/models/linear:predict", {"instances": [[1.0, 2.0, 3.0]]})
    assert predicted.json == {"predictions": [[7.0, 2.0]]}


@pytest.mark.parametrize(
    ("reply", "status", "why"),
    [
        (Reply({"error": "boom"}, 500), 502, "answers 500: boom"),
        (Reply(b"<html>", headers={"Content-Type": "text/html"}), 502, "text/html instead of JSON"),
        (Reply(b'{"predictions": [[NaN, 1]]}'), 502, "gives NaN in output 'y'"),
        (Reply({"error": "too many"}, 400), 400, "refuses what it is asked (400): too many"),
    ],
)
def test_a_bad_predictor_is_a_bad_gateway(
    explainer: Explainer, reply: Reply, status: int, why: str
) -> None:
    explainer.predictor.answer = lambda asked: reply
    answer = explainer.explain()
    assert answer.status == status
    assert why in answer.json["error"]
    assert f"predictor {explainer.predictor.url}/v1/models/linear: " in answer.json["error"]


def test_a_slow_predictor_is_a_gateway_that_times_out(tmp_path: Path) -> None:
    with ExitStack() as stack:
        slow = Explainer(stack, tmp_path, timeout=0.2)
        slow.predictor.answer = lambda asked: None
        answer = slow.explain()
    assert answer.status == 504
    assert "does not answer within 0.2 s" in answer.json["error"]


def test_who_goes_away_takes_the_predictors_requests_along(explainer: Explainer) -> None:
    explainer.predictor.answer = lambda asked: None
    client = http.client.HTTPConnection("127.0.0.1", explainer.server.port)
    body = json.dumps({"instances": [[1.0, 2.0, 3.0]]})
    client.request("POST", "/v1/models/linear:explain", body)
    until(lambda: explainer.predictor.asked)
    client.close()
    until(explainer.predictor.gone.is_set)
    until(lambda: explainer.server.log)
    assert explainer.server.log[-1]["status"] == 499
