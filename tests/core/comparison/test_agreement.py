"""How far two maps agree, by formulas of others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from pellucid.comparison import agreement, share_moved


def test_cosine_and_rank_are_those_of_scipy() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 4, 6))
    found = agreement(a, b)
    assert found.cosine == pytest.approx(1 - distance.cosine(a.ravel(), b.ravel()))
    assert found.rank == pytest.approx(stats.spearmanr(a.ravel(), b.ravel()).statistic)
    assert found.largest == pytest.approx(
        np.abs(a - b).max() / max(np.abs(a).max(), np.abs(b).max())
    )


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_a_unit_changes_nothing(scale: float) -> None:
    a, b = np.array([1.0, 2.0, -3.0]), np.array([1.0, 2.5, -3.0])
    found, scaled = agreement(a, b), agreement(a * scale, b * scale)
    assert scaled.cosine == pytest.approx(found.cosine)
    assert scaled.largest == pytest.approx(0.5 / 3)


def test_the_same_map_agrees_wholly_and_one_of_zeros_with_nothing() -> None:
    a, zero = np.array([1.0, -2.0]), np.zeros(2)
    assert (agreement(a, a).cosine, agreement(a, a).largest) == (1.0, 0.0)
    assert math.isnan(agreement(a, zero).cosine) and agreement(a, zero).largest == 1.0
    assert agreement(zero, zero).largest == 0.0


def test_what_lies_elsewhere_is_half_of_all_that_moved() -> None:
    assert share_moved({"a": 0.75, "b": 0.25}, {"a": 0.25, "c": 0.75}) == pytest.approx(0.75)
    assert share_moved({"a": 1.0}, {"b": 1.0}) == 1.0
    assert share_moved({"a": 1.0}, {"a": 1.0}) == 0.0
    assert share_moved({}, {"a": 1.0}) == share_moved({"a": 1.0}, {}) == 1.0
    assert math.isnan(share_moved({}, {}))
