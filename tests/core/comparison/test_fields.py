"""Two answers field by field: what is exact, close, within its error, and different."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.comparison.parity.fields import (
    Tolerances,
    Verdict,
    highlighted,
    numbers,
    overlap,
    pictures,
)
from pellucid.model import Array

PLAIN = Tolerances()


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        ([1.0, -4.0], Verdict.EXACT),
        ([1.0, -4.000003], Verdict.EXACT),
        ([1.02, -4.0], Verdict.CLOSE),
        ([1.05, -4.0], Verdict.DIFFERS),
        ([np.nan, -4.0], Verdict.DIFFERS),
    ],
)
def test_numbers_differ_by_shares_of_the_largest(other: list[float], verdict: Verdict) -> None:
    found = numbers("x", "attribution", np.array([1.0, -4.0]), np.array(other), PLAIN)
    assert found.verdict is verdict
    if np.isfinite(other).all():
        gap = np.abs(np.array([1.0, -4.0]) - other).max() / np.abs([1.0, -4.0, *other]).max()
        assert found.difference == pytest.approx(gap)


def test_what_is_next_to_nothing_in_one_feature_is_so_altogether() -> None:
    one, other = np.array([1e-6]), np.array([3e-6])
    assert numbers("x", "attribution", one, other, PLAIN).verdict is Verdict.DIFFERS
    assert numbers("x", "attribution", one, other, PLAIN, scale=5.0).verdict is Verdict.EXACT


def test_samples_may_differ_by_what_they_are_known_to() -> None:
    one, other = np.array([1.0, 2.0]), np.array([1.3, 2.0])
    error = np.array([0.4, 0.0])
    assert numbers("x", "a", one, other, PLAIN, error=error).verdict is Verdict.SAMPLING
    assert numbers("x", "a", one, other, PLAIN, error=error / 2).verdict is Verdict.DIFFERS


def test_a_shape_of_the_same_numbers_is_the_same_and_another_is_said() -> None:
    found = numbers("x", "attribution", np.ones((3, 1)), np.ones(3), PLAIN)
    assert found.verdict is Verdict.EXACT
    found = numbers("x", "attribution", np.ones(4), np.ones(3), PLAIN)
    assert (found.verdict, found.kind, found.recorded, found.ours) == (
        Verdict.DIFFERS, "shape", "[4]", "[3]",
    )  # fmt: skip


def overlay(marked: slice, colour: tuple[int, int, int] = (20, 230, 20)) -> Array:
    base = np.tile(np.linspace(40, 200, 32, dtype=np.uint8)[:, np.newaxis, np.newaxis], (1, 32, 3))
    made = (0.4 * base).astype(np.uint8)
    made[marked, 8:24] = colour
    return made


def test_what_is_highlighted_is_what_has_a_colour_of_its_own() -> None:
    found = highlighted(overlay(slice(4, 12)))
    assert found.sum() == 8 * 16 and found[4:12, 8:24].all()
    # A dimmed picture has the hue of the picture: nothing of it is highlighted.
    photo = np.zeros((32, 32, 3), np.uint8)
    photo[..., 2], photo[..., 1] = 180, 90
    dimmed = (0.4 * photo).astype(np.uint8)
    assert not highlighted(dimmed, photo).any() and highlighted(dimmed).all()
    dimmed[:5] = (200, 30, 30)
    assert highlighted(dimmed, photo).sum() == 5 * 32


def test_overlays_are_compared_by_structure_and_by_what_they_highlight() -> None:
    one, other = overlay(slice(4, 12)), overlay(slice(8, 16))
    assert overlap(one, other) == pytest.approx(4 / 12)
    assert overlap(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)) == 1.0
    found = pictures("x", one, one, None, PLAIN)
    assert (found.verdict, found.difference) == (Verdict.EXACT, 0.0)
    found = pictures("x", one, other, None, PLAIN)
    assert found.verdict is Verdict.DIFFERS and found.difference >= 1 - 4 / 12
    noisy = one.astype(int) + np.random.default_rng(0).integers(-2, 3, one.shape)
    found = pictures("x", one, np.clip(noisy, 0, 255).astype(np.uint8), None, PLAIN)
    assert found.verdict is Verdict.CLOSE
    found = pictures("x", one, one[:16], None, PLAIN)
    assert found.kind == "picture size"
