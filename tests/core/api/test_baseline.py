"""A baseline that a call chooses: what it is, checked against numpy, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

import pellucid
from pellucid.errors import SpecError
from pellucid.responses.npz import pack, unpack
from pellucid.runtime.engine.tensorflow import tf

DRAW = np.random.RandomState(3)
PICTURES = DRAW.rand(3, 10, 15).astype("f")
WEIGHT = DRAW.randn(150).astype("f")
TABLE = DRAW.randn(6, 2).astype("f")


def score(picture: Any) -> float:
    return float(np.tanh(np.asarray(picture, np.float64).ravel() @ WEIGHT / 10))


def saved(directory: Path, function: Any, **specs: Any) -> Path:
    traced = tf.function(function, autograph=False).get_concrete_function(**specs)
    tf.saved_model.save(tf.Module(), str(directory), signatures=traced)
    return directory


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    def serve(image: Any) -> Any:
        return {"y": tf.tanh(tf.linalg.matvec(tf.reshape(image, [-1, 150]), WEIGHT) / 10)}

    spec = tf.TensorSpec([None, 10, 15], tf.float32, "image")
    directory = saved(tmp_path_factory.mktemp("model") / "m", serve, image=spec)
    return pellucid.load(directory, warn=lambda message: None)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Ids, explained at their embeddings, beside numbers."""

    def serve(ids: Any, x: Any) -> Any:
        rows = tf.gather(TABLE, ids, name="rows")
        return {"y": tf.reduce_sum(tf.tanh(rows), [1, 2]) + tf.reduce_sum(tf.tanh(x), 1)}

    directory = saved(
        tmp_path_factory.mktemp("embedded") / "m",
        serve,
        ids=tf.TensorSpec([None, 3], tf.int64, "ids"),
        x=tf.TensorSpec([None, 2], tf.float32, "x"),
    )
    document = {
        "framework": "tensorflow",
        "inputs": {
            "ids": {
                "input_tensor_name": "ids",
                "encoding": "concat_embedding",
                "encoded_tensor_name": "rows:0",
            },
            "x": {"input_tensor_name": "x"},
        },
        "outputs": {"y": {"output_tensor_name": "y"}},
    }
    (directory / "explanation_metadata.json").write_text(json.dumps(document), "utf-8")
    return pellucid.load(directory, warn=lambda message: None)


def blurred(picture: Any, sigma: float) -> Any:
    return gaussian_filter(picture, (sigma, sigma), mode="nearest")


@pytest.mark.parametrize("method", ["integrated-gradients", "sampled-shapley"])
@pytest.mark.parametrize(
    ("kind", "start", "said"),
    [
        ("mean", [PICTURES.mean(0)] * 3, "the mean of 3 instances"),
        ("blur", [blurred(it, 1.0) for it in PICTURES], "blurred, sigma 1 pixels"),
        (
            "noise",
            [np.random.default_rng(7).uniform(0, 1, (10, 15))] * 3,
            "noise, uniform over 0..1, seed 7",
        ),
        ("zero", [np.zeros((10, 15))] * 3, "zero"),
    ],
)
def test_a_kind_of_baseline(kind: str, start: Any, said: str, method: str, model: Any) -> None:
    found = model.explain(PICTURES, method=method, paths=2, baseline=kind, seed=7)
    for explanation, baseline, picture in zip(found, start, PICTURES, strict=True):
        (label,) = explanation.labels
        assert label.baseline_score == pytest.approx(score(baseline), abs=1e-5)
        total = label.features["image"].sum()
        assert total == pytest.approx(score(picture) - score(baseline), abs=1e-4)
        assert explanation.baseline == said
    assert json.loads(found.json())["explanations"][0]["diagnostics"] == [{"baseline": said}]
    assert unpack(pack(found), "a.npz")[0].baseline == said


def test_a_blur_of_a_size_of_its_own(model: Any) -> None:
    (found,) = model.explain(PICTURES[:1], baseline="blur", blur_sigma=3)
    wanted = score(blurred(PICTURES[0], 3.0))
    assert found.labels[0].baseline_score == pytest.approx(wanted, abs=1e-5)


def test_values_files_and_text_are_the_same_baseline(model: Any, tmp_path: Path) -> None:
    levels = DRAW.randint(0, 256, (10, 15)).astype("uint8")
    start = levels / np.float32(255)
    Image.fromarray(levels).save(tmp_path / "b.png")
    np.save(tmp_path / "b.npy", start)
    np.savez(tmp_path / "b.npz", image=start)
    (tmp_path / "b.json").write_text(json.dumps(start.tolist()), "utf-8")
    (tmp_path / "named.json").write_text(json.dumps({"image": start.tolist()}), "utf-8")
    (tmp_path / "file.json").write_text(json.dumps({"file": str(tmp_path / "b.png")}), "utf-8")
    names = ("b.png", "b.npy", "b.npz", "b.json", "named.json", "file.json")
    forms: list[Any] = [start, start.tolist(), {"image": start}, json.dumps(start.tolist())]
    for form in (*forms, *(tmp_path / name for name in names), str(tmp_path / "b.npy")):
        (found,) = model.explain(PICTURES[:1], baseline=form)
        assert found.labels[0].baseline_score == pytest.approx(score(start), abs=1e-5), form
    (grey,) = model.explain(PICTURES[:1], baseline=0.5)
    assert grey.labels[0].baseline_score == pytest.approx(score(np.full(150, 0.5)), abs=1e-5)


def test_the_mean_of_ids_is_that_of_their_embeddings(embedded: Any) -> None:
    """And a written id goes through the lookup, as in metadata."""
    ids, x = np.array([[0, 1, 2], [3, 4, 5]]), np.array([[0.5, 1.0], [1.5, -1.0]], "f")
    both = {"ids": ids, "x": x}
    found = embedded.explain(both, baseline="mean")
    wanted = np.tanh(TABLE[ids].mean(0)).sum() + np.tanh(x.mean(0)).sum()
    assert found[0].labels[0].baseline_score == pytest.approx(float(wanted), abs=1e-5)
    (first, _) = embedded.explain(both, baseline={"ids": 3, "x": [0.5, 0.5]})
    wanted = 3 * np.tanh(TABLE[3]).sum() + 2 * np.tanh(0.5)
    assert first.labels[0].baseline_score == pytest.approx(float(wanted), abs=1e-5)


def test_a_request_has_the_last_word(model: Any) -> None:
    request = {
        "explanationSpecOverride": {"metadata": {"inputs": {"image": {"inputBaselines": [0.25]}}}}
    }
    (found,) = model.configured(baseline="blur").requested(request).explain(PICTURES[:1])
    assert found.labels[0].baseline_score == pytest.approx(score(np.full(150, 0.25)), abs=1e-5)


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("nois", "baseline: 'nois' is no baseline; did you mean 'noise'?; choose zero, mean, "),
        ("none.npy", "baseline: there is no file 'none.npy'; choose zero, mean, blur, noise, "),
        ([1, [2]], "baseline: must be a number, lists of one length at each depth, or a file"),
        ([1.0, 2.0], "inputs.image: a baseline has shape [2], and the tensor 'image' has [10, 15]"),
        (float("nan"), "baseline: is not finite"),
        ({"imag": 1}, "baseline: 'imag' is not an input; did you mean 'image'?"),
        ({"image": "blur"}, "baseline: 'blur' is for all inputs, not for one"),
        ("{tmp}/a.txt", "baseline: '{tmp}/a.txt' is no baseline; the files are .npy, .npz, .png, "),
        ("{tmp}/a.npz", "baseline: '{tmp}/a.npz' cannot be read: "),
        ("{tmp}/a.npy", "inputs.image: baseline file {tmp}/a.npy: "),
        ("{tmp}/a.png", "inputs.image: baseline file {tmp}/a.png: not a picture"),
        ("{tmp}/a.json", "baseline: '{tmp}/a.json' cannot be read: "),
        ("mean", "baseline: the mean of one instance is that instance; explain several at a time"),
    ],
)
def test_what_is_no_baseline(written: Any, what: str, model: Any, tmp_path: Path) -> None:
    for suffix in ("txt", "npz", "npy", "png", "json"):
        (tmp_path / f"a.{suffix}").write_text("{ nothing", "utf-8")
    if isinstance(written, str):
        written = written.replace("{tmp}", str(tmp_path))
    with pytest.raises(pellucid.PellucidError) as caught:
        model.explain(PICTURES[:1], baseline=written)
    assert str(caught.value).startswith(what.replace("{tmp}", str(tmp_path)))
    assert len(str(caught.value).splitlines()) == 1


def test_one_value_is_not_for_several_inputs(embedded: Any) -> None:
    with pytest.raises(SpecError, match=r"is one value, and the inputs are 'ids', 'x'"):
        embedded.configured(baseline=[1.0, 2.0])


def test_ids_have_no_noise(embedded: Any) -> None:
    one = [{"ids": [1, 2, 3], "x": [0.0, 1.0]}]
    with pytest.raises(SpecError, match="'ids' is int64, which has no noise that means anything"):
        embedded.explain(one, baseline="noise", method="sampled-shapley")


def test_words_between_brackets_are_blurred_by_nobody(embedded: Any) -> None:
    one = [{"ids": [1, 2, 3], "x": [0.0, 1.0]}]
    with pytest.raises(SpecError, match="no explained input is a picture"):
        embedded.explain(one, baseline="blur")
