"""ROAD against Quantus, information curves against PAIR's package, and both by hand."""

from __future__ import annotations

import io
import json
from itertools import combinations, islice
from pathlib import Path

import numpy as np
import pytest
from judged import of_picture
from PIL import Image
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay
from small_network import (
    SIZE,
    gray_pictures,
    maps,
    network,
    pictures,
    removed,
    seen_pixels,
    smooth_picture,
)

from pellucid.evaluate import Picture, Settings, Trial, subject_of
from pellucid.evaluate.metrics import pictures as judged
from pellucid.evaluate.metrics.pictures import INFORMATION, ROAD_FILLED, THRESHOLDS
from pellucid.model import FunctionModel

HERE = Path(__file__).parent
QUANTUS = json.loads((HERE / "quantus.json").read_text())
PAIR = json.loads((HERE / "pair.json").read_text())


def gray_subject(image, target):
    model = FunctionModel(
        lambda x: network(np.repeat(x["image"][..., None], 3, axis=-1)),
        lambda x, t: {},
        frozenset(),
    )
    picture = Picture(feature="image", size=(SIZE, SIZE), channels=None)
    zero = {"image": np.zeros((1, SIZE, SIZE), np.float32)}
    return subject_of(model, {"image": image[None]}, zero, target, picture=picture)


def test_pixels_are_filled_as_quantus_fills_them() -> None:
    picture = pictures()[0].astype(np.float64)
    for mask, expected in zip(removed(), QUANTUS["filled"], strict=False):
        found = judged.filled(picture, mask, np.zeros((int(mask.sum()), 3)))
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_labels_are_kept_where_quantus_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twenty pictures, without noise, at each share that is filled in."""
    monkeypatch.setattr(judged, "NOISE", 0.0)
    for name, rankings in maps(pictures(20)).items():
        kept = []
        for image, ranking, target in zip(
            gray_pictures(), rankings, QUANTUS["target"], strict=True
        ):
            trial = Trial(subject=gray_subject(image, target), maps={name: ranking.ravel()})
            found = ROAD_FILLED.judge(trial, Settings())
            kept.append(found.curves["road_kept"][name])
            assert found.values["road_kept"][name] == pytest.approx(kept[-1].mean())
            assert found.values["road"][name] == pytest.approx(found.curves["road"][name].mean())
        expected = [QUANTUS[f"kept/{name}"][str(share)] for share in range(10, 100, 10)]
        np.testing.assert_allclose(np.mean(kept, axis=0), expected, atol=1e-6)
    assert len({*QUANTUS["target"]}) > 1 and 0 < np.mean(expected) < 1


def test_the_noise_is_the_same_for_all_candidates_and_goes_by_the_instance() -> None:
    image, ranking = pictures()[0], maps(pictures())["noise"][0].ravel()

    def found(number, names):
        trial = Trial(
            subject=of_picture(image, 0, number=number), maps=dict.fromkeys(names, ranking)
        )
        return ROAD_FILLED.judge(trial, Settings()).values["road"]

    both = found(3, ["a", "b"])
    assert both["a"] == both["b"] == found(3, ["b"])["b"] != found(4, ["b"])["b"]


def test_a_pixel_between_others_is_their_mean() -> None:
    picture = np.arange(9.0).reshape(3, 3, 1)
    gone = np.zeros((3, 3), bool)
    gone[1, 1] = True
    picture[1, 1] = 99
    found = judged.filled(picture, gone, np.full((1, 1), 0.5))
    assert found[1, 1, 0] == pytest.approx(4 + 0.5)
    corner = np.zeros((3, 3), bool)
    corner[0, 0] = True
    (a, b, c) = picture[0, 1, 0], picture[1, 0, 0], picture[1, 1, 0]
    expected = (2 * a + 2 * b + c) / 5
    assert judged.filled(picture, corner, np.zeros((1, 1)))[0, 0, 0] == pytest.approx(expected)


def runs():
    picture, ranking = smooth_picture()
    for run in PAIR["runs"]:
        yield picture, np.rot90(run["sign"] * ranking, run["turned"]), run


def test_information_curves_are_those_of_pair() -> None:
    """With its sizes of the compressed pictures, which are those of its libwebp."""
    curves = []
    for _, _, run in runs():
        sizes, scores = np.array(run["sizes"], float), np.array(run["predictions"])
        curve = judged.information_curve(sizes, scores)
        curves.append(curve)
        assert np.mean(curve[:-1] + curve[1:]) / 2 == pytest.approx(run["area"], abs=1e-6)
        assert (np.diff(curve) >= 0).all() and (curve[0], curve[-1]) >= (0, 1)
    assert judged.median_area(np.array(curves)) == pytest.approx(PAIR["median_area"], abs=1e-6)


def test_pictures_are_blurred_as_pair_blurs_them() -> None:
    """All pixels together; a triangulation of a grid may be drawn in more than one way."""
    for picture, values, run in islice(runs(), 2):
        flat = values.ravel()
        for share, expected in zip(THRESHOLDS, run["sums"][1:], strict=False):
            seen = (flat >= np.quantile(flat, 1 - share)).reshape(values.shape) | seen_pixels()
            found = judged.blurred(picture, seen)
            assert int(found.astype(int).sum()) == pytest.approx(expected, rel=1e-4)
    whole = np.ones(picture.shape[:2], bool)
    assert np.array_equal(judged.blurred(picture, whole), picture)


def possible(pixels, points, corners, place):
    """What a pixel is by each triangle around it that a Delaunay triangulation may have.

    `corners` are those of one of them. All pixels on the circle through them are one cell, which
    any of its triangles may be a part of.
    """
    a, b, c = corners.astype(float)
    system = 2 * np.array([b - a, c - a])
    centre = np.linalg.solve(system, [b @ b - a @ a, c @ c - a @ a])
    far = np.linalg.norm(points - centre, axis=1)
    radius = np.linalg.norm(a - centre)
    assert (far > radius - 1e-9).all()  # as Delaunay has it
    for three in combinations(points[far < radius + 1e-9], 3):
        try:
            shares = np.linalg.solve(np.vstack([np.transpose(three), np.ones(3)]), [*place, 1])
        except np.linalg.LinAlgError:
            continue
        if (shares > -1e-9).all():
            yield shares @ pixels[tuple(np.transpose(three))].astype(float)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.75])
def test_pictures_are_interpolated_in_triangles_of_delaunay(share: float) -> None:
    """With pixels in patches and alone, and no pixel changes that is seen.

    Where pixels of a grid are on one circle, there are several triangulations, and any is right;
    where there is one, each pixel is what SciPy interpolates.
    """
    generator = np.random.default_rng(3)
    picture = generator.integers(0, 256, (23, 31, 3)).astype(np.uint8)
    patch = np.add.outer(np.arange(23), np.arange(31)) < 55 * share
    seen = patch | (generator.random((23, 31)) < 0.02 + share / 2)
    found = judged.blurred(picture, seen)
    assert np.array_equal(found[seen], picture[seen])
    seen[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    points, others = np.argwhere(seen), np.argwhere(~seen)
    triangulation = Delaunay(points)
    corners = points[triangulation.simplices[triangulation.find_simplex(others)]]
    by_scipy = LinearNDInterpolator(triangulation, picture[seen].astype(float))(others)
    only = 0
    for place, three, expected in zip(others, corners, by_scipy, strict=True):
        values = np.array([*possible(picture, points, three, place)])
        distance = np.abs(values - found[tuple(place)]).max(axis=1)
        assert distance.min() <= 0.5 + 1e-6, (place, values, found[tuple(place)])
        assert np.abs(values - expected).max(axis=1).min() < 1e-6
        only += len(values) == 1
    assert only > len(others) / 3


def test_sizes_are_those_of_a_lossless_webp() -> None:
    picture, _, run = next(runs())
    assert judged.information(picture) == pytest.approx(run["sizes"][-1], rel=0.05)
    flat = np.zeros_like(picture)
    assert judged.information(flat) < judged.information(picture) / 5
    assert judged.information(picture[..., :1]) < judged.information(picture)


def test_a_picture_has_the_size_that_pair_gives_it() -> None:
    for picture, values, _ in islice(runs(), 2):
        shown = judged.blurred(picture, values >= np.quantile(values, 0.9))
        file = io.BytesIO()
        Image.fromarray(shown).save(file, format="webp", lossless=True, quality=100)
        assert judged.information(shown) == len(file.getvalue())


def sharp_subject(target=0):
    """A model that sees whether there are edges in the middle of a picture."""
    from small_network import sharpness

    picture, _ = smooth_picture()

    def scores(x):
        sharp = sharpness(np.rint(x["image"] * 255))
        return np.stack([sharp, 0.9 - sharp], axis=1)

    model = FunctionModel(scores, lambda x, t: {}, frozenset())
    side = picture.shape[0]
    held = Picture(feature="image", size=(side, side), channels=2)
    x = {"image": picture[None] / 255}
    zero = {"image": np.zeros_like(x["image"])}
    return subject_of(model, x, zero, target, picture=held)


def test_a_map_of_what_the_model_sees_is_ahead_of_one_of_the_rest() -> None:
    subject = sharp_subject()
    middle = np.zeros((48, 48))
    middle[12:36, 12:36] = 1
    noise = np.random.default_rng(0).random((48, 48)) * 0.1
    rankings = {"middle": (middle + noise).ravel(), "rest": (noise - middle).ravel()}
    found = INFORMATION.judge(Trial(subject=subject, maps=rankings), Settings())
    for metric in ("sic", "aic"):
        values = found.values[metric]
        assert values["middle"] > values["rest"] + 0.1, (metric, values)


def test_a_picture_that_is_no_better_than_blurred_is_left_out() -> None:
    subject = sharp_subject(1)
    trial = Trial(subject=subject, maps={"a": np.arange(48.0 * 48)})
    found = INFORMATION.judge(trial, Settings())
    assert found.values == {}
    assert found.missing == {
        ("sic", ""): "the blurred picture is as good as the whole one",
        ("aic", ""): "the blurred picture is as good as the whole one",
    }
