"""The request of KServe's example, answered as its explainer did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def request_of(picture: Path, **keys: Any) -> bytes:
    """The body that the example's client sends: one image, and other parameters as strings."""
    with Image.open(picture) as file:
        pixels = np.asarray(file.convert("L"), np.float64) / 255
    return json.dumps({"instances": [pixels.tolist()], **keys}).encode()


def test_the_example_s_request(program: Any, digits: Path, seven: Path) -> None:
    body = request_of(seven, top_labels="3", num_samples="100", segmentation_alg="slic")
    run = program("explain", digits, "-", "--format", "kserve", "-q", stdin=body)
    assert run.code == 0, run.err
    answer = json.loads(run.out)
    assert list(answer) == ["explanations", "diagnostics"]
    found = answer["explanations"]
    assert list(found) == ["temp", "masks", "top_labels"]
    assert np.shape(found["temp"]) == (28, 28, 3) and np.shape(found["masks"]) == (3, 28, 28)
    assert found["top_labels"][0] == 7 and len(set(found["top_labels"])) == 3
    with Image.open(seven) as file:
        gray = np.asarray(file.convert("L"), np.float32) / np.float32(255)
    # With positive_only, the default, the picture comes back unmarked.
    np.testing.assert_allclose(found["temp"], np.repeat(gray[:, :, None], 3, axis=2), atol=1e-7)
    assert set(np.unique(found["masks"])) == {0, 1}
    strokes = np.asarray(found["masks"][0], bool)
    assert gray[strokes].mean() > gray[~strokes].mean()


def test_both_signs_are_marked_in_the_picture(program: Any, digits: Path, seven: Path) -> None:
    body = request_of(seven, positive_only=False, top_labels=2, num_samples=300, min_weight=0)
    run = program("explain", digits, "-", "--format", "kserve", "-q", stdin=body)
    found = json.loads(run.out)["explanations"]
    mask, picture = np.array(found["masks"][-1]), np.array(found["temp"])
    assert {-1, 1} <= set(np.unique(found["masks"]).tolist()) <= {-1, 0, 1}
    assert (picture[mask > 0, 1] == picture.max()).all()
    assert (picture[mask < 0, 0] == picture.max()).all()


def test_the_explainer_s_defaults_and_no_more_labels_than_classes(
    program: Any, digits: Path, seven: Path
) -> None:
    body = request_of(seven, num_samples=20, top_labels=50)
    for keys in ({"num_samples": 20}, {"num_samples": 20, "top_labels": 50}):
        body = request_of(seven, **keys)
        run = program("explain", digits, "-", "--format", "kserve", "-q", stdin=body)
        assert sorted(json.loads(run.out)["explanations"]["top_labels"]) == list(range(10))


def test_several_instances_are_a_list(program: Any, digits: Path, seven: Path) -> None:
    run = program(
        "explain", digits, seven, seven, "--format", "kserve", "-q", "--samples", 20, "--top-k", 1
    )
    found = json.loads(run.out)["explanations"]
    assert [one["top_labels"] for one in found] == [[7], [7]]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--method", "xrai"], 2, "--format kserve is the form of LIME; leave out --method"),
        ([], 2, "num_samples: must be a number, not the string 'few'"),
    ],
)
def test_what_is_refused(
    program: Any, digits: Path, seven: Path, arguments: list[str], code: int, sentence: str
) -> None:
    body = request_of(seven, num_samples="few")
    run = program("explain", digits, "-", "--format", "kserve", *arguments, stdin=body)
    assert run.code == code and sentence in run.err


def test_the_request_s_override_is_followed(program: Any, digits: Path, seven: Path) -> None:
    parameters = {"integratedGradientsAttribution": {"stepCount": 9}, "topK": 2}
    body = request_of(seven, explanationSpecOverride={"parameters": parameters})
    run = program("explain", digits, "-", "--format", "vertex", "-q", stdin=body)
    assert len(json.loads(run.out)["explanations"][0]["attributions"]) == 2


def test_requests_with_different_settings_are_refused(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    for name, count in (("a", 1), ("b", 2)):
        override = {"parameters": {"topK": count}}
        (tmp_path / f"{name}.json").write_bytes(request_of(seven, explanationSpecOverride=override))
    run = program("explain", digits, tmp_path / "a.json", tmp_path / "b.json")
    assert run.code == 1
    assert (
        f"b.json: brings other settings than {tmp_path}/a.json; explain them one at a time"
        in run.err
    )


def test_its_parameters_are_options_and_keys_of_a_specification(
    program: Any, digits: Path, seven: Path, tmp_path: Path
) -> None:
    chosen = {"numSamples": 60, "topLabels": 2, "minWeight": 0, "positiveOnly": False}
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"limeAttribution": {**chosen, "segmentationAlg": "SLIC"}}))
    options = ("--num-samples", 60, "--top-labels", 2, "--min-weight", 0, "--no-positive-only")
    typed = program(
        *("explain", digits, seven, "--format", "kserve", "-q", *options),
        *("--segmentation", "slic"),
    )
    written = program("explain", digits, seven, "--format", "kserve", "-q", "--spec", spec)
    body = request_of(
        seven, num_samples=60, top_labels=2, min_weight=0, positive_only=False,
        segmentation_alg="slic",
    )  # fmt: skip
    asked = program("explain", digits, "-", "--format", "kserve", "-q", stdin=body)
    assert typed.code == written.code == 0, typed.err + written.err
    assert json.loads(typed.out) == json.loads(written.out) == json.loads(asked.out)
    assert -1 in np.unique(json.loads(typed.out)["explanations"]["masks"])
    plain = program(
        *("explain", digits, seven, "--method", "lime", "--num-samples", 20, "--top-labels", 3),
    )
    (found,) = json.loads(plain.out)["explanations"]
    assert len(found["attributions_by_label"]) == 3
