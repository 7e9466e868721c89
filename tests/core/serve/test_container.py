"""A custom container's two routes: health, and predictions with explanations beside them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from serving import Running, serving

import pellucid
from pellucid.api import load as load_model
from pellucid.serve import Guard, model_entries
from pellucid.serve.container import ContainerRoutes
from pellucid.serve.server import ServerSettings, listen, run
from places import SAMPLES

WINE = SAMPLES / "wine" / "model"
WINES = json.loads((SAMPLES / "wine" / "instances.json").read_text())["instances"]
ROUTES = ContainerRoutes(health="/ping", predict="/v1/endpoints/5/deployedModels/7:predict")
SETTINGS = ServerSettings(poll=0, container=ROUTES, guard=Guard(None, "0.0.0.0", ("*",)))
STEPS = {"integratedGradientsAttribution": {"stepCount": 9}}


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(f"model={WINE}", settings=SETTINGS) as running:
        yield running


Ask = Callable[..., Any]


@pytest.fixture
def ask(container: Running) -> Ask:
    """``ask(instances, **parameters)`` is the answer of the predict route, with status 200."""

    def asked(instances: Any, **parameters: Any) -> Any:
        body = {"instances": instances, **({"parameters": parameters} if parameters else {})}
        answer = container.post(ROUTES.predict, body, Host="model.internal")
        assert answer.status == 200, answer.data
        return answer.json

    return asked


def test_health_is_503_until_the_model_answers() -> None:
    listening = listen("127.0.0.1", 0)
    port, found = listening.getsockname()[1], list[int]()
    ends: list[Callable[[], None]] = []

    def look() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("GET", ROUTES.health)
        found.append(connection.getresponse().status)
        connection.close()

    def load(directory: Path) -> pellucid.LoadedModel:
        look()
        return load_model(directory, warn=lambda message: None)

    def look_and_end() -> None:
        look()
        ends[0]()

    run(
        model_entries([f"model={WINE}"], lambda message: None), load, listening, SETTINGS,
        say=lambda message: None, write_log=lambda line: None, on_start=ends.append,
        on_ready=lambda: Thread(target=look_and_end).start(),
    )  # fmt: skip
    assert found == [503, 200]


def test_there_is_one_prediction_for_each_instance_in_their_order(ask: Ask) -> None:
    answer = ask(WINES[::-1])
    assert list(answer) == ["predictions"]
    model = pellucid.load(WINE, warn=lambda message: None)
    wanted = [list(it) for it in model.predict(WINES[::-1])]
    np.testing.assert_allclose(answer["predictions"], wanted, rtol=1e-5)


def test_parameters_that_are_null_are_none(container: Running) -> None:
    answer = container.post(ROUTES.predict, {"instances": WINES, "parameters": None})
    assert answer.status == 200 and list(answer.json) == ["predictions"]


@pytest.mark.parametrize(
    "spelling", [STEPS, {"integrated_gradients_attribution": {"step_count": 9}}]
)
def test_explanations_stand_beside_predictions_as_vertex_writes_them(
    container: Running, ask: Ask, spelling: dict[str, Any]
) -> None:
    answer = ask(WINES, explain=True, topK=2, **spelling)
    assert list(answer) == ["predictions", "explanations", "diagnostics"]
    override = {"parameters": {"topK": 2, **STEPS}}
    own = container.post(
        "/v1/projects/p/locations/l/endpoints/model:explain",
        {"instances": WINES, "explanationSpecOverride": override},
    ).json
    np.testing.assert_allclose(answer["predictions"], own["predictions"], rtol=1e-5)
    for found, wanted in zip(answer["explanations"], own["explanations"], strict=True):
        assert len(found["attributions"]) == 2 and found.keys() == wanted.keys()
        for one, other in zip(found["attributions"], wanted["attributions"], strict=True):
            assert one["outputIndex"] == other["outputIndex"]
            for name, values in other["featureAttributions"].items():
                assert one["featureAttributions"][name] == pytest.approx(values, rel=1e-4, abs=1e-6)


def test_an_instance_asks_for_itself(ask: Ask) -> None:
    marked = [dict(WINES[0]), {**WINES[1], "explain": True}, {**WINES[2], "explain": False}]
    explained = [bool(it) for it in ask(marked)["explanations"]]
    assert explained == [False, True, False]
    explained = [bool(it) for it in ask(marked, explain=True)["explanations"]]
    assert explained == [True, True, False]
    one = ask(marked, topK=3)["explanations"][1]
    whole = ask(WINES, explain=True)["explanations"][1]
    assert [len(it["attributions"]) for it in (one, whole)] == [3, 1]
    name = "alcohol"
    values = [it["attributions"][0]["featureAttributions"][name] for it in (one, whole)]
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_what_is_not_to_be_explained_is_not(ask: Ask) -> None:
    assert list(ask(WINES, explain=False, **STEPS)) == ["predictions"]


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ([3], "parameters: must be an object, got a list"),
        ({"explain": "true"}, "parameters.explain: must be true or false, got a string"),
        ({"explian": True}, "parameters: unknown key 'explian'; did you mean 'explain'?"),
        (
            {"explain": True, "topp": 2},
            "parameters.topp: is not a known key; did you mean 'topK'?",
        ),
        (
            {"explain": False, "topp": 2},
            "parameters.topp: is not a known key; did you mean 'topK'?",
        ),
        (
            {"topK": 2},
            'parameters: say how to explain, but nothing is to be explained; add "explain": true',
        ),
        (
            {"explain": True, "sampledShapleyAttribution": {"pathCount": 3}},
            "parameters: the method is integrated-gradients and a request cannot change it; "
            "sampled-shapley needs a deployment of its own",
        ),
    ],
)
def test_parameters_are_judged_as_an_override_is(
    container: Running, parameters: Any, sentence: str
) -> None:
    answer = container.post(ROUTES.predict, {"instances": WINES, "parameters": parameters})
    assert answer.status == 400
    assert answer.json["error"] == {
        "code": 400, "message": sentence, "status": "INVALID_ARGUMENT",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"{", 400, "not JSON"),
        ([3], 400, "a request is an object"),
        ({}, 400, "the request has no key 'instances'"),
        ({"instances": []}, 400, "'instances' is an empty list"),
        ({"instances": [{**WINES[0], "explain": 1}]}, 400, "instances[0].explain: must be true or"),
        ({"instances": [WINES[0], {"explain": True}]}, 400, "instances[1]"),
        (
            {
                "instances": WINES,
                "parameters": {
                    "explain": True,
                    "integratedGradientsAttribution": {"stepCount": 10**8},
                },
            },
            413,
            "the parameters ask for 100,000,000 evaluations",
        ),
    ],
)
def test_a_wrong_request_costs_one_error_as_json(
    container: Running, body: Any, status: int, sentence: str
) -> None:
    answer = container.post(ROUTES.predict, body)
    assert answer.status == answer.json["error"]["code"] == status
    assert sentence in answer.json["error"]["message"]


def test_the_predict_route_takes_post_alone(container: Running) -> None:
    assert container.get(ROUTES.predict).status == 405
    assert container.get(ROUTES.health).status == 200


def test_health_and_predictions_may_have_one_path_and_one_that_others_have(tmp_path: Path) -> None:
    """The container's go before; what it is asked is recorded, whatever the path is called."""
    routes = ContainerRoutes(health="/healthz", predict="/healthz")
    settings = ServerSettings(poll=0, container=routes, record=tmp_path / "kept")
    with serving(f"model={WINE}", settings=settings) as running:
        assert running.get("/healthz").json == {"ready": True}
        assert len(running.post("/healthz", {"instances": WINES}).json["predictions"]) == 3
    (kept,) = (tmp_path / "kept").iterdir()
    assert json.loads(kept.read_text())["path"] == "/healthz"


def test_an_input_called_explain_is_the_model_s(tmp_path: Path) -> None:
    from pellucid.runtime.engine.tensorflow import tf

    class Explains(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="explain")])
        def serve(self, explain: Any) -> Any:
            return {"twice": 2 * explain}

    module = Explains()
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": module.serve})
    with serving(f"model={tmp_path}", settings=SETTINGS) as running:
        body = {"instances": [{"explain": 3}], "parameters": {"explain": True}}
        answer = running.post(ROUTES.predict, body).json
    assert answer["predictions"] == [6]
    assert answer["explanations"][0]["attributions"][0]["instanceOutputValue"] == 6
