"""Nearest examples against brute force, and the laws that they keep."""

from __future__ import annotations

import doctest
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from pellucid.metadata.example_spec import Distance, Normalization
from pellucid.methods import nearest_examples as module
from pellucid.methods.nearest_examples import distances, nearest_examples, normalized
from pellucid.model import Array

RANDOM = np.random.default_rng(0)
QUERIES = RANDOM.normal(size=(7, 5))
EXAMPLES = RANDOM.normal(size=(300, 5))


def brute(queries: Array, examples: Array, count: int, distance: Distance) -> tuple[Array, Array]:
    """The definition: every distance by itself, sorted by (distance, place)."""
    formula = {
        Distance.SQUARED_L2: lambda q, e: sum((a - b) ** 2 for a, b in zip(q, e, strict=True)),
        Distance.L1: lambda q, e: sum(abs(a - b) for a, b in zip(q, e, strict=True)),
        Distance.DOT_PRODUCT: lambda q, e: -sum(a * b for a, b in zip(q, e, strict=True)),
        Distance.COSINE: lambda q, e: (
            1
            - sum(a * b for a, b in zip(q, e, strict=True))
            / (sum(a * a for a in q) * sum(b * b for b in e)) ** 0.5
        ),
    }[distance]
    places, found = [], []
    for q in queries.tolist():
        ranked = sorted((formula(q, e), i) for i, e in enumerate(examples.tolist()))[:count]
        places.append([i for _, i in ranked])
        found.append([d for d, _ in ranked])
    return np.array(places), np.array(found)


def test_the_example_of_the_module_holds() -> None:
    assert doctest.testmod(module) == (0, 4)


@pytest.mark.parametrize("distance", Distance)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("block", [1, 40 * 7, 2**23], ids=["rows", "sevens", "one block"])
def test_the_nearest_are_those_of_brute_force(
    distance: Distance, dtype: type, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", block)
    monkeypatch.setattr(module, "QUERIES", 3)
    examples = EXAMPLES.astype(dtype)
    places, found = nearest_examples(QUERIES, examples, 10, distance)
    expected, far = brute(QUERIES, examples, 10, distance)
    np.testing.assert_array_equal(places, expected)
    np.testing.assert_allclose(found, far, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("distance", Distance)
@pytest.mark.parametrize("offset", [0.0, 1e4], ids=["about 0", "far from 0"])
def test_the_rank_is_exact_where_single_precision_would_lose_it(
    distance: Distance, offset: float
) -> None:
    """A thousand examples that differ in the last digits of a single-precision product."""
    examples = (offset + 1 + 1e-6 * RANDOM.normal(size=(1000, 8))).astype(np.float32)
    query = (offset + 1 + 1e-6 * RANDOM.normal(size=(1, 8))).astype(np.float32)
    places, found = nearest_examples(query, examples, 50, distance)
    every = distances(query[0], examples, distance)
    np.testing.assert_array_equal(places[0], np.argsort(every, kind="stable")[:50])
    np.testing.assert_array_equal(found[0], np.sort(every)[:50])


@pytest.mark.parametrize("distance", Distance)
def test_ties_go_to_the_lowest_place_across_blocks(
    distance: Distance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 64)
    examples = np.tile(EXAMPLES[:3], (50, 1))
    places, _ = nearest_examples(EXAMPLES[[1]], examples, 20, Distance.SQUARED_L2)
    assert places[0].tolist() == list(range(1, 60, 3))
    same = np.ones((40, 4), np.float32)
    places, _ = nearest_examples(np.ones((2, 4)), same, 5, distance)
    assert places.tolist() == [[0, 1, 2, 3, 4]] * 2


@pytest.mark.parametrize("distance", Distance)
def test_a_query_gets_the_same_alone_as_in_company_and_in_any_order(distance: Distance) -> None:
    places, found = nearest_examples(QUERIES, EXAMPLES, 6, distance)
    for i, query in enumerate(QUERIES):
        alone = nearest_examples(query[None], EXAMPLES, 6, distance)
        np.testing.assert_array_equal(alone[0][0], places[i])
        np.testing.assert_array_equal(alone[1][0], found[i])
    turned = nearest_examples(QUERIES[::-1], EXAMPLES, 6, distance)
    np.testing.assert_array_equal(turned[0][::-1], places)


@pytest.mark.parametrize("distance", [Distance.SQUARED_L2, Distance.L1, Distance.COSINE])
def test_an_example_is_nearest_to_itself(distance: Distance) -> None:
    places, found = nearest_examples(EXAMPLES[:20], EXAMPLES, 1, distance)
    assert places[:, 0].tolist() == list(range(20))
    np.testing.assert_allclose(found, 0, atol=1e-15)
    assert (found >= 0).all()


def test_the_order_of_the_examples_only_renames_them() -> None:
    order = RANDOM.permutation(len(EXAMPLES))
    places, found = nearest_examples(QUERIES, EXAMPLES, 9)
    renamed, same = nearest_examples(QUERIES, EXAMPLES[order], 9)
    np.testing.assert_array_equal(order[renamed], places)
    np.testing.assert_array_equal(same, found)


def test_squared_l2_does_not_change_when_everything_turns_or_moves() -> None:
    turn, _ = np.linalg.qr(RANDOM.normal(size=(5, 5)))
    places, found = nearest_examples(QUERIES, EXAMPLES, 9)
    moved = nearest_examples(QUERIES @ turn + 3, EXAMPLES @ turn + 3, 9)
    np.testing.assert_array_equal(moved[0], places)
    np.testing.assert_allclose(moved[1], found, rtol=1e-12)


def test_cosine_looks_at_directions_and_equals_half_the_square_between_unit_vectors() -> None:
    places, found = nearest_examples(QUERIES, EXAMPLES, 9, Distance.COSINE)
    longer = nearest_examples(
        7 * QUERIES, EXAMPLES * np.arange(1, 301)[:, None], 9, Distance.COSINE
    )
    np.testing.assert_array_equal(longer[0], places)
    unit = [normalized(v, Normalization.UNIT_L2_NORM, None, None) for v in (QUERIES, EXAMPLES)]
    np.testing.assert_allclose(nearest_examples(*unit, 9)[1] / 2, found, rtol=1e-12)
    # "offers the same ranking": the service's advice for the cosine.
    dot = nearest_examples(*unit, 9, Distance.DOT_PRODUCT)
    np.testing.assert_array_equal(dot[0], places)
    np.testing.assert_allclose(1 + dot[1], found, atol=1e-15)


def test_a_vector_without_length_has_the_cosine_of_a_right_angle() -> None:
    _, found = nearest_examples(np.zeros((1, 5)), EXAMPLES, 2, Distance.COSINE)
    assert found.tolist() == [[1.0, 1.0]]


def test_only_the_rows_that_may_be_neighbours_are() -> None:
    rows = np.arange(3, 300, 7)
    places, found = nearest_examples(QUERIES, EXAMPLES, 4, rows=rows)
    expected, far = nearest_examples(QUERIES, EXAMPLES[rows], 4)
    np.testing.assert_array_equal(places, rows[expected])
    np.testing.assert_array_equal(found, far)


def test_more_neighbours_than_examples_are_all_examples() -> None:
    places, found = nearest_examples(QUERIES, EXAMPLES[:3], 10)
    assert places.shape == found.shape == (7, 3)
    places, found = nearest_examples(QUERIES, EXAMPLES[:0], 10)
    assert places.shape == found.shape == (7, 0)
    places, found = nearest_examples(QUERIES[:0], EXAMPLES, 10)
    assert places.shape == found.shape == (0, 10)


@pytest.mark.parametrize("scale", [1e25, 1e200])
def test_vectors_beyond_a_precision_are_measured_in_the_next(scale: float) -> None:
    dtype = np.float32 if scale < 1e38 else np.float64
    examples = (EXAMPLES * scale).astype(dtype)
    with np.errstate(over="ignore"):
        places, _ = nearest_examples(QUERIES * scale, examples, 3, Distance.L1)
        expected, _ = nearest_examples(QUERIES, EXAMPLES, 3, Distance.L1)
        np.testing.assert_array_equal(places, expected)
        squares, _ = nearest_examples(QUERIES * scale, examples, 3)
    if scale < 1e38:
        np.testing.assert_array_equal(squares, nearest_examples(QUERIES, EXAMPLES, 3)[0])
    else:
        assert squares.tolist() == [[0, 1, 2]] * 7  # every distance is infinite


def test_standard_deviations_make_every_column_count_alike() -> None:
    scale = np.array([1.0, 10.0, 1e3, 1e-3, 0.0])
    wide = EXAMPLES * scale + 5
    center, spread = wide.mean(axis=0), wide.std(axis=0)
    same = normalized(wide, Normalization.STANDARD, center, spread)
    np.testing.assert_allclose(same[:, :4].mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(same[:, :4].std(axis=0), 1)
    np.testing.assert_array_equal(same[:, 4], 0)  # a constant says nothing


def test_memory_does_not_grow_with_the_examples(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    examples = np.memmap(path, np.float32, "w+", shape=(400_000, 64))
    examples[123_456] = 1
    examples = np.memmap(path, np.float32, "r", shape=(400_000, 64))
    tracemalloc.start()
    places, _ = nearest_examples(np.ones((2, 64)), examples, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert places.tolist() == [[123_456, 0, 1]] * 2
    assert peak < 60e6 < examples.nbytes


def test_bounds_without_their_slack_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps the fast part honest: rounding must be allowed for, or neighbours are lost."""
    honest = module._bounds

    def tight(queries: Array, block: Array, distance: Distance) -> tuple[Array, Array]:
        low, high = honest(queries, block, distance)
        return (low + high) / 2, (low + high) / 2

    monkeypatch.setattr(module, "_bounds", tight)
    with pytest.raises(AssertionError):
        test_the_rank_is_exact_where_single_precision_would_lose_it(Distance.SQUARED_L2, 0.0)
