"""``pellucid serve`` in a custom container of Vertex AI, which tells it all by ``AIP_*``."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import pytest

from forked import Forks
from pellucid_cli.options.vertex import container_of
from places import ROOT, SAMPLES
from venvs import environment_with
from waiting import until

WINE = SAMPLES / "wine" / "model"
REQUEST = json.loads((SAMPLES / "wine" / "instances.json").read_text())


def ask(url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as found:
            return found.status, json.loads(found.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def until_healthy(url: str, **headers: str) -> None:
    until(lambda: ask(url, **headers)[0] == 200)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextmanager
def contained(
    forks: Forks, *arguments: object, **environment: object
) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The program with variables set, the first line that it says, and the address it prints."""
    run = subprocess.Popen(
        [forks.command, "serve", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {f"AIP_{key}": str(value) for key, value in environment.items()},
    )
    try:
        assert run.stdout is not None and run.stderr is not None
        said = run.stderr.readline().strip()
        yield run, said, run.stdout.readline().strip()
    finally:
        run.kill()
        run.communicate()


@pytest.mark.slow
def test_the_environment_says_where_it_listens_and_what_it_serves(forks: Forks) -> None:
    port = free_port()
    with contained(
        forks, MODE="PREDICTION", HTTP_PORT=port, HEALTH_ROUTE="/ping", PREDICT_ROUTE="/judge",
        STORAGE_URI=WINE, ENDPOINT_ID=5, DEPLOYED_MODEL_ID=7, FRAMEWORK="CUSTOM_CONTAINER",
        ENPOINT_ID=5,
    ) as (_, said, url):  # fmt: skip
        assert url == f"http://0.0.0.0:{port}"
        assert said == (
            f"as a container of Vertex AI (AIP_*): port {port}, health at /ping, predictions at "
            f"/judge, the model of {WINE}, open to every address and name; unknown and ignored: "
            "AIP_ENPOINT_ID (did you mean 'AIP_ENDPOINT_ID'?)"
        )
        here = f"http://localhost:{port}"
        until_healthy(f"{here}/ping", Host="of.the.platform")
        status, answer = ask(f"{here}/judge", REQUEST, Host="of.the.platform")
        assert status == 200 and len(answer["predictions"]) == 3
        body = {**REQUEST, "parameters": {"explain": True, "topK": 2}}
        status, answer = ask(f"{here}/judge", body, **{"Content-Type": "application/json"})
        assert [len(it["attributions"]) for it in answer["explanations"]] == [2, 2, 2]


@pytest.mark.slow
def test_what_is_typed_goes_before_and_a_bucket_may_be_a_directory(forks: Forks) -> None:
    with contained(
        forks, "--port", 0, "--host", "127.0.0.1", "--map", f"gs://bucket={SAMPLES}",
        HTTP_PORT=1, STORAGE_URI="gs://bucket/wine/model/",
    ) as (_, said, url):  # fmt: skip
        assert f"predictions at /predict, the model of {WINE}" in said
        assert url.startswith("http://127.0.0.1:") and not url.endswith(":1")
        until_healthy(f"{url}/health")
        assert ask(f"{url}/v1/models") == (200, {"models": ["model"]})
        # Bound to this machine alone, it is asked as without a container, but by any name.
        assert len(ask(f"{url}/predict", REQUEST, Host="any.name")[1]["predictions"]) == 3


REFUSED = [
    ({"HTTP_PORT": "80a"}, "AIP_HTTP_PORT: '80a' is no port; choose 1 to 65535"),
    ({"HTTP_PORT": "0"}, "AIP_HTTP_PORT: '0' is no port; choose 1 to 65535"),
    ({"HTTP_PORT": "65536"}, "AIP_HTTP_PORT: '65536' is no port; choose 1 to 65535"),
    ({"HEALTH_ROUTE": "ping"}, "AIP_HEALTH_ROUTE: 'ping' is no path; write /ping"),
    ({"PREDICT_ROUTE": "/{x}"}, "AIP_PREDICT_ROUTE: '/{x}' is no path; letters, digits and "),
    ({"MODE": "TRAINING"}, "AIP_MODE: 'TRAINING' is no mode of a server; PREDICTION is"),
    ({"STORAGE_URI": "/not/there"}, "AIP_STORAGE_URI: '/not/there' is not there; name the dir"),
    ({"STORAGE_URI": "ftp://a/b"}, "ftp://a/b: addresses of ftp:// are not read; those of gs://"),
    ({"HTTP_PORT": "8080"}, "no model: name a MODEL_DIR, or --model_name as KServe does"),
]


@pytest.mark.parametrize(("variables", "sentence"), REFUSED, ids=lambda it: str(it)[:30])
def test_what_makes_no_sense_is_refused_before_anything_is_loaded(
    program: Any, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sentence: str
) -> None:
    for key, value in variables.items():
        monkeypatch.setenv(f"AIP_{key}", value)
    run = program("serve", *([] if "HTTP_PORT" in variables else ["--quiet"]))
    assert run.code == 2 and sentence in run.err and not run.out


def test_a_container_answers_for_one_model(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIP_MODE", "PREDICTION")
    for models in ((WINE, SAMPLES / "digits" / "model"), ("--model-base", SAMPLES)):
        run = program("serve", *models)
        assert run.code == 2
        assert "a container of Vertex AI answers for one model, and its AIP_* are set" in run.err


def test_routes_that_are_not_said_are_those_of_the_documents() -> None:
    assert container_of({}) is None
    # Set so for models without artifacts; and what a training job has makes no server.
    assert container_of({"AIP_STORAGE_URI": "", "AIP_MODEL_DIR": "gs://b/m"}) is None
    ids = {"AIP_MODE": "PREDICTION", "AIP_ENDPOINT_ID": "5", "AIP_DEPLOYED_MODEL_ID": "7"}
    found = container_of(ids)
    assert found is not None and found.port is None and found.storage is None
    assert found.health == "/v1/endpoints/5/deployedModels/7"
    assert found.predict == "/v1/endpoints/5/deployedModels/7:predict"
    local = container_of({"AIP_HTTP_PORT": "9000"})
    assert local is not None
    assert (local.port, local.health, local.predict) == (9000, "/health", "/predict")
    with pytest.raises(click.UsageError):
        container_of({"AIP_HTTP_PORT": "９０"})


# Google's own client of containers; where Docker would be, the program runs as it is.
LOCAL_ENDPOINT = """
import json, os, subprocess, sys
import docker

given = json.load(sys.stdin)

class Container:
    def __init__(self, image, command, environment, ports):
        assert ports == {given["port"]: given["port"]}
        self.run = subprocess.Popen([image, *command], env={**os.environ, **environment})
    @property
    def status(self):
        return "exited" if self.run.poll() is not None else "running"
    def reload(self):
        pass
    def stop(self):
        self.run.terminate()
        self.run.wait()
    def logs(self):
        return b""

class Docker:
    @property
    def containers(self):
        return self
    def run(self, image, *, command, environment, ports, **others):
        return Container(image, command, {k: str(v) for k, v in environment.items()}, ports)

docker.from_env = Docker

from google.auth.credentials import AnonymousCredentials
from google.cloud.aiplatform.prediction import LocalEndpoint
from google.cloud.aiplatform_v1.services.prediction_service import PredictionServiceClient
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value

def value(item):
    return json_format.ParseDict(item, Value())

name = "projects/p/locations/europe-west4/endpoints/5"
with LocalEndpoint(
    given["program"], artifact_uri="gs://bucket/wine/model",
    serving_container_args=["serve", "--quiet", "--map", given["map"]],
    serving_container_predict_route=f"/v1/{name}:predict",
    serving_container_health_route="/ping",
    serving_container_ports=[given["port"]], host_port=given["port"],
) as endpoint:
    asked = json.dumps({**given["request"], "parameters": {"explain": True, "topK": 2}})
    headers = {"Content-Type": "application/json"}
    found = endpoint.predict(request=asked, headers=headers)
    wrong = endpoint.predict(request="{}", headers=headers)
    client = PredictionServiceClient(
        credentials=AnonymousCredentials(), transport="rest",
        client_options={"api_endpoint": f"http://127.0.0.1:{given['port']}"},
    )
    remote = client.predict(
        endpoint=name, instances=[value(it) for it in given["request"]["instances"]],
        parameters=value({"explain": True}),
    )
    health = endpoint.run_health_check().status_code
print(json.dumps({
    "health": health, "status": found.status_code, "body": found.json(),
    "wrong": [wrong.status_code, wrong.json()],
    "remote": [list(it) for it in remote.predictions],
}))
"""


@pytest.mark.slow
def test_google_s_local_endpoint_and_its_prediction_client(forks: Forks) -> None:
    try:
        venv = environment_with("aiplatform-local", ("google-cloud-aiplatform[prediction]",))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"google-cloud-aiplatform cannot be installed: {error.stderr[-200:]}")
    given = {
        "program": str(forks.command),
        "map": f"gs://bucket={SAMPLES}",
        "port": free_port(),
        "request": REQUEST,
    }
    done = subprocess.run(
        [venv / "bin" / "python", "-W", "ignore", "-c", LOCAL_ENDPOINT],
        input=json.dumps(given),
        env={k: v for k, v in os.environ.items() if "PROXY" not in k.upper()},
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["health"], found["status"]) == (200, 200)
    assert [len(it["attributions"]) for it in found["body"]["explanations"]] == [2, 2, 2]
    for own, other in zip(found["body"]["predictions"], found["remote"], strict=True):
        assert own == pytest.approx(other, rel=1e-5)
    status, body = found["wrong"]
    assert status == 400 and "has no key 'instances'" in body["error"]["message"]
