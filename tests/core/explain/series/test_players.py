"""Shapley values of channels and of windows: by brute force, and what is said of their number."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.errors import SpecError
from series_models import CHANNEL, TIME, bump_model, bump_rows, long_model, lstm_model


@pytest.fixture(scope="module")
def bump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bump_model(tmp_path_factory.mktemp("bump"))


def loaded(directory: Path) -> pellucid.LoadedModel:
    return pellucid.load(directory, method="sampled-shapley", warn=lambda it: None)


def positive(rows: int = 50) -> np.ndarray:
    """The first instance with the bump that counts."""
    x, seen = bump_rows(rows, seed=3)
    return x[int(np.flatnonzero(seen)[0])]


def brute_force(score: Callable[[np.ndarray], np.ndarray], x: np.ndarray, owner: np.ndarray) -> Any:
    """Shapley values of players by their definition; `owner` says whose each element is."""
    p = int(owner.max()) + 1
    sets = [frozenset(s) for size in range(p + 1) for s in combinations(range(p), size)]
    rows = np.stack([np.where(np.isin(owner, list(s)), x, 0).astype(x.dtype) for s in sets])
    worth = dict(zip(sets, score(rows), strict=True))
    values = np.zeros(p)
    for i in range(p):
        for s in (it for it in sets if i not in it):
            weight = math.factorial(len(s)) * math.factorial(p - len(s) - 1) / math.factorial(p)
            values[i] += weight * (worth[s | {i}] - worth[s])
    return values


@pytest.mark.parametrize(
    ("players", "window", "owner"),
    [
        ("channels", None, np.broadcast_to(np.arange(6), (30, 6))),
        ("windows", 4, np.broadcast_to(np.arange(30)[:, None] // 4, (30, 6))),
    ],
)
def test_values_are_those_of_all_coalitions(
    tmp_path: Path, players: str, window: int | None, owner: np.ndarray
) -> None:
    model = loaded(lstm_model(tmp_path / "m", 30, 6))
    x = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    label = model.explain([x], players=players, window=window).items[0].labels[0]

    def score(rows: np.ndarray) -> np.ndarray:
        return np.array([it[label.index] for it in model.predict(list(rows))], np.float64)

    found = label.features["signal"]
    totals = np.array([found[owner == i].sum() for i in range(int(owner.max()) + 1)])
    np.testing.assert_allclose(totals, brute_force(score, x, owner), atol=1e-6)
    assert label.approx_error == 0
    # The value of a player is spread evenly over what is its own.
    for i in range(int(owner.max()) + 1):
        assert np.ptp(found[owner == i]) == 0


def test_the_cause_is_found_in_its_channel_and_in_its_window(bump: Path) -> None:
    model = loaded(bump)
    x = positive()
    channels = model.explain([x], players="channels").items[0].labels[0].features["signal"]
    assert channels.sum(axis=0).argmax() == CHANNEL
    label = model.explain([x], players="windows", window=6).items[0].labels[0]
    assert label.features["signal"].sum(axis=1).argmax() // 6 == TIME // 6
    gradients = model.explain([x], method="integrated-gradients").items[0].labels[0]
    step, channel = np.unravel_index(gradients.features["signal"].argmax(), x.shape)
    assert channel == CHANNEL
    assert abs(step - TIME) <= 3


def test_the_length_of_windows_that_nobody_gave_is_said_with_its_price(bump: Path) -> None:
    said: list[str] = []
    model = pellucid.load(bump, method="sampled-shapley", warn=lambda it: said.append(str(it)))
    said.clear()
    one = model.explain([positive()], players="windows").items[0].labels[0].features["signal"]
    assert len(np.unique(one[:, 0])) == 20
    assert said == [
        "'signal' is explained in 20 windows of 3 steps, which asks the model 1,000 times at most "
        "for an instance; set their length with window=…"
    ]
    said.clear()
    model.explain([positive()], players="windows", window=7)
    assert said == []


def test_a_vector_has_windows_too(tmp_path: Path) -> None:
    model = loaded(long_model(tmp_path / "m", 400))
    x = np.sin(np.arange(400) / 9).astype(np.float32)
    label = model.explain([x], players="windows", window=50).items[0].labels[0]
    found = label.features["signal"]
    assert found.shape == (400,)
    assert all(np.ptp(part) == 0 for part in found.reshape(8, 50))
    assert found.sum() == pytest.approx(label.score - label.baseline_score, abs=1e-6)


def test_without_a_series_there_are_no_channels(samples: Path) -> None:
    model = pellucid.load(samples / "diabetes/model", method="sampled-shapley", players="channels")
    with pytest.raises(
        SpecError, match="channels and windows are of series, and no explained input is one"
    ):
        model.explain([[59.0, 2.0, 32.1, 101.0, 157.0, 93.2, 38.0, 4.0, 4.8598, 87.0]])
