"""The GitHub action: each of its steps is run as a runner would run it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from places import ROOT, SAMPLES

ACTION = ROOT / ".github" / "actions" / "validate-metadata"
TEXT = (ACTION / "action.yml").read_text("utf-8")
MANIFEST = yaml.safe_load(TEXT)
INSTALL, VALIDATE = MANIFEST["runs"]["steps"]

REACH = re.compile(r"PIP_\w+|\w+_proxy|SSL_CERT_FILE", re.IGNORECASE)
COMMAND = re.compile(r"::(error|warning) ((?:\w+=[^,:]*,?)*)::(.*)")


@dataclass(frozen=True)
class Step:
    code: int
    out: str
    err: str
    path: str
    output: str
    summary: str


def evaluated(text: str, inputs: dict[str, str]) -> str:
    """``${{ inputs.x }}`` and the few other expressions of the action, as GitHub puts them in."""
    known = {name: str(it["default"]) for name, it in MANIFEST["inputs"].items()} | inputs
    values = {f"inputs.{name}": value for name, value in known.items()}
    values["github.action_path"] = str(ACTION)
    return re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda it: values[it[1]], text)


def run(step: dict[str, object], where: Path, scratch: Path, path: str, **inputs: str) -> Step:
    """Run one step with the shell, the environment and the files that a runner gives it."""
    assert step["shell"] == "bash"
    files = {name: scratch / name for name in ("path", "output", "step_summary")}
    for file in files.values():
        file.write_text("")
    script = scratch / "step.sh"
    script.write_text(str(step["run"]), "utf-8")
    given = step["env"]
    assert isinstance(given, dict)
    environment = {
        "PATH": path,
        "HOME": os.environ["HOME"],
        "GITHUB_ACTIONS": "true",
        "RUNNER_TEMP": str(scratch),
        **{f"GITHUB_{name.upper()}": str(file) for name, file in files.items()},
        **{name: evaluated(value, inputs) for name, value in given.items()},
        # How this machine reaches a package index is its own business.
        **{name: value for name, value in os.environ.items() if REACH.fullmatch(name)},
        # Half of the time of an installation: modules are compiled when they are first imported.
        "PIP_COMPILE": "0",
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=where, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    left = [file.read_text("utf-8") for file in files.values()]
    return Step(done.returncode, done.stdout, done.stderr, *left)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The PATH of the steps that follow the installation, as GITHUB_PATH makes it."""
    scratch = tmp_path_factory.mktemp("runner")
    step = run(INSTALL, scratch, scratch, os.environ["PATH"], python=sys.executable)
    assert step.code == 0, step.err
    (added,) = step.path.splitlines()
    return f"{added}{os.pathsep}/usr/bin{os.pathsep}/bin"


Validate = Callable[..., Step]


@pytest.fixture
def validate(installed: str, tmp_path: Path) -> Validate:
    """The second step, in a workspace with two models: one is well, one has an error and advice."""
    work = tmp_path / "work"
    for name in ("well", "odd, 100%"):
        shutil.copytree(SAMPLES / "digits" / "model", work / "models" / name)
    (work / "models" / "odd, 100%" / "explanation_metadata.json").write_text(
        '{\n  "inputs": {"image": {"input_tensor_name": "imag"}},\n'
        '  "outputs": {"digit": {"output_tensor_name": "output_0"}}\n}\n'
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return lambda **inputs: run(VALIDATE, work, scratch, installed, **inputs)


def annotations(step: Step) -> list[tuple[str, dict[str, str], str]]:
    """What GitHub shows, read as its runner reads it."""

    def plain(text: str) -> str:
        for code, sign in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            text = text.replace(code, sign)
        return text

    found = []
    for line in step.out.splitlines():
        match = COMMAND.fullmatch(line)
        assert match, line
        fields = dict(part.split("=", 1) for part in match[2].split(","))
        found.append((match[1], {key: plain(it) for key, it in fields.items()}, plain(match[3])))
    return found


def test_the_manifest_is_one_that_github_takes() -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema"),
            *("--builtin-schema", "vendor.github-actions", str(ACTION / "action.yml")),
        ],
        check=True,
        capture_output=True,
    )


def test_no_input_is_put_into_a_script() -> None:
    """Whoever writes a path would write a command; inputs are given as variables."""
    for step in MANIFEST["runs"]["steps"]:
        assert "${{" not in step["run"]
    used = set(re.findall(r"\$\{\{ inputs\.(\w+) \}\}", TEXT))
    assert used == set(MANIFEST["inputs"])


@pytest.mark.slow
def test_findings_become_annotations_and_a_summary(validate: Validate) -> None:
    step = validate()
    assert step.code == 1
    file = "models/odd, 100%/explanation_metadata.json"
    assert annotations(step) == [
        (
            "warning",
            {"title": "framework-missing (MD020)", "file": file, "line": "1", "col": "1"},
            'has no "framework": "tensorflow", which is assumed',
        ),
        (
            "error",
            {"title": "unknown-tensor (MD102)", "file": file, "line": "2", "col": "45"},
            "inputs.image.input_tensor_name: 'imag' is not a tensor of the model; did you mean "
            "'image'?",
        ),
    ]
    assert step.err == "2 files: 1 error, 1 warning\n"
    assert step.summary == (
        "### Explanation metadata\n\n**2 files: 1 error, 1 warning**\n\n"
        "| place | rule | finding |\n|---|---|---|\n"
        "| models/odd, 100%/explanation\\_metadata.json:1:1 | warning MD020 framework-missing | "
        'has no "framework": "tensorflow", which is assumed |\n'
        "| models/odd, 100%/explanation\\_metadata.json:2:45 | error MD102 unknown-tensor | "
        "inputs.image.input\\_tensor\\_name: 'imag' is not a tensor of the model; did you mean "
        "'image'? |\n"
    )
    assert step.output == ""


@pytest.mark.slow
def test_the_inputs_of_the_action(validate: Validate, tmp_path: Path) -> None:
    step = validate(paths="models/well\nmodels/we*\n")
    assert (step.code, step.out) == (0, "")
    assert step.summary == "### Explanation metadata\n\n**1 file: 0 errors, 0 warnings**\n"
    assert validate(ignore="MD102").code == 0
    assert validate(ignore="MD102", strict="true").code == 1
    assert validate(ignore="MD102,framework-missing", strict="true").code == 0
    assert validate(select="MD0").code == 0
    step = validate(sarif="found.sarif")
    assert (step.code, step.output) == (1, "sarif=found.sarif\n")
    log = json.loads((tmp_path / "work" / "found.sarif").read_text("utf-8"))
    uris = {
        it["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for it in log["runs"][0]["results"]
    }
    assert uris == {"models/odd%2C%20100%25/explanation_metadata.json"}


@pytest.mark.slow
def test_what_cannot_run_fails_with_2_and_leaves_no_summary(validate: Validate) -> None:
    step = validate(paths="modls", sarif="found.sarif")
    assert (step.code, step.out, step.summary, step.output) == (2, "", "", "")
    assert "path 'modls' does not exist" in step.err
    hostile = validate(paths='$(touch spoiled); "; touch spoiled', ignore="MD102; touch spoiled")
    assert hostile.code == 2


@pytest.mark.slow
def test_the_installation_has_no_tensorflow(installed: str) -> None:
    python = str(Path(installed.split(os.pathsep)[0]) / "python")
    done = subprocess.run([python, "-c", "import tensorflow"], capture_output=True, check=False)
    assert done.returncode == 1


def test_what_the_readme_shows_names_the_hook_and_the_inputs_of_the_action() -> None:
    blocks = re.findall(
        r"^```yaml\n(.*?)^```$", (ROOT / "cli" / "README.md").read_text("utf-8"), re.M | re.S
    )
    comparison, hook, action, gitlab = map(yaml.safe_load, blocks)
    diff = yaml.safe_load((ROOT / ".github/actions/diff/action.yml").read_text("utf-8"))
    assert ".github/actions/diff@" in comparison[0]["uses"]
    assert set(comparison[0]["with"]) <= set(diff["inputs"])
    (shown,) = hook["repos"][0]["hooks"]
    (real,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert shown["id"] == real["id"]
    step = action["steps"][1]
    assert str(ACTION.relative_to(ROOT)) in step["uses"]
    assert set(step["with"]) <= set(MANIFEST["inputs"])
    assert gitlab["validate-metadata"]["artifacts"]["reports"]["junit"] == "metadata.xml"
