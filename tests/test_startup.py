"""What needs no model starts without TensorFlow and numpy, and quickly; and starting is quiet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "sample_models"
LIGHT = (
    ["--help"],
    ["--version"],
    ["completion", "bash"],
    ["explain", "--help"],
    ["validate-metadata", str(SAMPLES / "digits" / "model")],
    ["validate-metadata", str(SAMPLES / "photos" / "model")],
    ["validate-metadata", "--format", "sarif", str(SAMPLES / "wine" / "model")],
    ["validate-metadata", "--explain", "all"],
    ["init-metadata", str(SAMPLES / "photos" / "model"), "-o", "-"],
    ["convert-metadata", str(SAMPLES / "wine" / "model" / "explanation_metadata.json")],
    ["schema", "vertex"],
)
HEAVY = ("tensorflow", "numpy", "keras", "skimage", "scipy", "PIL")
BOUND = 0.6  # seconds of CPU time, from the start of the interpreter to the end of the work

# Runs the program as its entry point does; the last line of stderr is what we ask about.
PROBE = """
import json, resource, sys
sys.argv = ["pellucid", *sys.argv[1:]]
code = 0
try:
    from pellucid_cli.main import main
    main()
except SystemExit as stop:
    code = stop.code
used = resource.getrusage(resource.RUSAGE_SELF)
found = {"code": code, "cpu": used.ru_utime + used.ru_stime, "modules": list(sys.modules)}
print(json.dumps(found), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which bytecode is compiled at the first run and found at the next."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment.pop("PYTHONWARNINGS", None)  # a filter imports `warnings` and more
    return environment | {"PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("bytecode"))}


@dataclass(frozen=True)
class Found:
    code: int | None
    cpu: float
    modules: list[str]


def probe(arguments: list[str], environment: dict[str, str], cwd: Path = ROOT) -> Found:
    run = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        env=environment,
        cwd=cwd,
        capture_output=True,
        check=True,
    )
    return Found(**json.loads(run.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_starts_without_tensorflow_and_numpy_in_little_time(
    arguments: list[str], compiled: dict[str, str]
) -> None:
    first = probe(arguments, compiled)
    assert first.code == 0
    roots = {name.partition(".")[0] for name in first.modules}
    assert not roots & set(HEAVY)
    # The best of five: what else the machine does can only add to it.
    assert min(probe(arguments, compiled).cpu for _ in range(5)) < BOUND


@pytest.mark.parametrize("arguments", (["--help"], ["schema"], ["explain", "--help"]), ids=" ".join)
def test_what_reads_no_document_does_not_import_its_judge(
    arguments: list[str], compiled: dict[str, str]
) -> None:
    assert "jsonschema" not in probe(arguments, compiled).modules


def test_options_of_a_project_cost_neither(compiled: dict[str, str], tmp_path: Path) -> None:
    paths = json.dumps([str(SAMPLES / "digits" / "model")])
    (tmp_path / "pyproject.toml").write_text(
        f"[tool.pellucid.validate-metadata]\npaths = {paths}\nselect = ['MD001']\n"
        "[tool.pellucid.explain]\nsteps = 5\ndevice = 'cpu'\noutput-index = ['3']\n"
    )
    found = probe(["validate-metadata"], compiled, tmp_path)
    assert found.code == 0 and {"tomllib", "tomli"} & {*found.modules}
    assert not {name.partition(".")[0] for name in found.modules} & set(HEAVY)


def test_saved_explanations_are_drawn_without_tensorflow_in_under_a_second(
    compiled: dict[str, str], program: Any, tmp_path: Path
) -> None:
    photos, raw = SAMPLES / "photos", tmp_path / "cat.npz"
    explained = program(
        *("explain", photos / "model", photos / "images/cat.jpg", "--steps", 4, "-q"),
        *("--raw", raw, "-o", tmp_path / "cat.json"),
    )
    assert explained.code == 0, explained.err
    drawing = ["visualize", str(raw), "--panel", "--force", "-o", str(tmp_path / "cat.png")]
    drawing += ["--set", "type=outlines"]  # which calls in SciPy
    found = probe(drawing, compiled)
    assert found.code == 0 and (tmp_path / "cat.png").stat().st_size > 10_000
    roots = {name.partition(".")[0] for name in found.modules}
    assert not roots & {"tensorflow", "keras", "skimage", "h5py"}
    assert min(probe(drawing, compiled).cpu for _ in range(5)) < 1.0


def imported_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    return {name.partition(".")[0] for name in run.stdout.split()}


def test_importing_the_library_imports_neither() -> None:
    assert not imported_by("import pellucid") & set(HEAVY)


def test_reading_metadata_and_models_imports_neither() -> None:
    statement = "import pellucid.linter.check_model, pellucid.metadata.documents.parse, pellucid.saved_model.reader"
    assert not imported_by(statement) & set(HEAVY)


@pytest.mark.slow
def test_explain_says_nothing_on_stderr_when_all_is_well(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    run = subprocess.run(
        [
            *(sys.executable, "-c", "from pellucid_cli.main import main; main()"),
            *("explain", str(SAMPLES / "digits" / "model")),
            str(SAMPLES / "digits" / "images" / "seven.png"),
        ],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert run.stderr == b""
    assert json.loads(run.stdout)["explanations"]
