"""What pixels a model is fed: found out, asked for, said, and kept with what was explained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tiny_pictures
from pellucid.responses import unpack

METADATA = "explanation_metadata.json"
UNIT = tiny_pictures.picture()[:, :8].mean((0, 1)) / 255
DEFAULT = "since nothing says otherwise; set another range with --pixels"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    directory = tmp_path_factory.mktemp("models")
    for name in tiny_pictures.MODELS:
        tiny_pictures.build(directory, name)
    return lambda name: directory / name


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    (tmp_path / "photo.png").write_bytes(tiny_pictures.png())
    return tmp_path / "photo.png"


def said(run: Any) -> list[str]:
    """What stderr says of pixels."""
    return [line for line in run.err.splitlines() if "pixels are" in line]


@pytest.mark.parametrize(
    ("name", "asked", "fed", "line", "document"),
    [
        (
            "rescaled",
            None,
            UNIT,  # what the model makes of 0..255
            "input 'image': pixels are 0..255, since in the graph '{scope}scale' maps 0..255 to 0..1",
            {"range": [0, 255], "order": "rgb", "from": "graph"},
        ),
        (
            "rescaled",
            "0..1",
            UNIT / 255,
            "warning: input 'image': pixels are 0..1, as was asked for, although in the graph "
            "'{scope}scale' maps 0..255 to 0..1",
            {"range": [0, 1], "order": "rgb", "from": "option"},
        ),
        (
            "caffe",
            None,
            UNIT[::-1] * 255 - tiny_pictures.CAFFE,
            "input 'image': pixels are 0..255, BGR, since in the graph '{scope}centre' subtracts "
            "the mean (103.9, 116.8, 123.7)",
            {"range": [0, 255], "order": "bgr", "from": "graph"},
        ),
        (
            "caffe",
            "rgb",
            UNIT * 255 - tiny_pictures.CAFFE,
            "warning: input 'image': pixels are 0..255, since in the graph '{scope}centre' "
            "subtracts the mean (103.9, 116.8, 123.7); RGB was asked for, although the graph takes "
            "BGR",
            {"range": [0, 255], "order": "rgb", "from": "graph"},
        ),
        (
            "plain",
            None,
            UNIT,
            f"input 'image': pixels are 0..1, {DEFAULT}",
            {"range": [0, 1], "order": "rgb", "from": "default"},
        ),
        (
            "plain",
            "-1..1,bgr",
            UNIT[::-1] * 2 - 1,
            "input 'image': pixels are -1..1, BGR, as was asked for",
            {"range": [-1, 1], "order": "bgr", "from": "option"},
        ),
        (
            "plain_first",
            "channels-first,0..255",
            UNIT * 255,
            "input 'image': pixels are 0..255, channels first, as was asked for",
            {"range": [0, 255], "order": "rgb", "from": "option", "layout": "channels-first"},
        ),
        (
            "signed_first",
            None,
            UNIT * 2 - 1,
            "input 'image': pixels are 0..255, channels first, since in the graph '{scope}sub' "
            "maps 0..255 to -1..1",
            {"range": [0, 255], "order": "rgb", "from": "graph", "layout": "channels-first"},
        ),
    ],
)
def test_explain_feeds_what_it_says_and_the_response_keeps(
    program: Any,
    model: Callable[[str], Path],
    photo: Path,
    name: str,
    asked: str | None,
    fed: Any,
    line: str,
    document: dict[str, Any],
) -> None:
    options = [] if asked is None else [f"--pixels={asked}"]
    run = program("explain", model(name), photo, "--format", "vertex", "--steps", 2, *options)
    assert run.code == 0
    response = json.loads(run.out)
    assert np.allclose(response["predictions"][0], fed, atol=1e-3)
    scope = "PartitionedCall/PartitionedCall/"
    assert said(run) == [line.replace("{scope}", scope)]
    found = response["explanations"][0]["diagnostics"][0]["pixels"]["image"]
    assert {key: found[key] for key in document} == document
    assert ("layout" in found) == ("layout" in document)


def test_a_batch_says_it_once_and_keeps_it_in_the_summary(
    program: Any, model: Callable[[str], Path], tmp_path: Path
) -> None:
    for seed in range(3):
        (tmp_path / f"{seed}.png").write_bytes(tiny_pictures.png(seed))
    out = tmp_path / "out"
    run = program("batch", model("trained_on_bytes"), tmp_path / "*.png", "-o", out, "--steps", 2)
    assert run.code == 0
    doubt = (
        "pixels are 0..1, since nothing says otherwise, and the model's answer hardly depends on "
        "them; at 0..255 it does"
    )
    assert said(run) == [f"warning: input 'image': {doubt}; try --pixels 0..255"]
    fed = {"range": [0.0, 1.0], "order": "rgb", "from": "default"}
    summary = json.loads((out / "summary.json").read_text())
    assert summary["pixels"] == {"image": {**fed, "warning": doubt}}
    (results,) = out.glob("explanation.results-*")
    # Each line is the same whichever block came first, and so is without the doubt.
    for line in results.read_text().splitlines():
        assert json.loads(line)["explanation"]["diagnostics"][0]["pixels"] == {"image": fed}
    again = tmp_path / "again"
    run = program(
        "batch", model("trained_on_bytes"), tmp_path / "*.png", "-o", again, "--pixels", "0..255"
    )
    assert said(run) == ["input 'image': pixels are 0..255, as was asked for"]
    summary = json.loads((again / "summary.json").read_text())
    assert summary["pixels"] == {"image": {"range": [0.0, 255.0], "order": "rgb", "from": "option"}}


def test_saved_explanations_know_what_was_fed(
    program: Any, model: Callable[[str], Path], photo: Path, tmp_path: Path
) -> None:
    raw = tmp_path / "saved.npz"
    run = program("explain", model("signed_first"), photo, "--raw", raw, "--steps", 2)
    document = json.loads(run.out)["explanations"][0]["diagnostics"][0]["pixels"]
    (saved,) = unpack(raw.read_bytes(), str(raw)).items
    assert saved.pixels == document and document["image"]["range"] == [0, 255]
    # It is drawn without the model as with it, on the picture as it is.
    drawn = [tmp_path / "with.png", tmp_path / "without.png"]
    assert (
        program("visualize", model("signed_first"), photo, "-o", drawn[0], "--steps", 2).code == 0
    )
    assert program("visualize", raw, "-o", drawn[1]).code == 0
    assert np.array_equal(*(np.asarray(Image.open(it)) for it in drawn))


@pytest.mark.parametrize("method", ["integrated-gradients", "xrai", "lime"])
def test_a_picture_with_its_channels_first_is_drawn_as_one_with_them_last(
    program: Any, model: Callable[[str], Path], photo: Path, tmp_path: Path, method: str
) -> None:
    drawn = []
    for name in ("plain", "plain_first"):
        directory, out = model(name), tmp_path / f"{name}.png"
        options = ["--method", method, "--pixels=0..255"]
        if method == "lime":
            options += ["--samples", "60"]
        run = program("visualize", directory, photo, "-o", out, *options)
        assert run.code == 0, run.err
        drawn.append(np.asarray(Image.open(out).convert("RGB")))
    assert np.array_equal(*drawn) and drawn[0].std() > 1


def test_a_picture_with_its_channels_first_is_a_picture_in_responses(
    program: Any, model: Callable[[str], Path], photo: Path, tmp_path: Path
) -> None:
    pictures = []
    for name in ("plain", "plain_first"):
        file = tmp_path / f"{name}.json"
        made = program("init-metadata", model(name), "-o", file, "--pixels", "0..255")
        assert made.code == 0 and "] is image\n" in made.err
        run = program("explain", model(name), photo, "--metadata", file)
        label = json.loads(run.out)["explanations"][0]["attributions_by_label"][0]
        pictures.append(label["attributions"]["image"])
    assert pictures[0] == pictures[1] and list(pictures[0]) == ["b64_jpeg"]


def test_init_metadata_writes_the_range_as_the_domain(
    program: Any, model: Callable[[str], Path]
) -> None:
    def domain(*options: str, key: str = "domain") -> Any:
        run = program("init-metadata", model("rescaled"), "-o", "-", *options)
        document = json.loads(run.out)
        return document["inputs"]["image"][key]

    assert domain() == {"min": 0, "max": 255}
    vertex = domain("--dialect", "vertex", key="featureValueDomain")
    assert vertex == {"minValue": 0, "maxValue": 255}
    assert domain("--pixels=-1..1") == {"min": -1, "max": 1}
    first = program("init-metadata", model("signed_first"), "-o", "-")
    written = json.loads(first.out)["inputs"]["image"]
    assert (written["modality"], written["domain"]) == ("image", {"min": 0, "max": 255})


@pytest.mark.parametrize("words", ["0-255", "255..0", "0..inf", "bgr,rgb", "0..1,0..255", ""])
def test_pixels_that_say_nothing_are_a_usage_error(
    program: Any, model: Callable[[str], Path], photo: Path, words: str
) -> None:
    for command in ("explain", "visualize"):
        run = program(command, model("plain"), photo, f"--pixels={words}")
        assert run.code == 2 and run.out == b""
        (line,) = [it for it in run.err.splitlines() if it.startswith("Error: ")]
        assert line.startswith("Error: Invalid value for '--pixels': '")


@pytest.mark.parametrize(
    ("name", "asked", "where"),
    [("plain", "channels-first", "last"), ("plain_first", "channels-last", "first")],
)
def test_channels_that_stand_elsewhere_are_refused(
    program: Any, model: Callable[[str], Path], photo: Path, name: str, asked: str, where: str
) -> None:
    run = program("explain", model(name), photo, "--pixels", asked, "-q")
    assert run.code == 2
    assert run.err == (
        f"error: {asked} was asked for, and the channels of input 'image' come {where}; leave it "
        "out of --pixels\n"
    )


def test_a_domain_against_the_graph_is_followed_with_a_warning(
    program: Any, model: Callable[[str], Path], photo: Path, tmp_path: Path
) -> None:
    document = json.loads(program("init-metadata", model("rescaled"), "-o", "-").out)
    document["inputs"]["image"]["domain"] = {"min": 0, "max": 1}
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps(document))
    explain = ("explain", model("rescaled"), photo, "--metadata", file, "--format", "vertex")
    run = program(*explain)
    assert np.allclose(json.loads(run.out)["predictions"][0], UNIT / 255, atol=1e-5)
    assert run.err.startswith(f"warning: {file}: ") and "[MD114 pixel-range]" in run.err
    assert "pixels are 0..1 here, and in the graph" in run.err and run.err.count("\n") == 1
    # Who says it anew has mended it.
    mended = program(*explain, "--pixels", "0..255")
    assert np.allclose(json.loads(mended.out)["predictions"][0], UNIT, atol=1e-5)
    assert mended.err == "input 'image': pixels are 0..255, as was asked for\n"


def test_pixels_of_a_model_that_takes_no_picture_are_not_passed_over(
    program: Any, samples: Path
) -> None:
    wine = samples / "wine"
    run = program("explain", wine / "model", wine / "instances.json", "--pixels", "0..255")
    assert run.code == 0
    said = "no input of the model takes a picture as numbers, whatever pixels are"
    assert run.err == f"warning: {said}\n"
