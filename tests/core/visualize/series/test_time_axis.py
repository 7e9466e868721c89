"""Time as columns of pixels: no step is lost that counts, and ticks stand where they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.visualize.series.time_axis import ticks, time_axis


@given(
    gaps=st.lists(st.floats(0.01, 100), min_size=0, max_size=300),
    width=st.integers(1, 200),
    seed=st.integers(0, 5),
)
@settings(max_examples=60)
def test_the_strongest_step_of_a_column_is_shown(gaps: list[float], width: int, seed: int) -> None:
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    axis = time_axis(times, width)
    weights = np.random.default_rng(seed).normal(size=len(times))
    shown = axis.shown(weights)
    assert shown.shape == (width,)
    for column in range(width):
        inside = np.flatnonzero(axis.columns == column)
        if len(inside):
            assert abs(weights[shown[column]]) >= np.abs(weights[inside]).max()
        else:
            assert axis.edges[shown[column]] <= column + 0.5 <= axis.edges[shown[column] + 1]
    # So the strongest of all is seen, wherever it is.
    assert np.abs(weights).argmax() in shown


def test_regular_steps_are_as_wide_as_each_other() -> None:
    axis = time_axis(np.arange(10.0) * 3 + 7, 640)
    np.testing.assert_allclose(np.diff(axis.edges), 64)
    np.testing.assert_array_equal(axis.shown(np.ones(10)), np.arange(640) // 64)
    assert not axis.is_crowded
    assert time_axis(np.arange(16000.0), 640).is_crowded


@pytest.mark.parametrize(
    ("times", "dates", "texts"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], False, ["0", "2", "4", "6", "8"]),
        ([3], False, ["3"]),
        ([0, 0.1, 0.2, 0.3], False, ["0", "0.05", "0.1", "0.15", "0.2", "0.25", "0.3"]),
        ([0, 16000], False, ["0", "5,000", "10,000", "15,000"]),
        ([-2, 2], False, ["-2", "-1", "0", "1", "2"]),
        ([0, 86400 * 5], True, ["1970-01-01", "1970-01-06"]),
        ([0, 7200], True, ["01-01 00:00", "01-01 02:00"]),
        ([0, 60], True, ["00:00:00", "00:01:00"]),
    ],
)
def test_ticks_are_round_numbers_or_dates(
    times: list[float], dates: bool, texts: list[str]
) -> None:
    found = list(ticks(np.array(times, np.float64), dates=dates))
    assert [text for _, text in found] == texts
    assert all(min(times) - 1e-9 <= at <= max(times) + 1e-9 for at, _ in found)
