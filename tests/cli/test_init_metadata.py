"""``init-metadata``: what it writes is valid for every model, and nothing is overwritten unasked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from places import SAMPLES, SHARED

METADATA = "explanation_metadata.json"
RUNNABLE = (
    "babyweight_bucketized",
    "dotnet_cifar",
    "heating_cooling_2out",
    "iris_tf1_estimator",
    "mlperf_tiny_kws",
    "scisharp_mnist_mlp",
)
MODELS = [*sorted(SAMPLES.glob("*/model")), *(SHARED / "models" / it / "model" for it in RUNNABLE)]


@pytest.fixture
def bare(digits: Path, copy_of: Any) -> Path:
    """A model without metadata."""
    model = copy_of(digits)
    (model / METADATA).unlink()
    return Path(model)


@pytest.mark.parametrize("dialect", ["ai-platform", "vertex"])
@pytest.mark.parametrize("model", MODELS, ids=lambda it: it.parent.name)
def test_what_is_written_is_valid(program: Any, model: Path, dialect: str, tmp_path: Path) -> None:
    if not model.is_dir():
        pytest.skip("no models of strangers here")
    copy = Path(shutil.copytree(model, tmp_path / "model"))
    options = ["--output", "heating_load"] if "2out" in str(model) else []
    made = program("init-metadata", copy, "--dialect", dialect, "--force", *options)
    assert (made.code, made.out) == (0, b"")
    assert made.err.endswith(f"wrote {copy / METADATA}\n")
    done = program("validate-metadata", copy, "--format", "json")
    assert done.code == 0
    # Only what gradients cannot reach is advice; it was said when the file was written, too.
    for it in json.loads(done.out):
        assert it["code"] == "MD103"
        assert f"warning: {it['path']}: {it['message']}\n" in made.err
    again = program("validate-metadata", copy, "--select", "MD0", "--strict")
    assert again.code == 0


def test_pictures_columns_and_names(program: Any, bare: Path) -> None:
    run = program("init-metadata", bare)
    assert run.err == (
        "input 'image' [?, 28, 28] is image\n"
        "input 'image': pixels are 0..1, since nothing says otherwise; set another range with "
        f"--pixels\noutput 'output_0' [?, 10]\nwrote {bare / METADATA}\n"
    )
    assert json.loads((bare / METADATA).read_text("utf-8")) == {
        "inputs": {
            "image": {
                "input_tensor_name": "serving_default_image:0",
                "encoding": "identity",
                "modality": "image",
            }
        },
        "outputs": {"output_0": {"output_tensor_name": "StatefulPartitionedCall_1:0"}},
        "framework": "tensorflow",
    }


def test_the_draft_explains(program: Any, bare: Path, seven: Path) -> None:
    program("init-metadata", bare)
    run = program("explain", bare, seven, "--steps", 5)
    assert run.code == 0
    (explanation,) = json.loads(run.out)["explanations"]
    assert explanation["attributions_by_label"][0]["label_index"] == 7


def test_nothing_is_overwritten_unasked(program: Any, digits: Path, copy_of: Any) -> None:
    model = copy_of(digits)
    before = (model / METADATA).read_bytes()
    run = program("init-metadata", model)
    assert (run.code, run.out) == (2, b"")
    assert run.err == f"error: {model / METADATA}: exists; add --force to overwrite it\n"
    assert (model / METADATA).read_bytes() == before
    assert program("init-metadata", model, "--force", "-q").err == ""
    assert (model / METADATA).read_bytes() != before


def test_to_stdout_or_to_another_file(program: Any, bare: Path, tmp_path: Path) -> None:
    run = program("init-metadata", bare, "-o", "-", "--dialect", "vertex")
    assert json.loads(run.out)["inputs"]["image"] == {
        "inputTensorName": "serving_default_image:0",
        "encoding": "IDENTITY",
        "modality": "image",
    }
    assert "wrote" not in run.err
    assert not (bare / METADATA).exists()
    program("init-metadata", bare, "-o", tmp_path / "m.json", "--dialect", "vertex")
    assert (tmp_path / "m.json").read_bytes() == run.out


def test_another_signature_is_named(program: Any, bare: Path) -> None:
    run = program("init-metadata", bare, "-o", "-", "--signature", "serve")
    assert json.loads(run.out)["serving_sigdef_key"] == "serve"
    run = program("init-metadata", bare, "-o", "-", "--signature", "serving_default")
    assert "serving_sigdef_key" not in json.loads(run.out)
    run = program("init-metadata", bare, "-o", "-", "--signature", "serve", "--dialect", "vertex")
    assert "Vertex metadata name no signature; pass --signature serve on\n" in run.err


@pytest.mark.skipif(not SHARED.is_dir(), reason="no models of strangers here")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "heating_cooling_2out",
            "signature 'serving_default' has several outputs; choose one of 'cooling_load', "
            "'heating_load' with --output",
        ),
        (
            "neg_missing_op_zeroout",
            "{model}: 'ZeroOut:0' is int32, not a float score; explain a score or a probability",
        ),
        (
            "neg_truncated_pb",
            "{model}/saved_model.pb: is truncated or damaged, it cannot be read as a SavedModel; "
            "copy or export the model again",
        ),
    ],
)
def test_what_cannot_be_described(program: Any, name: str, sentence: str, tmp_path: Path) -> None:
    model = SHARED / "models" / name / "model"
    run = program("init-metadata", model, "-o", tmp_path / "m.json")
    assert (run.code, run.out) == (2, b"")
    assert run.err == f"error: {sentence.format(model=model)}\n"
    assert not (tmp_path / "m.json").exists()


def test_a_directory_that_does_not_exist(program: Any, tmp_path: Path) -> None:
    run = program("init-metadata", tmp_path / "gone")
    assert run.code == 2
    assert run.err == (
        f"error: {tmp_path}/gone: does not exist; give the directory that holds saved_model.pb\n"
    )
