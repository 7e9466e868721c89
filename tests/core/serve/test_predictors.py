"""An explainer whose predictor is another server: the same explanations, and the right statuses."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import Running, serving, until

import pellucid
from pellucid.inputs import read_image
from pellucid.inputs.grids import GridWriter
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


@pytest.mark.parametrize(
    ("path", "protocol"),
    [("/v1/models/photos", None), ("/v1/models/photos", "tf-serving"), ("/v2/models/photos", None)],
)
def test_a_picture_is_explained_as_by_the_model_itself(path: str, protocol: str | None) -> None:
    photos = SAMPLES / "photos"
    settings: dict[str, Any] = {"method": "lime", "samples": 60, "warn": unheard}
    here = pellucid.load(photos / "model", **settings)
    pictures = [
        read_image(photos / "images" / f"{name}.jpg", here.inputs) for name in ("cat", "rocket")
    ]
    with serving(f"photos={photos / 'model'}") as running:
        asked = PredictorSettings(url=running.url + path, protocol=protocol)
        there = pellucid.load(photos / "model", predictor=asked, **settings)
        found = there.explain(pictures)
    for mine, theirs in zip(here.explain(pictures), found, strict=True):
        assert mine.labels[0].name == theirs.labels[0].name
        np.testing.assert_allclose(
            theirs.labels[0].features["image"], mine.labels[0].features["image"], atol=1e-6
        )


def test_rows_of_a_grid_are_predicted_and_refused_as_any_others() -> None:
    photos = SAMPLES / "photos"
    picture = read_image(photos / "images" / "cat.jpg", pellucid.load(photos / "model").inputs)
    rows = np.stack([picture.tensors["image"], np.zeros((224, 224, 3), np.float32)])
    text = bytes(GridWriter(rows.shape[1:], rows.dtype).write(rows))
    grid = b'{"instances":[  ' + text + b"]}"
    columns = b'{"inputs":{"image":[    ' + text + b"]}}"
    settings = ServerSettings(poll=0, limits=replace(Limits(), instances=2))
    with serving(f"photos={photos / 'model'}", settings=settings) as running:
        path = "/v1/models/photos:predict"
        plain = running.post(path, {"instances": rows.tolist()}).json
        assert np.shape(plain["predictions"]) == (2, 7)
        assert running.post(path, grid).json == plain
        assert running.post(path, columns).json == {"outputs": plain["predictions"]}
        for wrong, status in (
            (grid.replace(b'"instances"', b'"instancez"'), 400),
            (grid.replace(b"0.0 ", b"0.x ", 1), 400),
            (grid.replace(b"]}", b'],"signature_name":"other"}'), 400),
            (b'{"instances":[  ' + text + b",       " + text + b"]}", 413),
        ):
            compact = b"".join(wrong.split())
            answers = [running.post(path, body) for body in (wrong, compact)]
            assert [it.status for it in answers] == [status, status]
            said = {re.sub(r"column \d+", "column", it.json["error"]) for it in answers}
            assert len(said) == 1


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


def test_a_deadline_of_the_client_s_own_names_the_predictor_that_it_waits_for(
    explainer: Explainer,
) -> None:
    explainer.predictor.answer = lambda asked: None
    answer = explainer.explain(**{"X-Server-Timeout": "0.2"})
    assert answer.status == 504
    why = "/v1/models/linear: does not answer all that is asked of it within 0.2 s; "
    assert f"predictor {explainer.predictor.url}{why}" in answer.json["error"]


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
