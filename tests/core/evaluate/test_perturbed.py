"""Infidelity and sensitivity: by hand, and against captum with the same perturbations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from judged import of_columns, of_picture
from small_network import maps, moves, pictures, removed, slopes

from pellucid.evaluate import Settings, Trial
from pellucid.evaluate.metrics.perturbed import (
    PERTURBED,
    infidelity,
    moved_inputs,
    parts,
    sensitivity,
)

REFERENCE = json.loads((Path(__file__).parent / "captum.json").read_text())


def test_the_numbers_are_those_of_captum() -> None:
    images = pictures()
    members = removed().reshape(len(removed()), -1)
    for i, (image, target) in enumerate(zip(images, REFERENCE["target"], strict=True)):
        subject = of_picture(image, target)
        lost = subject.full - subject.worth(~members)
        for name, ranking in maps(images).items():
            claimed = members @ ranking[i].ravel()
            expected = REFERENCE[f"infidelity/{name}"][i]
            assert infidelity(claimed, lost) == pytest.approx(expected, abs=1e-6)
            plain = REFERENCE[f"infidelity_unscaled/{name}"][i]
            assert np.mean((claimed - lost) ** 2) == pytest.approx(plain, rel=1e-6)


def test_the_sensitivity_is_that_of_captum() -> None:
    """Of the gradient times the input, whose target stays what it was."""
    for image, target, expected in zip(
        pictures(), REFERENCE["target"], REFERENCE["sensitivity"], strict=True
    ):
        rows = np.concatenate([image[None], image + moves()])
        found = (slopes(rows, np.full(len(rows), target)) * rows).reshape(len(rows), -1)
        assert sensitivity(found[0], found[1:]) == pytest.approx(expected, abs=1e-6)


def test_infidelity_by_hand() -> None:
    """A map that is right but for its unit has none; one that says nothing leaves all of it."""
    lost = np.array([1.0, 2.0, 4.0])
    assert infidelity(3 * lost, lost) == pytest.approx(0)
    assert infidelity(np.zeros(3), lost) == pytest.approx((1 + 4 + 16) / 3)
    assert infidelity(np.array([1.0, 0, 0]), lost) == pytest.approx((4 + 16) / 3)


def test_a_map_that_is_right_has_no_infidelity() -> None:
    subject = of_columns([1.0, 2.0, 1.0], [4, 2, 1])
    trial = Trial(subject=subject, maps={"right": np.array([4, 4, 1.0]), "wrong": np.ones(3)})
    found = PERTURBED[0].judge(trial, Settings()).values["infidelity"]
    assert found["right"] == pytest.approx(0) and found["wrong"] > 0.5


def test_parts_of_a_picture_are_squares() -> None:
    subject = of_picture(pictures()[0], 0)
    found = parts(subject)
    assert len(found) == 100 and found.any(axis=1).all()
    size = subject.picture.size
    for mask in found.reshape(-1, *size):
        down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert np.ptp(down) == np.ptp(across) < size[0] // 2
        assert mask.sum() == len(down) * len(across)
    assert np.array_equal(found, parts(subject))


def test_parts_of_a_table_leave_out_what_is_the_baseline() -> None:
    found = parts(of_columns([1, 0, 1], [1, 1, 1]))
    assert not found[:, 1].any() and 30 < found[:, 0].sum() < 70


def test_sensitivity_by_hand() -> None:
    assert sensitivity(np.array([3.0, 4.0]), np.array([[3, 4], [3, 5.0], [0, 4]])) == 0.6
    assert sensitivity(np.zeros(2), np.array([[3.0, 4.0]])) == 5.0


class Again:
    """Explains anew as a function of the changed inputs says."""

    def __init__(self, explain):
        self.explain = explain

    def plain(self, candidate):
        return None

    def changed(self, candidate, inputs):
        return self.explain(candidate, inputs)


def test_controls_are_not_moved_and_what_fails_is_said() -> None:
    trial = Trial(
        subject=of_columns([1.0, 2.0], [1, 1]),
        maps={"a": np.array([3.0, 4.0]), "b": np.ones(2), "random": np.ones(2)},
        controls=frozenset({"random"}),
        request={"x": np.array([1.0, 2.0])},
        ranges={"x": np.array([1.0, 10.0])},
        again=Again(lambda name, inputs: inputs["x"] * 0 if name == "a" else "it fails"),
    )
    found = PERTURBED[1].judge(trial, Settings())
    assert found.values["max_sensitivity"] == {"a": 1.0}
    assert found.missing == {("max_sensitivity", "b"): "it fails"}
    moved = moved_inputs(trial, 10)["x"]
    assert np.abs(moved - [1, 2]).max(axis=0) == pytest.approx([0.02, 0.2], rel=0.2)
    assert "again" in PERTURBED[1].refuses(Trial(subject=trial.subject, maps={}))
