"""What needs no model starts without TensorFlow and numpy, and starting is quiet.

How long it takes is measured by tests/bench/start_up.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
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

# Runs the program as its entry point does; the last line of stderr is what we ask about.
PROBE = """
import json, sys
sys.argv = ["pellucid", *sys.argv[1:]]
code = 0
try:
    from pellucid_cli.main import main
    main()
except SystemExit as stop:
    code = stop.code
print(json.dumps({"code": code, "modules": list(sys.modules)}), file=sys.stderr)
"""


def probe(arguments: list[str], cwd: Path = ROOT) -> tuple[int | None, set[str]]:
    """Run the program; return its exit code, and which packages it has imported."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    run = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        env=environment,  # a filter of warnings imports more
        cwd=cwd,
        capture_output=True,
        check=True,
    )
    found = json.loads(run.stderr.splitlines()[-1])
    return found["code"], {name.partition(".")[0] for name in found["modules"]}


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_starts_without_tensorflow_and_numpy(arguments: list[str]) -> None:
    code, imported = probe(arguments)
    assert code == 0
    assert not imported & set(HEAVY)


@pytest.mark.parametrize("arguments", (["--help"], ["schema"], ["explain", "--help"]), ids=" ".join)
def test_what_reads_no_document_does_not_import_its_judge(arguments: list[str]) -> None:
    assert "jsonschema" not in probe(arguments)[1]


def test_help_knows_nothing_of_metadata_and_models() -> None:
    """What every command imports is what none can start without."""
    words = "import sys, pellucid_cli.main; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", words], capture_output=True, check=True, text=True)
    rooms = {it.split(".")[1] for it in run.stdout.split() if it.startswith("pellucid.")}
    assert rooms == {"notices", "printable", "problems", "errors", "files", "remote"}


def test_options_of_a_project_cost_neither(tmp_path: Path) -> None:
    paths = json.dumps([str(SAMPLES / "digits" / "model")])
    (tmp_path / "pyproject.toml").write_text(
        f"[tool.pellucid.validate-metadata]\npaths = {paths}\nselect = ['MD001']\n"
        "[tool.pellucid.explain]\nsteps = 5\ndevice = 'cpu'\noutput-index = ['3']\n"
    )
    code, imported = probe(["validate-metadata"], tmp_path)
    assert code == 0 and {"tomllib", "tomli"} & imported
    assert not imported & set(HEAVY)


def test_saved_explanations_are_drawn_without_tensorflow(program: Any, tmp_path: Path) -> None:
    photos, raw = SAMPLES / "photos", tmp_path / "cat.npz"
    explained = program(
        *("explain", photos / "model", photos / "images/cat.jpg", "--steps", 4, "-q"),
        *("--raw", raw, "-o", tmp_path / "cat.json"),
    )
    assert explained.code == 0, explained.err
    drawing = ["visualize", str(raw), "--panel", "-o", str(tmp_path / "cat.png")]
    drawing += ["--set", "type=outlines"]  # which calls in SciPy
    code, imported = probe(drawing)
    assert code == 0 and (tmp_path / "cat.png").stat().st_size > 10_000
    assert not imported & {"tensorflow", "keras", "skimage", "h5py"}


def test_explaining_imports_no_keras_and_what_keras_finds() -> None:
    digits = SAMPLES / "digits"
    code, imported = probe(["explain", str(digits / "model"), str(digits / "images" / "seven.png")])
    assert code == 0 and "tensorflow" in imported
    assert not imported & {"keras", "sklearn", "pandas", "matplotlib"}


@pytest.mark.parametrize(
    "words",
    [
        "import keras; from keras.layers import Dense",
        "import tensorflow as tf; keras = tf.keras; Dense = tf.keras.layers.Dense",
        "from tensorflow import keras; from tensorflow.keras.layers import Dense",
    ],
)
def test_keras_is_there_for_whoever_asks_later(words: str) -> None:
    code = (
        "import sys, pellucid.runtime.engine.tensorflow; assert 'keras' not in sys.modules; "
        f"{words}; print(keras.Sequential([keras.Input((2,)), Dense(3)]).output_shape)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert run.stdout == "(None, 3)\n"


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
