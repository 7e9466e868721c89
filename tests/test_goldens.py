"""Goldens: what the sample models answer, and the example of the services' documentation.

``make golden`` rewrites the files; the diff is to be reviewed. Numbers are compared with a
tolerance, since they differ in the last digits between processors; pictures by their pixels.
"""

from __future__ import annotations

import base64
import io
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pellucid
from pellucid.responses import encode, unpack
from places import ROOT, SAMPLES

GOLDENS = Path(__file__).parent / "goldens"
# The real network is not in the repository; test_imagenet.py says what it answers.
NAMES = sorted({path.parent.name for path in SAMPLES.glob("*/make.py")} - {"imagenet"})


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--golden"))


def inputs_of(name: str) -> list[Path]:
    """The request of a sample, or, where a request would be too large, its pictures."""
    request = SAMPLES / name / "instances.json"
    return [request] if request.exists() else sorted((SAMPLES / name / "images").iterdir())


def assert_alike(got: Any, expected: Any, path: str = "$") -> None:
    """The same document: keys in the same order, numbers alike, pictures alike.

    A completeness error is a small difference of large numbers: see `errors_are_alike`.
    """
    if isinstance(expected, dict):
        assert list(got) == list(expected), path
        for key in expected:
            assert_alike(got[key], expected[key], f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(got) == len(expected), path
        if expected and all(isinstance(item, float) for item in expected):
            scale = np.abs(expected).max()
            np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4 * scale, err_msg=path)
        else:
            for i, (one, other) in enumerate(zip(got, expected, strict=True)):
                assert_alike(one, other, f"{path}[{i}]")
    elif isinstance(expected, float):
        if not path.endswith("approx_error"):
            assert got == pytest.approx(expected, rel=1e-3, abs=1e-9), path
    elif "b64_" in path:
        one, other = (_pixels(value) for value in (got, expected))
        assert one.shape == other.shape, path
        assert np.abs(one - other).mean() < 1.0, path
    else:
        assert got == expected, path


def errors_are_alike(found: Any, expected: Any) -> None:
    """What float32 moves from one processor to another is a share of all that is added up.

    Of a photograph, attributions of 194 in all come to 0.98.
    """
    for one, other in zip(found, expected["explanations"], strict=True):
        for label, said in zip(one.labels, other["attributions_by_label"], strict=True):
            size = sum(float(np.abs(it).sum()) for it in label.values.values())
            moved = 2e-6 * size / abs(label.score - label.baseline_score)
            assert label.approx_error == pytest.approx(said["approx_error"], rel=1e-3, abs=moved)


def without_provenance(response: bytes) -> Any:
    """A response as the services wrote it: versions and digests stand in a key of our own."""
    *_, last = body = json.loads(response)
    assert last == "diagnostics" and list(body.pop(last)) == ["provenance"]
    return body


def _pixels(encoded: str) -> Any:
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    return np.asarray(picture, dtype=np.float64)


def _at_height(path: Path, height: int) -> Image.Image:
    with Image.open(path) as picture:
        width = round(picture.width * height / picture.height)
        return picture.convert("RGB").resize((width, height))


@pytest.mark.parametrize("name", NAMES)
def test_sample_models_answer_as_expected(
    name: str, rewrite: bool, program: Any, tmp_path: Path
) -> None:
    expected = SAMPLES / name / "expected_response.json"
    out = tmp_path / "response.json"
    raw = tmp_path / "response.npz"
    run = program("explain", SAMPLES / name / "model", *inputs_of(name), "-o", out, "--raw", raw)
    assert run.code == 0, run.err
    got = without_provenance(out.read_bytes())
    if rewrite:
        expected.write_bytes(encode(got))
    wanted = json.loads(expected.read_text())
    assert_alike(got, wanted)
    errors_are_alike(unpack(raw.read_bytes(), "raw"), wanted)


def test_the_example_of_the_documentation(rewrite: bool, tmp_path: Path) -> None:
    """Request, metadata and response of ``projects.explain``: a bike ride's duration.

    The model is ours (theirs was not published), so the numbers are; keys, nesting, order and
    types are those of the documentation.
    """
    import tensorflow as tf

    class Rides(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            generator = np.random.default_rng(2)
            self.first = tf.Variable(generator.normal(0, 0.3, (10, 8)).astype(np.float32))
            self.last = tf.Variable(generator.normal(0, 3.0, (8, 1)).astype(np.float32))

        @tf.function(input_signature=[tf.TensorSpec([None, 10], tf.float32, name="data")])  # type: ignore[misc]
        def __call__(self, data: Any) -> Any:
            scale = [24.0, 7, 5000, 90, 70, 10, 100, 1, 0.1, 1]
            return {"duration": 14.0 + tf.nn.relu(data / scale @ self.first) @ self.last}

    directory = tmp_path / "model"
    tf.saved_model.save(Rides(), str(directory))
    example = GOLDENS / "projects_explain"
    metadata = example / "explanation_metadata.json"
    (directory / "explanation_metadata.json").write_bytes(metadata.read_bytes())
    request = json.loads((example / "request.json").read_text())
    found = pellucid.load(directory).explain(request["instances"])
    got = found.json()
    response = example / "response.json"
    body = without_provenance(got)
    if rewrite:
        response.write_bytes(encode(body))
    wanted = json.loads(response.read_text())
    assert_alike(body, wanted)
    errors_are_alike(found, wanted)

    # The documentation's own response, letter for letter but for the numbers.
    (explanation,) = body["explanations"]
    assert list(explanation) == ["attributions_by_label"]
    (label,) = explanation["attributions_by_label"]
    assert list(label) == [
        "approx_error",
        "attributions",
        "baseline_score",
        "example_score",
        "label_index",
        "output_name",
    ]
    assert list(label["attributions"]) == ["data"]
    assert len(label["attributions"]["data"]) == 10
    assert all(type(value) is float for value in label["attributions"]["data"])
    assert type(label["approx_error"]) is type(label["baseline_score"]) is float
    assert label["label_index"] == 0 and label["output_name"] == "duration"
    total = sum(label["attributions"]["data"])
    difference = label["example_score"] - label["baseline_score"]
    assert abs(total - difference) / abs(difference) == pytest.approx(
        label["approx_error"], rel=1e-6
    )


def test_the_readme_s_picture(rewrite: bool, program: Any, imagenet: Path, tmp_path: Path) -> None:
    """The picture that the README opens with is what the program draws with a real network.

    One of its three photos is drawn again, since that takes a while; ``--golden`` draws all.
    """
    expected = SAMPLES / "overview.png"
    names = ("cat", "coffee", "motorcycle") if rewrite else ("cat",)
    photos = [SAMPLES / "photos/images" / f"{name}.jpg" for name in names]
    # Settings that somebody writes are followed to the letter, so the smoothing is written, too.
    settings = ("type=pixels", "overlay_type=grayscale", "blur_sigma=4", "clip_below_percentile=85")
    pixels = ["--blur-sigma", "20", "--logits", "-q", "--percentile", "rank"]
    pixels += [word for setting in settings for word in ("--set", setting)]
    regions = ["--method", "xrai", "-q"]
    shapley = ["--method", "sampled-shapley", "--players", "regions", "--paths", "6", "-q"]
    rows = [photos]
    for number, arguments in enumerate((pixels, regions, shapley)):
        out = tmp_path / str(number)
        run = program("visualize", imagenet, *photos, "-o", out, *arguments)
        assert run.code == 0, run.err
        rows.append([Path(line) for line in run.out.decode().splitlines()])
    height, gap = 200, 6
    pictures = [[_at_height(path, height) for path in row] for row in rows]
    widths = [picture.width for picture in pictures[0]]
    size = sum(widths) + (len(widths) - 1) * gap, 4 * height + 3 * gap
    sheet = Image.new("RGB", size, "white")
    for i, row in enumerate(pictures):
        for j, picture in enumerate(row):
            sheet.paste(picture, (sum(widths[:j]) + j * gap, i * (height + gap)))
    if rewrite:
        sheet.save(expected, optimize=True)
    saved = np.asarray(Image.open(expected), dtype=np.float64)
    assert len(saved) == sheet.height
    saved = saved[:, : sheet.width]
    # A region may change its place in the order on another processor: a few patches differ then.
    assert np.abs(np.asarray(sheet) - saved).mean() < 3.0


def test_the_contact_sheet(rewrite: bool, tmp_path: Path) -> None:
    """The settings that the README shows are what the script draws, as `make demo` does."""
    expected, out = SAMPLES / "contact_sheet.png", tmp_path / "sheet.png"
    runpy.run_path(str(SAMPLES / "contact_sheet.py"))["main"](out)
    with Image.open(out) as drawn:
        if rewrite:
            drawn.save(expected, optimize=True)
        sheet = np.asarray(drawn.convert("RGB"), np.float64)
    with Image.open(expected) as golden:
        saved = np.asarray(golden.convert("RGB"), np.float64)
    assert saved.shape == sheet.shape
    # Letters are drawn a little differently by every FreeType, regions by every processor.
    assert np.abs(sheet - saved).mean() < 3.0
    assert expected.stat().st_size < 600_000


def test_samples_are_small() -> None:
    sizes = {
        name: sum(f.stat().st_size for f in (SAMPLES / name).rglob("*") if f.is_file())
        for name in NAMES
    }
    assert len(sizes) == 7
    assert max(sizes.values()) < 3_000_000 and sum(sizes.values()) < 12_000_000, sizes
    assert (ROOT / "sample_models") == SAMPLES
