"""The files to deploy a server with: what they name is there, and the server starts as they say."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from serving import serving

from pellucid.errors import OutputError
from pellucid.serve import DEPLOYMENTS, deployment
from pellucid.serve.auth import Guard
from pellucid.serve.server import ServerSettings
from pellucid_cli.commands.serve import serve
from pellucid_cli.options.vertex import container_of
from places import ROOT, SAMPLES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENTRY = ["--host", "0.0.0.0"]


def documents(kind: str) -> list[Any]:
    return list(yaml.safe_load_all(deployment(kind)))


def understood(arguments: list[str]) -> dict[str, Any]:
    """What the options of `pellucid serve` are, by these arguments; it is not run."""
    context = serve.make_context("serve", list(arguments))
    with context:
        return dict(context.params)


def test_the_image_is_made_of_what_is_there() -> None:
    lines = re.sub(r"\\\n", " ", deployment("docker")).splitlines()
    steps = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
    copied = [words.split()[:-1] for step, words in steps if step == "COPY"]
    assert copied and all((ROOT / source).exists() for group in copied for source in group)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {project["readme"], *project["license-files"], "pyproject.toml", "core", "cli"}
    assert {source for group in copied for source in group} == named
    (extras,) = re.findall(r"'\.\[([a-z,]+)\]'", deployment("docker"))
    assert {*extras.split(",")} <= {*project["optional-dependencies"]}
    (entry,) = [json.loads(words) for step, words in steps if step == "ENTRYPOINT"]
    (command,) = [json.loads(words) for step, words in steps if step == "CMD"]
    assert entry == ["pellucid", "serve", *ENTRY]
    settings = understood([*entry[2:], *command])
    assert settings["model_base"] == Path("/models")
    assert ["EXPOSE", str(settings["port"])] in steps


def test_compose_starts_the_image(tmp_path: Path) -> None:
    service = documents("compose")[0]["services"]["pellucid"]
    folder = ROOT / "core" / "pellucid" / "serve" / "deploy"
    context = (folder / service["build"]["context"]).resolve()
    assert context == ROOT and (context / service["build"]["dockerfile"]).is_file()
    assert understood([*ENTRY, *service["command"]])["metrics_open"]
    assert service["healthcheck"]["test"][:2] == ["CMD", "python"]
    compile(service["healthcheck"]["test"][3], "healthcheck", "exec")


def test_a_deployment_has_one_port_its_volumes_and_its_probes() -> None:
    work, service = documents("kubernetes")
    assert (work["apiVersion"], work["kind"]) == ("apps/v1", "Deployment")
    assert (service["apiVersion"], service["kind"]) == ("v1", "Service")
    pod = work["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert work["spec"]["selector"]["matchLabels"] == labels == service["spec"]["selector"]
    (container,) = pod["spec"]["containers"]
    assert container["command"] == ["pellucid", "serve"]
    settings = understood(container["args"])
    (port,) = container["ports"]
    assert port["containerPort"] == settings["port"]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert str(settings["port"]) == pod["metadata"]["annotations"]["prometheus.io/port"]
    mounts = {it["name"]: it["mountPath"] for it in container["volumeMounts"]}
    assert mounts.keys() == {it["name"] for it in pod["spec"]["volumes"]}
    assert settings["model_base"] == Path(mounts["models"])
    assert settings["token_file"].parent == Path(mounts["token"])
    assert pod["spec"]["terminationGracePeriodSeconds"] > settings["drain"]
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")]
    assert [it["path"] for it in probes] == ["/readyz", "/readyz", "/healthz"]
    assert {it["port"] for it in probes} == {port["name"]}


def test_the_explainer_takes_what_kserve_adds() -> None:
    (service,) = documents("kserve")
    assert (service["apiVersion"], service["kind"]) == (
        "serving.kserve.io/v1beta1",
        "InferenceService",
    )
    assert service["spec"]["predictor"]["model"]["modelFormat"] == {"name": "tensorflow"}
    (container,) = service["spec"]["explainer"]["containers"]
    assert container["command"] == ["pellucid", "serve"]
    added = ["--model_name", "wine", "--predictor_host", "wine-predictor.ns", "--http_port", "8080"]
    settings = understood([*container["args"], *added])
    assert settings["http_port"] == container["ports"][0]["containerPort"]
    assert settings["model_dir"] == Path("/mnt/models")


def test_vertex_starts_the_image_with_a_model() -> None:
    text = deployment("vertex")
    checked = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    flags = dict(re.findall(r"--(container-[a-z-]+)=(\S+)", text))
    settings = understood([*ENTRY, flags["container-args"]])
    name, _, place = settings["models"][0].partition("=")
    assert name == "model" and f"COPY %s {place}\\n" in text
    assert int(flags["container-ports"]) == settings["port"]
    # What Vertex AI then tells the container is taken by it.
    container = container_of(
        {
            "AIP_HTTP_PORT": flags["container-ports"],
            "AIP_HEALTH_ROUTE": flags["container-health-route"],
            "AIP_PREDICT_ROUTE": flags["container-predict-route"],
        }
    )
    assert container is not None and container.predict == "/predict"


def test_every_file_is_offered() -> None:
    option = next(it for it in serve.params if it.name == "print_deploy")
    assert isinstance(option.type, click.Choice)
    assert {*option.type.choices} == {*DEPLOYMENTS}


@pytest.mark.parametrize("open_metrics", [True, False])
def test_metrics_are_open_where_that_is_said(open_metrics: bool) -> None:
    guard = Guard("secret", open_metrics=open_metrics)
    with serving(f"wine={SAMPLES / 'wine' / 'model'}", settings=ServerSettings(guard=guard)) as run:
        assert run.get("/metrics").status == (200 if open_metrics else 401)
        assert run.get("/v1/models").status == 401
        assert run.get("/healthz").status == run.get("/readyz").status == 200


def test_metrics_have_a_port_of_their_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    settings = ServerSettings(guard=Guard("secret"), metrics_port=port)
    with serving(f"wine={SAMPLES / 'wine' / 'model'}", settings=settings) as run:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as found:
            assert b'pellucid_model_ready{model="wine"} 1.0' in found.read()
        assert run.get("/metrics").status == 401
    with (  # the port is free again, and then taken
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(OutputError, match="cannot listen there"),
        serving(f"wine={SAMPLES / 'wine' / 'model'}", settings=settings),
    ):
        pass
