"""Deletion and insertion: by hand, against xplique, and what their cost is."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from judged import of_columns, of_picture
from small_network import SIZE, maps, pictures

from pellucid.evaluate import Kind, Picture, Settings, Trial, controls_of, subject_of
from pellucid.evaluate.metrics.curves import (
    CURVES,
    area,
    curves,
    normalised,
    over_patches,
    stages,
    taken,
)
from pellucid.evaluate.subject import best_first
from pellucid.model import FunctionModel

REFERENCE = json.loads((Path(__file__).parent / "xplique.json").read_text())


def judged(subject, rankings, measure=CURVES[0], **settings):
    return measure.judge(Trial(subject=subject, maps=rankings), Settings(**settings))


def test_the_area_by_hand() -> None:
    """Three columns of 4, 2 and 1; in three stages the best goes first."""
    subject = of_columns([1, 1, 1], [4, 2, 1])
    found = judged(
        subject, {"right": np.array([4, 2, 1.0]), "wrong": np.array([1, 2, 4.0])}, stages=3
    )
    np.testing.assert_allclose(found.curves["deletion"]["right"], [7, 3, 1, 0])
    np.testing.assert_allclose(found.curves["insertion"]["right"], [0, 4, 6, 7])
    np.testing.assert_allclose(found.curves["deletion"]["wrong"], [7, 6, 4, 0])
    assert found.values["deletion"]["right"] == pytest.approx((7 / 2 + 3 + 1 + 0 / 2) / 3)
    assert found.values["insertion"]["right"] == pytest.approx((0 / 2 + 4 + 6 + 7 / 2) / 3)
    share = found.values["insertion"]["right"] / 7
    assert found.values["insertion_normalised"]["right"] == pytest.approx(share)


def test_nothing_is_asked_that_is_known() -> None:
    """The ends are those of every curve, and each stage between them is one row, for each map."""
    rows: list[int] = []

    def counted(x):
        rows.append(len(x["x"]))
        return x["x"].sum(axis=1, keepdims=True)

    model = FunctionModel(counted, lambda x, t: {}, frozenset())
    x, zero = {"x": np.arange(1.0, 101)[None]}, {"x": np.zeros((1, 100))}
    subject = subject_of(model, x, zero, 0)
    assert sum(rows) <= 3  # all outputs, and the two ends
    rows.clear()
    generator = np.random.default_rng(0)
    judged(subject, {name: generator.random(100) for name in "abc"}, stages=50)
    assert sum(rows) == 3 * 2 * 49
    rows.clear()
    judged(subject, {"up": x["x"][0]}, stages=50)
    assert sum(rows) == 2 * 49


def test_ends_of_a_curve_that_are_equal_are_no_measure() -> None:
    assert math.isnan(normalised(0.3, 0.5, 0.5))
    subject = of_columns([1, 1], [1, -1])
    assert math.isnan(judged(subject, {"a": np.array([1, 0.0])}).values["deletion_normalised"]["a"])


def test_equal_shares_are_as_equal_as_they_can_be() -> None:
    assert stages(10, 4).tolist() == [0, 2, 5, 7, 10]
    assert stages(3, 50)[-1] == 3
    assert area(np.array([0.0, 1.0])) == 0.5


def test_what_is_equal_goes_in_reading_order() -> None:
    subject = of_columns([1, 1, 1, 1], [1, 1, 1, 1])
    members = taken(subject, np.array([0, 5.0, 0, 5]), 4)
    assert members.tolist() == [
        [False, False, False, False],
        [False, True, False, False],
        [False, True, False, True],
        [True, True, False, True],
        [True, True, True, True],
    ]


@pytest.mark.parametrize("values", [[3.0, 1, 2], [0, 5, 0, 5], [1, np.nan, np.nan, 2], [7], []])
def test_the_best_come_first_and_equal_ones_in_their_order(values) -> None:
    expected = np.argsort(-np.array(values), kind="stable")
    np.testing.assert_array_equal(best_first(np.array(values)), expected)


def test_what_is_the_baseline_already_is_no_element_of_a_table() -> None:
    subject = of_columns([1, 0, 1], [1, 1, 2])
    assert subject.ranked.tolist() == [0, 2]
    found = judged(subject, {"a": np.array([0, 9.0, 1])}, stages=2)
    np.testing.assert_allclose(found.curves["insertion"]["a"], [0, 2, 3])


def test_the_numbers_are_those_of_xplique() -> None:
    """By its own maps and network, without equal values: those it takes in reverse order."""
    images = pictures()
    rankings = maps(images)
    for i, (image, target) in enumerate(zip(images, REFERENCE["target"], strict=True)):
        subject = of_picture(image, target)
        found = judged(subject, {name: m[i].ravel() for name, m in rankings.items()}, stages=20)
        for kind in ("deletion", "insertion"):
            for name in rankings:
                expected = REFERENCE[f"{kind}/{name}"][i]
                assert found.values[kind][name] == pytest.approx(expected, abs=1e-6), (kind, name)


@pytest.mark.parametrize("channels", [0, 2, None])
def test_pictures_made_from_each_other_are_those_of_the_masks(channels) -> None:
    """However the tensor holds its channels; and with more shares than pixels."""
    shape = {0: (3, 4, 5), 2: (4, 5, 3), None: (4, 5)}[channels]
    generator = np.random.default_rng(1)
    weights, image = generator.normal(size=shape), generator.random((1, *shape))
    model = FunctionModel(
        lambda x: np.tanh((x["i"] * weights).reshape(len(x["i"]), -1).sum(axis=1, keepdims=True)),
        lambda x, t: {},
        frozenset(),
    )
    picture = Picture(feature="i", size=(4, 5), channels=channels)
    start = {"i": generator.random((1, *shape))}
    subject = subject_of(model, {"i": image}, start, 0, picture=picture)
    ranking = generator.random(20)
    for shares in (1, 4, 7, 50):
        members = taken(subject, ranking, shares)
        gone, come = curves(subject, ranking, shares)
        np.testing.assert_allclose(gone, subject.worth(~members))
        np.testing.assert_allclose(come, subject.worth(members))


@pytest.mark.parametrize("count", [1, 2, 3, 10, 50])
@pytest.mark.parametrize("shares", [1, 10, 50])
def test_equal_columns_go_and_come_in_a_straight_line(count: int, shares: int) -> None:
    """However few they are: waiting for whole ones would make any method worse than it is."""
    model = FunctionModel(
        lambda x: x["x"].mean(axis=1, keepdims=True), lambda x, t: {}, frozenset()
    )
    subject = subject_of(model, {"x": np.ones((1, count))}, {"x": np.zeros((1, count))}, 0)
    gone, come = curves(subject, np.arange(count, dtype=float), shares)
    np.testing.assert_allclose(come, np.linspace(0, 1, shares + 1), atol=1e-12)
    np.testing.assert_allclose(gone, 1 - come, atol=1e-12)


def test_maps_over_the_same_patches_are_constant_in_each() -> None:
    subject = of_picture(pictures()[0], 0)
    values = np.random.default_rng(0).random(subject.count)
    flat = over_patches(subject, values)
    labels = subject.patches.ravel()
    for patch in np.unique(labels):
        here = flat[labels == patch]
        assert np.ptp(here) == 0 and here[0] == pytest.approx(values[labels == patch].mean())


def test_smoothed_and_patched_maps_are_ranked_anew() -> None:
    subject = of_picture(pictures()[0], 0)
    across, down = np.indices((SIZE, SIZE)) // 4
    vars(subject)["patches"] = across * 3 + down
    rankings = {"a": np.random.default_rng(0).random(subject.count)}
    plain, smooth, patched = (judged(subject, rankings, measure) for measure in CURVES)
    numbers = {
        plain.values["insertion"]["a"],
        smooth.values["insertion_smoothed"]["a"],
        patched.values["insertion_patches"]["a"],
    }
    assert len(numbers) == 3


def test_a_table_cannot_be_smoothed() -> None:
    trial = Trial(subject=of_columns([1, 2], [1, 1]), maps={})
    assert "picture" in CURVES[1].refuses(trial)
    assert not CURVES[0].refuses(trial)


def test_an_element_of_a_picture_has_all_of_its_channels() -> None:
    subject = of_picture(pictures()[0], 0)
    assert subject.count == SIZE * SIZE
    values = np.random.default_rng(0).normal(size=(SIZE, SIZE, 3))
    np.testing.assert_allclose(subject.elements({"image": values}), values.sum(axis=-1).ravel())
    flat = values.sum(axis=-1)
    np.testing.assert_allclose(subject.elements({"image": flat}), flat.ravel())


def test_the_columns_of_a_group_are_one_element() -> None:
    model = FunctionModel(
        lambda x: (x["a"] + 2 * x["b"] + x["c"])[:, None], lambda x, t: {}, frozenset()
    )
    x = {name: np.array([1.0]) for name in "abc"}
    start = {name: np.array([0.0]) for name in "abc"}
    subject = subject_of(model, x, start, 0, groups={"a": "g", "b": "g"})
    assert subject.count == 2
    assert subject.elements(
        {"a": np.array(1.0), "b": np.array(5.0), "c": np.array(2.0)}
    ).tolist() == [6, 2]
    assert subject.worth(np.array([[True, False], [False, True]])).tolist() == [3, 1]


def test_controls_know_nothing_of_the_model() -> None:
    image = np.zeros((SIZE, SIZE, 3), np.float32)
    image[:, SIZE // 2 :] = 1
    found = controls_of(of_picture(image, 0))
    edges = found["edges"].reshape(SIZE, SIZE)
    assert edges[:, SIZE // 2 - 1 : SIZE // 2 + 1].min() > 0 and edges[:, 0].max() == 0
    middle = found["centre"].reshape(SIZE, SIZE)
    assert middle[SIZE // 2, SIZE // 2] > middle[0, 0] and middle[0, 0] == middle[-1, -1]
    assert found["edges-blurred"].reshape(SIZE, SIZE).max() < edges.max()
    table = controls_of(of_columns([1, -5, 2], [1, 1, 1], [0, 0, 1]))
    assert table["difference"].tolist() == [1, 5, 1] and np.argsort(-table["first"]).tolist() == [
        0,
        1,
        2,
    ]


def test_random_numbers_go_by_seed_and_instance() -> None:
    def drawn(**named):
        return controls_of(of_columns([1, 2, 3], [1, 1, 1], **named))["random"].tolist()

    assert drawn(number=3, seed=5) == np.random.default_rng([5, 3]).random(3).tolist()
    assert drawn(number=3) != drawn(number=4) != drawn(number=4, seed=1)


def test_the_kind_of_a_picture_is_picture() -> None:
    assert of_picture(pictures()[0], 0).kind is Kind.PICTURE


def test_no_point_of_an_order_is_asked_twice() -> None:
    """Not even with other shares, nor where a map that was changed ranks as another does."""
    asked: list[int] = []

    def outputs(x):
        asked.append(len(x["i"]))
        return x["i"].reshape(len(x["i"]), -1).mean(axis=1, keepdims=True)

    model = FunctionModel(outputs, lambda x, t: {}, frozenset())
    generator = np.random.default_rng(2)
    picture = Picture(feature="i", size=(4, 5), channels=None)
    image, start = ({"i": generator.random((1, 4, 5))} for _ in range(2))
    subject = subject_of(model, image, start, 0, picture=picture)
    ranking = generator.random(20)
    whole = curves(subject, ranking, 10)
    asked.clear()
    for few, all_of_them in zip(curves(subject, 2 * ranking, 5), whole, strict=True):
        assert np.array_equal(few, all_of_them[::2])
    assert not asked
    curves(subject, ranking, 4)
    assert asked == [2, 2], "5 and 15 of 20 elements are new, and 10 are not"
