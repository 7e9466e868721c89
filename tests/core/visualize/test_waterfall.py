"""Charts of columns: each bar begins where the last one ended, and says what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid.visualize.named_parts import Part
from pellucid.visualize.panel import INK
from pellucid.visualize.waterfall import AGAINST, FOR, MOST, largest, waterfall

STEPS = {"age": 2.0, "bmi": -3.0, "s5": 0.5}


def named(steps: dict[str, float]) -> list[Part]:
    return [Part(name=name, attribution=step, value="1.5") for name, step in steps.items()]


def bars(picture: Any) -> list[tuple[int, int, bool]]:
    """Return (left, right, whether it is for) of each bar from the top; letters are less solid."""
    found = []
    for color, is_for in ((FOR, True), (AGAINST, False)):
        solid = (picture == color).all(2)
        rows = np.flatnonzero([_longest(row) >= 8 for row in solid])
        for row in rows[np.flatnonzero(np.diff(rows, prepend=-9) > 1)]:
            columns = np.flatnonzero(solid[row + 8])
            run = columns[: np.flatnonzero(np.diff(columns, append=10**6) > 1)[0] + 1]
            if not is_for:  # the number of a negative bar is at its left
                run = columns[np.flatnonzero(np.diff(columns, prepend=-9) > 1)[-1] :]
            found.append((int(row), int(run[0]), int(run[-1]), is_for))
    return [(left, right, is_for) for _, left, right, is_for in sorted(found)]


def _longest(row: Any) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    return int(np.diff(edges)[::2].max(initial=0))


def test_bars_lead_from_the_baseline_to_the_score_the_largest_first() -> None:
    made = waterfall(named(STEPS), title="cat: 0.5", baseline=1.0, score=0.5)
    (a, b, first), (c, d, second), (e, f, third) = bars(made)
    # −3, +2, +0.5: 1 → −2 → 0 → 0.5
    assert (first, second, third) == (False, True, True)
    assert abs(a - c) <= 1 and abs(d - e) <= 1
    scale = (b - a) / 3.0
    assert (d - c) / scale == pytest.approx(2.0, abs=0.05)
    assert (f - e) / scale == pytest.approx(0.5, abs=0.05)


def test_the_smallest_are_added_up() -> None:
    parts = named({f"c{i}": (-1) ** i * (1.0 + i) for i in range(50)})
    shown = largest(parts)
    assert len(shown) == MOST
    assert [abs(p.attribution) for p in shown[:-1]] == [50.0 - i for i in range(MOST - 1)]
    rest = sum(p.attribution for p in parts) - sum(p.attribution for p in shown[:-1])
    assert shown[-1].name == "31 others" and shown[-1].attribution == pytest.approx(rest)
    assert largest(parts[:MOST]) == sorted(parts[:MOST], key=lambda p: -abs(p.attribution))


@pytest.mark.parametrize(
    "steps", [{"a": 0.0}, {"a": 0.0, "b": 1e-300}, {"x" * 200: 5.0}, {"a": 1e300, "b": -1e300}]
)
def test_whatever_the_numbers_are_there_is_a_margin(steps: dict[str, float]) -> None:
    made = waterfall(named(steps), title="t " * 300, subtitle="s", baseline=0.0, score=0.0)
    assert made.dtype == np.uint8
    for edge in (made[:10], made[-6:], made[:, :10], made[:, -10:]):
        assert (edge == 255).all()


def test_whiskers_reach_one_error_to_each_side_of_the_end_of_a_bar() -> None:
    def chart(error: float | None) -> Any:
        parts = [
            Part(name="age", attribution=2.0, error=error),
            Part(name="bmi", attribution=1.0),
        ]
        return waterfall(parts, title="", baseline=0.0, score=3.0)

    plain, made = chart(None), chart(0.5)
    (left, right, _), _ = bars(plain)
    scale = (right - left) / 2.0
    row = np.flatnonzero((plain == FOR).all(2).sum(1) > right - left)[0] + 8
    dark = np.flatnonzero((made[row] == INK).all(1) & (plain[row] != INK).any(1))
    assert dark[0] == pytest.approx(right - 0.5 * scale, abs=2)
    assert dark[-1] == pytest.approx(right + 0.5 * scale, abs=2)
    np.testing.assert_array_equal(chart(float("nan")), plain)
