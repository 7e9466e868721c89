"""Rows are cut at places that do not depend on who computes them, and several blocks at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pellucid
from pellucid.runtime.engine.row_batches import (
    SHARES,
    cores,
    cuts,
    parallel_batches_here,
    row_batches_of,
    side_by_side,
)
from places import SAMPLES

PARALLEL_BATCHES = 3


@given(st.integers(0, 10_000), st.integers(1, 500))
def test_every_row_is_in_one_block(total: int, rows: int) -> None:
    ends = cuts(total, rows)
    sizes = np.diff(ends)
    assert ends[0] == 0 and ends[-1] == total
    assert all(0 < size <= rows for size in sizes)
    if len(sizes) > 1:
        assert max(sizes) - min(sizes) <= 1
        assert len(sizes) % SHARES == 0 or len(sizes) == total


@given(st.integers(1, 2**34), st.integers(1, 64), st.booleans())
def test_the_rows_of_a_block_do_not_depend_on_how_many_run_in_parallel(
    row: int, parallel_batches: int, gpu: bool
) -> None:
    one, several = (row_batches_of(row, n, gpu=gpu) for n in (1, parallel_batches))
    assert one.rows == several.rows
    assert 1 <= several.parallel_batches <= parallel_batches
    # All batches together have the memory that one block may have.
    assert several.parallel_batches == 1 or several.parallel_batches * several.rows * row <= 2**30


@pytest.mark.parametrize(
    "row, rows",
    [(2**20, 64), (5 * 2**20, 16), (39_084_832, 4), (2**28, 4), (2**29, 2), (2**31, 1)],
)
def test_blocks_of_large_rows_are_short_enough_for_the_caches(row: int, rows: int) -> None:
    assert row_batches_of(row, 2, gpu=False).rows == rows


def test_a_gpu_has_one_lane_and_a_model_may_insist_on_its_rows() -> None:
    assert row_batches_of(1000, 8, gpu=True).parallel_batches == 1
    assert row_batches_of(1000, 8, gpu=False, fixed=5).rows == 5


@pytest.mark.parametrize(
    "written, parallel_batches", [("3", 3), ("0", None), ("", None), ("many", None)]
)
def test_whoever_limits_the_threads_limits_the_parallel_batches(
    written: str, parallel_batches: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", written)
    assert parallel_batches_here() == (parallel_batches or cores())


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(PARALLEL_BATCHES) as made:
        yield made


def test_answers_come_in_order_and_no_more_are_computed_than_run_in_parallel(
    pool: ThreadPoolExecutor,
) -> None:
    running, most, taken = 0, 0, 0
    lock, last = threading.Lock(), threading.Event()

    def blocks() -> Iterator[int]:
        nonlocal taken
        for block in range(20):
            taken += 1
            yield block

    def answer(block: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if block == PARALLEL_BATCHES - 1:
            last.set()
        if block == 0:  # the first is ready when the last that may run beside it is
            assert last.wait(60)
        with lock:
            running -= 1
        return -block

    found = []
    for pair in side_by_side(blocks(), answer, pool, PARALLEL_BATCHES):
        found.append(pair)
        assert (
            taken <= len(found) + PARALLEL_BATCHES
        )  # a long run is not taken into memory as a whole
    assert found == [(block, -block) for block in range(20)]
    assert 1 < most <= PARALLEL_BATCHES


def test_after_a_failure_nothing_goes_on(pool: ThreadPoolExecutor) -> None:
    begun, running = set[int](), set[int]()
    other, failed = threading.Event(), threading.Event()

    def answer(block: int) -> int:
        begun.add(block)
        running.add(block)
        if block == 1:
            assert other.wait(60)
            failed.set()
        if block == 2:  # is still under way when that fails
            other.set()
            assert failed.wait(60)
        running.remove(block)
        if block == 1:
            raise ZeroDivisionError
        return block

    got = []
    with pytest.raises(ZeroDivisionError):
        got.extend(block for block, _ in side_by_side(range(50), answer, pool, PARALLEL_BATCHES))
    assert got == [0] and not running
    assert begun <= set(range(PARALLEL_BATCHES + 2))


def answers(model: pellucid.LoadedModel) -> list[np.ndarray]:
    """Every question, about more rows than a block has."""
    asked = model.explainer.model
    rows = np.random.default_rng(0).normal(size=(5000, 13)).astype(np.float32)
    names = [info.name for info in model.inputs]
    x = {name: rows[:, i : i + 1] for i, name in enumerate(names)}
    zero = {name: np.zeros_like(value) for name, value in x.items()}
    target = np.arange(len(rows)) % 3
    masks = {name: np.array([[True], [i % 2 == 0]]) for i, name in enumerate(names)}
    nodes = np.linspace(0, 1, 4)
    gradients = asked.path_gradient(zero, x, nodes, np.full(4, 0.25), target)
    return [
        asked.outputs(x),
        *(gradients[name] for name in sorted(gradients)),
        asked.coalition_scores(x, zero, masks, target),
    ]


@pytest.fixture(scope="module")
def wine() -> Path:
    return SAMPLES / "wine" / "model"


def test_no_bit_of_an_answer_depends_on_the_lanes(wine: Path) -> None:
    one, several = (
        pellucid.load(wine, parallel_batches=n, warn=print) for n in (1, PARALLEL_BATCHES)
    )
    for alone, together in zip(answers(one), answers(several), strict=True):
        assert np.array_equal(alone, together)


def test_who_asks_at_the_same_time_gets_the_same_answers(wine: Path) -> None:
    model = pellucid.load(wine, parallel_batches=PARALLEL_BATCHES, warn=print)
    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(answers, [model] * 8)
    for other in others:
        for one, same in zip(first, other, strict=True):
            assert np.array_equal(one, same)
    assert set(model.explainer.model.traces.values()) == {1}
