"""Elements that moved: found where they did, and by chance in few of the runs where none did."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.comparison.diff.shifts import shifts_of
from pellucid.comparison.diff.subsets import subsets_of
from pellucid.model import Array

ELEMENTS = 20


def shares(generator: np.random.Generator, n: int) -> Array:
    return generator.dirichlet(np.full(ELEMENTS, 2.0), size=n)


def named(values: Array) -> list[dict[str, float]]:
    return [{f"e{i}": float(it) for i, it in enumerate(row)} for row in values]


def pairs_of(first: Array, second: Array) -> list[tuple[dict[str, float], dict[str, float]]]:
    return [*zip(named(first), named(second), strict=True)]


def test_where_nothing_moved_five_in_a_hundred_runs_announce_an_element() -> None:
    announced = 0
    for run in range(300):
        generator = np.random.default_rng([1, run])
        found = shifts_of(pairs_of(shares(generator, 25), shares(generator, 25)))
        announced += any(it.sure for it in found)
    # 0.05 of 300 are 15; five standard deviations of a binomial above that are 34.
    assert announced <= 34


def test_an_element_that_moved_is_announced_with_its_change() -> None:
    generator = np.random.default_rng(2)
    first = shares(generator, 40)
    second = 0.8 * first
    second[:, 3] += 0.2
    found = shifts_of(pairs_of(first, second))
    assert found[0].name == "e3" and found[0].sure
    change = float((second[:, 3] - first[:, 3]).mean())
    assert found[0].change.mean == pytest.approx(change)
    assert found[0].change.low < change < found[0].change.high
    assert found[0].second - found[0].first == pytest.approx(change)
    assert [it.n for it in (one.change for one in found)] == [40] * ELEMENTS


def test_five_instances_announce_nothing() -> None:
    first = np.tile([0.9, 0.1], (5, 1))
    found = shifts_of(pairs_of(first, first[:, ::-1]))
    assert not any(it.sure for it in found)
    assert shifts_of(pairs_of(*[np.tile(first[:1], (6, 1))] * 2))[0].sure is False


def test_a_word_counts_where_it_stands() -> None:
    pairs = [({"a": 1.0}, {"a": 0.5, "b": 0.5}), ({"b": 1.0}, {"b": 1.0}), ({}, {"a": 1.0})]
    found = {it.name: it for it in shifts_of(pairs)}
    assert (found["a"].first, found["a"].second, found["a"].change.n) == (1.0, 0.5, 1)
    assert (found["b"].first, found["b"].second, found["b"].change.n) == (0.5, 0.75, 2)


def test_a_shortcut_of_few_instances_is_found_and_named() -> None:
    generator = np.random.default_rng(3)
    first = shares(generator, 120)
    second = 0.95 * first + 0.05 * shares(generator, 120)
    marked = np.arange(0, 120, 15)
    second[marked] *= 0.7
    second[marked, 7] += 0.3
    (found,) = subsets_of(pairs_of(first, second))
    assert found.element == "e7" and {*found.members} == {*marked.tolist()}
    assert found.apart >= 5 and found.second - found.first > 0.25


def test_where_nothing_moved_no_subset_is_found() -> None:
    for run in range(60):
        generator = np.random.default_rng([4, run])
        assert subsets_of(pairs_of(shares(generator, 80), shares(generator, 80))) == []
