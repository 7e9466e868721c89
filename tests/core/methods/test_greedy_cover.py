"""The greedy cover: equal to its definition bit for bit; a fault in it is noticed."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from pellucid.methods import greedy_cover as regions
from pellucid.methods.greedy_cover import dilated, greedy_cover

CASES = 9
Cover = Callable[..., tuple[NDArray[Any], NDArray[Any]]]


def shifted_union(mask: NDArray[Any], radius: int) -> NDArray[Any]:
    height, width = mask.shape
    wide = np.pad(mask, radius)
    result = np.zeros_like(mask)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if dy * dy + dx * dx <= radius * radius:
                y, x = radius + dy, radius + dx
                result |= wide[y : y + height, x : x + width]
    return result


def all_masks(labels: NDArray[Any], radius: int) -> list[NDArray[Any]]:
    return [
        shifted_union(scale == label, radius)
        for scale in labels
        for label in range(scale.min(), scale.max() + 1)
    ]


def literal(
    values: NDArray[Any],
    labels: NDArray[Any],
    *,
    radius: int = 5,
    least: int = 50,
    masks: Callable[..., list[NDArray[Any]]] = all_masks,
    better: Callable[[float, float], bool] = lambda gain, best: gain > best,
    drop: bool = True,
    rest: Callable[[NDArray[Any]], float] = np.mean,
    order: Callable[[list[float]], Any] = lambda gains: sorted(
        range(len(gains)), key=lambda i: -gains[i]
    ),
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Steps (5) to (7) word by word: every mask is looked at again at every step."""
    remaining = dict(enumerate(masks(labels, radius)))
    covered = np.zeros(values.shape, bool)
    heat = np.zeros(values.shape)
    trace: list[tuple[float, NDArray[Any]]] = []
    while True:
        best, best_gain = None, -np.inf
        for k, mask in list(remaining.items()):
            new = mask & ~covered
            if new.sum() < max(1, least):
                if drop:
                    del remaining[k]
                continue
            gain = values[new].mean()
            if best is None or better(gain, best_gain):
                best, best_gain = k, gain
        if best is None:
            break
        new = remaining.pop(best) & ~covered
        heat[new] = best_gain
        covered |= new
        trace.append((best_gain, new))
    if not covered.all():
        heat[~covered] = rest(values[~covered])
    ranks = np.full(values.shape, len(trace) + 1)
    for rank, i in enumerate(order([gain for gain, _ in trace]), start=1):
        ranks[trace[i][1]] = rank
    return heat, ranks


def lazy(
    values: NDArray[Any], labels: NDArray[Any], *, radius: int = 5, least: int = 50
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The well-known heap of stale gains, which is right only where gains cannot rise."""
    covered = np.zeros(values.shape, bool)
    heat, trace = np.zeros(values.shape), []
    masks = all_masks(labels, radius)
    heap = [(-values[m].mean(), k) for k, m in enumerate(masks) if m.sum() >= least]
    heapq.heapify(heap)
    while heap:
        _, k = heapq.heappop(heap)
        new = masks[k] & ~covered
        if new.sum() < least:
            continue
        gain = values[new].mean()
        if heap and gain < -heap[0][0]:
            heapq.heappush(heap, (-gain, k))
            continue
        heat[new] = gain
        covered |= new
        trace.append((gain, new))
    heat[~covered] = values[~covered].mean() if not covered.all() else 0
    ranks = np.full(values.shape, len(trace) + 1)
    for rank, i in enumerate(sorted(range(len(trace)), key=lambda i: -trace[i][0]), start=1):
        ranks[trace[i][1]] = rank
    return heat, ranks


def patchwork(seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Values of several tempers, and the cells of random centres at three scales.

    The last is a region of exactly 50 pixels after its dilation, beside another.
    """
    if seed == CASES - 1:
        labels = (np.arange(21) > 4)[None, None] * np.ones((1, 5, 1), int)
        return np.linspace(2, 1, 105).reshape(21, 5).T, labels
    random = np.random.default_rng(seed)
    height, width = (int(n) for n in random.integers(30, 60, 2))
    y, x = np.mgrid[:height, :width]
    labels = []
    for count in (30, 12, 4):
        centres = random.random((count, 2)) * (height, width)
        distance = (y[..., None] - centres[:, 0]) ** 2 + (x[..., None] - centres[:, 1]) ** 2
        labels.append(distance.argmin(-1))
    values = [
        random.normal(size=(height, width)),
        random.integers(-1, 2, (height, width)).astype(float),
        np.exp(3 * random.normal(size=(height, width))),
        np.zeros((height, width)),
    ][seed % 4]
    return values, np.array(labels)


@cache
def expected(seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    return literal(*patchwork(seed))


def differs(cover: Cover) -> bool:
    return any(
        not np.array_equal(got, right)
        for seed in range(CASES)
        for got, right in zip(cover(*patchwork(seed)), expected(seed), strict=True)
    )


def test_the_cover_is_its_definition() -> None:
    assert not differs(greedy_cover)


def test_many_masks_fill_several_words() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(40, 50))
    labels = np.array([np.arange(2000).reshape(40, 50) // size for size in (9, 20, 31)])
    got, right = (c(values, labels, radius=2, least=10) for c in (greedy_cover, literal))
    np.testing.assert_array_equal(got[0], right[0])
    np.testing.assert_array_equal(got[1], right[1])


def test_bands_and_blocks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "WORDS", 1)
    monkeypatch.setattr(regions, "PIXELS", 37)
    assert not differs(greedy_cover)


@st.composite
def small(draw: st.DrawFn) -> tuple[NDArray[Any], NDArray[Any], int, int]:
    shape = draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    number = st.sampled_from([0.0, 1.0, -1.0, 0.1, 0.2, 0.3, 1e-9, 1e16]) | st.floats(-1, 1)
    labels = arrays(np.int64, (draw(st.integers(1, 3)), *shape), elements=st.integers(-1, 4))
    return (
        draw(arrays(np.float64, shape, elements=number)),
        draw(labels),
        draw(st.integers(0, 3)),
        draw(st.integers(0, 6)),
    )


@settings(max_examples=300, deadline=None)
@given(small())
def test_any_small_cover_is_its_definition(
    case: tuple[NDArray[Any], NDArray[Any], int, int],
) -> None:
    values, labels, radius, least = case
    heat, ranks = greedy_cover(values, labels, radius=radius, least=least)
    right = literal(values, labels, radius=radius, least=least)
    np.testing.assert_array_equal(heat, right[0])
    np.testing.assert_array_equal(ranks, right[1])


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.uint64, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    st.integers(0, 14),
)
def test_each_bit_is_dilated_by_the_disk(words: NDArray[Any], radius: int) -> None:
    np.testing.assert_array_equal(dilated(words, radius), shifted_union(words, radius))
    np.testing.assert_array_equal(dilated(words > 0, radius), shifted_union(words > 0, radius))


def test_equal_masks_are_a_tie_for_the_first_scale() -> None:
    """0.1 + 0.2 and 0.3 are not the same number, but they are the same pixels."""
    values = np.random.default_rng(3).normal(size=(20, 20))
    one = np.repeat(np.arange(4), 5)[:, None] * np.ones(20, int)
    got = greedy_cover(values, np.array([one, one, one]), radius=2, least=5)
    alone = greedy_cover(values, one[None], radius=2, least=5)
    np.testing.assert_array_equal(got, alone)


def test_equal_gains_rank_in_the_order_they_were_taken() -> None:
    labels = np.arange(6)[None, None] * np.ones((2, 1), int)
    heat, ranks = greedy_cover(np.ones((2, 6)), labels[None, 0], radius=0, least=2)
    assert ranks.tolist() == [[1, 2, 3, 4, 5, 6]] * 2
    assert (heat == 1).all()


def test_a_gain_may_rise_and_the_ranks_follow_the_gains() -> None:
    """[10 10 0 0] is worth 5, until [0 0 16 16], worth 8, has taken its poor half."""
    values = np.array([[-20.0, -20, 10, 10, 0, 0, 16, 16, -20, -20]])
    labels = np.array([[[0, 0, 1, 1, 1, 1, 2, 2, 2, 2]], [[0, 0, 0, 0, 1, 1, 1, 1, 2, 2]]])
    heat, ranks = greedy_cover(values, labels, radius=0, least=2)
    assert heat.tolist() == [[-20, -20, 10, 10, 8, 8, 8, 8, -20, -20]]
    assert ranks.tolist() == [[3, 3, 1, 1, 2, 2, 2, 2, 4, 4]]


def test_an_image_smaller_than_the_constants_gets_its_mean() -> None:
    values = np.arange(49.0).reshape(7, 7)
    heat, ranks = greedy_cover(values, np.zeros((6, 7, 7), np.uint16))
    assert (heat == 24).all()
    assert (ranks == 1).all()


def test_the_sum_is_kept() -> None:
    for seed in range(4):
        values, labels = patchwork(seed)
        heat, _ = greedy_cover(values, labels)
        assert heat.sum() == pytest.approx(values.sum())


def square(labels: NDArray[Any], radius: int) -> list[NDArray[Any]]:
    from scipy.ndimage import maximum_filter

    return [
        maximum_filter(scale == label, 2 * radius + 1, mode="constant")
        for scale in labels
        for label in range(scale.max() + 1)
    ]


FAULTS: dict[str, Cover] = {
    "radius 4": lambda v, s: greedy_cover(v, s, radius=4),
    "radius 6": lambda v, s: greedy_cover(v, s, radius=6),
    "no dilation": lambda v, s: greedy_cover(v, s, radius=0),
    "a square, not a disk": lambda v, s: literal(v, s, masks=square),
    "least 1": lambda v, s: greedy_cover(v, s, least=1),
    "least 51": lambda v, s: greedy_cover(v, s, least=51),
    "a lazy heap": lazy,
    "a tie for the last": lambda v, s: literal(v, s, better=lambda gain, best: gain >= best),
    "the least gain first": lambda v, s: literal(v, s, better=lambda gain, best: gain < best),
    "the rest is 0": lambda v, s: literal(v, s, rest=lambda values: 0.0),
    "ranks as taken": lambda v, s: literal(v, s, order=lambda gains: range(len(gains))),
    "the last scale first": lambda v, s: greedy_cover(v, s[::-1]),
    "float32": lambda v, s: greedy_cover(v.astype(np.float32), s),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_noticed(fault: Cover) -> None:
    assert differs(fault)


def test_the_definition_with_nothing_changed_is_no_fault() -> None:
    assert not differs(literal)


@pytest.mark.parametrize("amount, noticed", [(1e-14, False), (0.1, True)])
def test_running_sums_may_be_rounded_but_not_wrong(
    monkeypatch: pytest.MonkeyPatch, amount: float, noticed: bool
) -> None:
    """Rounding breaks the ties of whole numbers; what a mask is worth is read off its pixels."""
    tally = regions._Members.tally

    def rounded(self: Any, pixels: NDArray[Any], *values: NDArray[Any]) -> Any:
        count, total, *others = tally(self, pixels, *values)
        return count, total * (1 + amount * np.sin(np.arange(len(total)))), *others

    monkeypatch.setattr(regions._Members, "tally", rounded)
    assert differs(greedy_cover) == noticed
