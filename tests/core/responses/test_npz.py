"""Saved explanations: what comes back is what was saved, and draws the same."""

from __future__ import annotations

import io
import json
import shutil
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import of_a_picture
from PIL import Image

import pellucid
from pellucid.api.explanations import Explanations, unpack
from pellucid.errors import InstanceError, PellucidError
from pellucid.explain import Results
from pellucid.inputs.readers import read_image
from pellucid.metadata import (
    Examples,
    ExplanationParameters,
    IntegratedGradients,
    Lime,
    Method,
    Players,
    Quadrature,
    SampledShapley,
    Segmentation,
    SmoothGrad,
    Xrai,
)
from pellucid.responses import npz
from pellucid.responses.npz import pack
from pellucid.runtime.engine.tensorflow import tf
from pellucid.visualize.figures import View, drawing_damaged, files
from places import SAMPLES
from tampering import ARRAYS, DEEP, tampered


@cache
def load(name: str) -> Any:
    return pellucid.load(SAMPLES / name / "model", warn=lambda sentence: None)


def requested(name: str, **options: Any) -> Explanations:
    request = json.loads((SAMPLES / name / "instances.json").read_text())
    found: Explanations = load(name).explain(request["instances"][:2], **options)
    return found


def photographed(name: str, picture: str, **options: Any) -> Explanations:
    model = load(name)
    instance = read_image(SAMPLES / name / "images" / picture, model.inputs)
    found: Explanations = model.explain([instance], **options)
    return found


CASES: dict[str, Callable[[], Explanations]] = {
    "a table with groups": lambda: requested("wine", steps=5, top_k=2),
    "a scalar output": lambda: requested("diabetes", steps=5),
    "a table without gradients": lambda: requested("wine", method="sampled-shapley", paths=4),
    "embedded words": lambda: requested("code_or_prose", steps=5, top_k=-1),
    "words of TensorFlow 1": lambda: requested("tf1_embedding", steps=5),
    "a digit, all labels": lambda: photographed("digits", "five.png", steps=5, top_k=-1),
    "noise": lambda: photographed("digits", "five.png", steps=5, noisy_samples=2),
    "a tolerance": lambda: photographed("digits", "five.png", tolerance=0.1),
    "errors that were asked for": lambda: requested("wine", steps=5, errors=True),
    "regions": lambda: photographed("photos", "cat.jpg", steps=5, method="xrai"),
    "patches": lambda: photographed(
        "digits", "two.png", method="lime", samples=30, segmentation="slic", top_k=2
    ),
    "players": lambda: photographed(
        "digits", "two.png", method="sampled-shapley", players="regions", paths=2
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_was_saved_answers_and_draws_the_same(case: str) -> None:
    before = CASES[case]()
    after = unpack(pack(before), "saved.npz")
    assert after.json() == before.json()
    assert after.parameters.method == before.parameters.method
    for view in (View(panel=True), View(labels=3, actual="x"), View(errors=True)):
        for number in range(len(before)):
            one = list(files([before], number, "a", view))
            assert one and one == list(files([after], number, "a", view))
    assert pack(after) == pack(unpack(pack(after), "again"))


def test_errors_of_single_values_are_saved_beside_them() -> None:
    found = requested("wine", method="sampled-shapley", paths=4)
    label = found[0].labels[0]
    arrays = np.load(io.BytesIO(pack(found)))
    assert label.errors and label.errors.keys() == label.features.keys()
    for name, error in label.errors.items():
        np.testing.assert_array_equal(arrays[f"0/0/errors/{name}"], error)
        assert error.shape == label.features[name].shape and (error >= 0).all()


def test_errors_stand_in_responses_only_if_they_are_asked_for() -> None:
    def said(**options: Any) -> Any:
        found = requested("wine", **options)
        return found[0].labels[0], found.response()["explanations"][0].get("diagnostics")

    _, plain = said(method="sampled-shapley", paths=4)
    assert plain is None
    label, (asked,) = said(method="sampled-shapley", paths=4, errors=True)
    for name, error in label.errors.items():
        np.testing.assert_array_equal(asked["errors"][name], error)
    label, (asked,) = said(steps=5, errors=True)
    assert asked["quadrature_error"] == label.diagnostics["quadrature_error"] > 0
    assert asked["errors"].keys() == label.features.keys()
    _, (one,) = said(method="sampled-shapley", paths=1, errors=True)
    assert all(value in (None, [None]) for value in one["errors"].values())


def test_the_words_of_a_text_are_saved_with_their_places(tmp_path: Path) -> None:
    def serve(text: Any) -> dict[str, Any]:
        return {"y": tf.cast(tf.strings.length(text), tf.float32)}

    traced = tf.function(serve).get_concrete_function(tf.TensorSpec([None], tf.string, "text"))
    tf.saved_model.save(tf.Module(), str(tmp_path / "m"), signatures=traced)
    model = pellucid.load(tmp_path / "m", warn=lambda message: None)
    before = model.explain(["so good, so good", "é"], method="sampled-shapley", players="words")
    # Where the last word is left out, the space before it is, too: of four, it comes first once.
    # (Which of BLAS' kernels averages, decides the last bit.)
    assert before[0].labels[0].features["text"] == pytest.approx([2.75, 5.75, 2.75, 4.75])
    after = unpack(pack(before), "saved.npz")
    assert after.json() == before.json()
    (drawn, *_) = files([before], 0, "a", View())
    (again, *_) = files([after], 0, "a", View())
    assert drawn == again


@pytest.mark.parametrize("spans", [[[0, 9]], [[2, 1]], [[1, 2], [0, 1]], [[-1, 2]]])
def test_parts_that_are_not_in_their_text_are_refused(spans: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="'x' are not in its text"):
        npz._cuts({"x": ["a b", spans]})


@pytest.mark.parametrize(
    "method",
    [
        IntegratedGradients(
            quadrature=Quadrature.MIDPOINT,
            smooth_grad=SmoothGrad(feature_noise_sigma=(("a", 1.0), ("b", 0.5))),
        ),
        Xrai(step_count=3, tolerance=0.5, max_blur_sigma=2.0),
        SampledShapley(players=Players.REGIONS, max_paths=7),
        Lime(segmentation_alg=Segmentation.SLIC, positive_only=False, hide_color=0.5),
        Examples(neighbor_count=3),
    ],
    ids=lambda method: str(method.name),
)
def test_the_method_comes_back_with_all_its_settings(method: Method) -> None:
    results = Results(
        items=(),
        instances=(),
        metadata=load("wine").metadata,
        parameters=ExplanationParameters(method=method),
    )
    assert unpack(pack(results), "saved.npz").parameters.method == method


def test_the_arrays_are_those_of_the_explanation() -> None:
    before = photographed("digits", "five.png", steps=5, top_k=2)
    with np.load(io.BytesIO(pack(before))) as raw:
        second = before[0].labels[1]
        np.testing.assert_array_equal(raw["0/1/values/image"], second.values["image"])
        np.testing.assert_array_equal(raw["0/inputs/image"], before[0].inputs["image"])
        assert raw["0/1/index"].tolist() == list(second.index)
        assert raw["0/1/scores"].tolist() == [
            second.score,
            second.baseline_score,
            second.approx_error,
        ]
        picture = SAMPLES / "digits/images/five.png"
        assert raw["0/picture"].tobytes() == picture.read_bytes()


def test_inferred_metadata_are_saved_too(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(SAMPLES / "wine" / "model", tmp_path / "model"))
    (copy / "explanation_metadata.json").unlink()
    model = pellucid.load(copy, warn=lambda sentence: None)
    request = json.loads((SAMPLES / "wine/instances.json").read_text())
    before = model.explain(request["instances"][:1], steps=3)
    assert unpack(pack(before), "saved").json() == before.json()


@pytest.mark.parametrize("name, upright", [("digits", True), ("jpeg_bytes", False)])
def test_a_picture_lies_as_the_model_saw_it(name: str, upright: bool, tmp_path: Path) -> None:
    photo = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    wide = Image.new("RGB", (60, 40), "white")
    wide.paste("black", (0, 0, 30, 40))
    wide.save(photo, exif=exif)
    model = load(name)
    before = model.explain([read_image(photo, model.inputs)], steps=2)
    after = unpack(pack(before), "saved")
    picture = after.instances[0].image
    assert picture is not None and before.instances[0].image is not None
    assert picture.size == ((40, 60) if upright else (60, 40))
    assert np.array_equal(np.asarray(picture), np.asarray(before.instances[0].image))


def saved_without(change: Callable[[dict[str, Any]], None]) -> bytes:
    with np.load(io.BytesIO(pack(of_a_picture(np.ones((8, 10)))))) as archive:
        arrays = dict(archive)
    change(arrays)
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def other_format(arrays: dict[str, Any]) -> None:
    document = json.loads(arrays["pellucid.json"].tobytes()) | {"format": 99}
    arrays["pellucid.json"] = np.frombuffer(json.dumps(document).encode(), np.uint8)


@pytest.mark.parametrize(
    "data, expected",
    [
        (b"PK nothing", "not an .npz file of explanations ("),
        (b"", "not an .npz file of explanations"),
        (pack(of_a_picture(np.ones((8, 10))))[:-300], "not an .npz file of explanations"),
        (
            saved_without(lambda arrays: arrays.pop("pellucid.json")),
            "holds arrays and no explanations to draw; write it with pellucid.responses.pack",
        ),
        (
            saved_without(other_format),
            "has format 99, and this version of pellucid reads 1; write it again with pellucid.responses.pack",
        ),
        (
            saved_without(lambda arrays: arrays.pop("0/0/scores")),
            "is damaged (KeyError: '0/0/scores'); write it again with pellucid.responses.pack",
        ),
    ],
)
def test_anything_else_costs_one_sentence(data: bytes, expected: str) -> None:
    with pytest.raises(InstanceError) as caught:
        unpack(data, "a.npz")
    assert str(caught.value).startswith(f"a.npz: {expected}")


def document_of(arrays: dict[str, Any]) -> Any:
    return json.loads(arrays["pellucid.json"].tobytes())


def read_and_drawn(data: bytes) -> None:
    """Draw what was saved, as the command does; only errors of ours may come of it."""
    with suppress(PellucidError):
        found = unpack(data, "a.npz")
        for number in range(len(found)):
            with drawing_damaged(found.instances[number].where):
                for file in files([found], number, "a", View(panel=True)):
                    assert file.data


def packed(arrays: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def test_whatever_stands_in_a_document_is_an_error_of_the_file() -> None:
    with np.load(io.BytesIO(pack(requested("wine", steps=2)))) as archive:
        arrays = dict(archive)
    document = document_of(arrays)
    document["instances"] = document["instances"][:1]
    # One column of a group and one without say what the others would.
    alike = document["metadata"]["inputs"].keys() - {"alcohol", "flavanoids"}
    for changed in tampered(document, without=alike):
        data = np.frombuffer(json.dumps(changed).encode(), np.uint8)
        read_and_drawn(packed({**arrays, "pellucid.json": data}))


def test_whatever_stands_in_an_array_is_an_error_of_the_file() -> None:
    with np.load(io.BytesIO(pack(of_a_picture(np.ones((8, 10)))))) as archive:
        arrays = dict(archive)
    for name in arrays:
        for other in ARRAYS:
            read_and_drawn(packed({**arrays, name: other}))
        read_and_drawn(packed({key: value for key, value in arrays.items() if key != name}))


def deep(arrays: dict[str, Any]) -> None:
    arrays["pellucid.json"] = np.frombuffer(DEEP.encode(), np.uint8)


def test_an_array_that_says_it_is_larger_takes_no_memory() -> None:
    whole = pack(of_a_picture(np.ones((8, 10))))
    head = b"'shape': (8, 10), }" + b" " * 12
    assert head in whole
    huge = whole.replace(head, b"'shape': (80000000, 10000), }".ljust(len(head)))
    out = io.BytesIO()
    np.savez_compressed(out, zeros=np.zeros(2**24))
    tracemalloc.start()
    try:
        for data in (huge, out.getvalue(), saved_without(deep)):
            with pytest.raises(InstanceError):
                unpack(data, "a.npz")
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()
