"""Means and their intervals, and what is said of them."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.evaluate.statistics import band, difference, interval


@pytest.mark.parametrize("n", [20, 60])
def test_an_interval_of_95_percent_covers_in_95_percent(n: int) -> None:
    """Pairs whose true difference is zero: 1,000 repeats, 95 ± 2 %."""
    generator = np.random.default_rng(n)
    covered = 0
    for repeat in range(1000):
        level = generator.normal(0.5, 0.2, n)  # what the two have in common
        first, second = (level + generator.normal(0, 0.1, n) for _ in range(2))
        found = difference(first, second, seed=repeat)
        covered += not found.sure
    assert 930 <= covered <= 970, covered


def test_pairs_leave_out_whom_one_of_the_two_lacks() -> None:
    first = np.array([1.0, np.nan, 3.0, 4.0])
    second = np.array([0.0, 9.0, np.nan, 2.0])
    found = difference(first, second)
    assert found.n == 2 and found.mean == pytest.approx(1.5)


def test_the_same_instances_are_resampled_alike() -> None:
    values = np.random.default_rng(0).random(30)
    assert interval(values) == interval(values)
    assert interval(values, seed=1) != interval(values)
    shifted = interval(values + 1)
    assert shifted.low == pytest.approx(interval(values).low + 1)


def test_one_instance_has_no_interval_and_none_has_no_mean() -> None:
    one = interval(np.array([0.5]))
    assert (one.mean, one.low, one.high, one.n, one.sure) == (0.5, None, None, 1, False)
    assert interval(np.array([np.nan])).mean is None


def test_an_interval_does_not_depend_on_how_many_are_drawn_together(monkeypatch) -> None:
    values = np.random.default_rng(0).random(30)
    whole = interval(values)
    monkeypatch.setattr("pellucid.evaluate.statistics._TOGETHER", 1000)
    assert interval(values).low == pytest.approx(whole.low)


@pytest.mark.parametrize("together", [2**22, 100])
def test_a_band_is_the_interval_of_each_point(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    """However many resamples are held at once; a curve that lacks a point is left out."""
    monkeypatch.setattr("pellucid.evaluate.statistics._TOGETHER", together)
    curves = np.random.default_rng(1).random((12, 4))
    curves[3, 2] = np.nan
    found = band(curves, seed=5)
    whole = np.delete(curves, 3, axis=0)
    for point in range(4):
        one = interval(whole[:, point], seed=5)
        np.testing.assert_allclose(found[:, point], (one.mean, one.low, one.high))


def test_a_band_of_one_curve_and_of_none() -> None:
    one = np.array([[0.0, 0.5, 1.0]])
    np.testing.assert_array_equal(band(one), np.repeat(one, 3, axis=0))
    assert np.isnan(band(np.full((2, 3), np.nan))).all()
