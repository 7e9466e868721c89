"""Shapley values: against the definition, and what sampling, groups and regions do to them."""

from __future__ import annotations

import doctest
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pellucid
import pellucid.methods.coalition_games as games
import pellucid.methods.sampled_shapley as module
from functions import FUNCTIONS, Function
from pellucid.errors import SpecError
from pellucid.metadata.parameters import SampledShapley
from pellucid.methods.sampled_shapley import sampled_shapley
from pellucid.model import Array, Attribution, FunctionModel, Tensors

RANDOM = np.random.default_rng(0)
X = {"x": RANDOM.normal(size=(6, 5))}
BASELINES = [{"x": RANDOM.normal(size=(1, 5))}, {"x": np.zeros((1, 5))}, {"x": np.ones((1, 5))}]
TARGET = np.array([0, 1, 0, 1, 1, 0])
ALL = SampledShapley(path_count=50)


def by_definition(worth: Callable[[frozenset[int]], Array], p: int) -> Array:
    """Σ_S |S|! (p − |S| − 1)! / p! (v(S ∪ {i}) − v(S)), with v(S) [n]: Shapley values [n, p]."""
    values = []
    for i in range(p):
        others = [j for j in range(p) if j != i]
        values.append(
            sum(
                math.factorial(size)
                * math.factorial(p - size - 1)
                / math.factorial(p)
                * (worth(frozenset({*rest, i})) - worth(frozenset(rest)))
                for size in range(p)
                for rest in combinations(others, size)
            )
        )
    return np.stack(values, axis=1)


def definition(function: Function, x: Array, base: Array) -> Array:
    def worth(members: frozenset[int]) -> Array:
        return function.value(np.where([j in members for j in range(5)], x, base))

    return by_definition(worth, 5)


def deaf(x: Tensors, target: Array) -> dict[str, Array]:
    raise AssertionError("no gradient is needed")


def model_of(function: Callable[[Tensors], Array]) -> FunctionModel:
    return FunctionModel(lambda x: function(x)[:, None], deaf, frozenset())


class Counting(FunctionModel):
    """A model that writes down the masks it was asked for."""

    asked: list[Tensors]

    def coalition_scores(
        self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
    ) -> Array:
        self.asked.append(masks)
        return FunctionModel.coalition_scores(self, x, baseline, masks, target)


def counting(function: Callable[[Tensors], Array]) -> Counting:
    model = Counting(lambda x: function(x)[:, None], deaf, frozenset())
    object.__setattr__(model, "asked", [])
    return model


# All coalitions: the definition


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.name)
def test_all_coalitions_give_the_definition(function: Function) -> None:
    got = sampled_shapley(function.model(), X, BASELINES, TARGET, ALL)
    factor = np.array([1.0, -2.0])[TARGET][:, None]
    expected = np.mean([definition(function, X["x"], b["x"]) for b in BASELINES], axis=0)
    np.testing.assert_allclose(got.values["x"], factor * expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(got.approx_error, 0.0)


def test_all_coalitions_are_asked_only_where_that_is_no_more_work() -> None:
    """5 players have 30 coalitions between; a path has 4: 8 paths are enough, 7 are not."""
    for paths, questions in [(7, None), (8, 30), (500, 30)]:
        model = counting(lambda x: np.tanh(x["x"]).prod(axis=1))
        got = sampled_shapley(model, X, BASELINES[:1], TARGET * 0, SampledShapley(path_count=paths))
        assert got.approx_error is not None
        (masks,) = model.asked
        assert (len(masks["x"]) == 30) == (questions == 30)
        assert (got.approx_error == 0).all() == (questions == 30)


def test_no_coalition_is_asked_twice() -> None:
    model = counting(lambda x: np.tanh(x["x"]).prod(axis=1))
    sampled_shapley(model, X, BASELINES, TARGET * 0, SampledShapley(path_count=12))
    assert len(model.asked) == len(BASELINES)
    for masks in model.asked:
        assert len(np.unique(masks["x"], axis=0)) == len(masks["x"]) <= 4 * 4
        assert (masks["x"].sum(axis=1) % 5 != 0).all(), "the empty or the full one"


def test_elements_that_equal_the_baseline_are_not_asked_about() -> None:
    """Half the pixels of a digit are black, as is the baseline; they get exactly 0."""
    x = {"x": X["x"] * np.array([1, 0, 1, 0, 0])}
    model = counting(lambda x: np.exp(x["x"]).prod(axis=1))
    got = sampled_shapley(model, x, BASELINES[1:2], TARGET * 0, SampledShapley(path_count=4))
    assert sum(len(masks["x"]) for masks in model.asked) == 2
    np.testing.assert_array_equal(got.values["x"][:, [1, 3, 4]], 0.0)
    assert (got.values["x"][:, [0, 2]] != 0).all()


# Sampling


@settings(deadline=None, max_examples=40)
@given(
    paths=st.integers(1, 60),
    baselines=st.integers(1, 4),
    players=st.integers(1, 8),
    seed=st.integers(0, 10),
)
def test_the_values_add_up_whatever_the_number_of_paths_and_baselines(
    paths: int, baselines: int, players: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    x = {"x": random.normal(size=(3, players))}
    others = [{"x": random.normal(size=(1, players))} for _ in range(baselines)]
    model = model_of(lambda x: np.sin(x["x"].sum(axis=1) + x["x"].prod(axis=1)))
    method = SampledShapley(path_count=paths)
    got = sampled_shapley(model, x, others, np.zeros(3, int), method, seed=seed)
    np.testing.assert_allclose(got.score, model.outputs(x)[:, 0], atol=1e-15)
    np.testing.assert_allclose(
        got.baseline_score, np.mean([model.outputs(b) for b in others]), atol=1e-15
    )
    np.testing.assert_allclose(
        got.values["x"].sum(axis=1), got.score - got.baseline_score, rtol=0, atol=1e-13
    )


def test_one_pair_is_exact_where_at_most_two_interact() -> None:
    """An order and its reverse have every two players both ways round."""
    product = FUNCTIONS[2]
    got = sampled_shapley(
        product.model(), X, BASELINES[:1], TARGET * 0, SampledShapley(path_count=2)
    )
    np.testing.assert_allclose(
        got.values["x"], definition(product, X["x"], BASELINES[0]["x"]), atol=1e-12
    )


def deviations(paths: int, seeds: Sequence[int], baselines: int = 1) -> tuple[Array, Array]:
    """Return the squared errors of a network's estimates, and what they were said to be."""
    p = 9
    random = np.random.default_rng(3)
    first, second = random.normal(size=(p, 20)), random.normal(size=20)
    model = model_of(lambda x: np.maximum(x["x"] @ first, 0) @ second)
    x, baseline = {"x": random.normal(size=(4, p))}, [{"x": np.zeros((1, p))}] * baselines
    zeros = np.zeros(4, int)
    exact = sampled_shapley(model, x, baseline[:1], zeros, SampledShapley(path_count=1000))
    errors, claims = [], []
    for seed in seeds:
        got = sampled_shapley(
            model, x, baseline, zeros, SampledShapley(path_count=paths), seed=seed
        )
        errors.append(((got.values["x"] - exact.values["x"]) ** 2).sum(axis=1))
        assert got.approx_error is not None
        claims.append((got.approx_error * (got.score - got.baseline_score)) ** 2)
    return np.array(errors), np.array(claims)


def test_the_error_is_what_it_is_said_to_be() -> None:
    """Over 300 seeds the mean square of the stated error is that of the error, to 15 %."""
    errors, claims = deviations(10, range(300))
    np.testing.assert_allclose(claims.mean() / errors.mean(), 1.0, atol=0.15)


def test_the_error_over_several_baselines_is_what_it_is_said_to_be() -> None:
    """Each has paths of its own: with the same paths for all, nothing would be gained."""
    errors, claims = deviations(24, range(200), baselines=4)
    np.testing.assert_allclose(claims.mean() / errors.mean(), 1.0, atol=0.2)
    np.testing.assert_allclose(deviations(24, range(200))[0].mean() / errors.mean(), 1, atol=0.25)


@given(st.integers(1, 60), st.integers(1, 12))
def test_every_path_belongs_to_a_baseline_and_every_baseline_has_one(
    paths: int, baselines: int
) -> None:
    shares = module._shares(paths, baselines)
    assert len(shares) == baselines and min(shares) >= 1
    assert sum(shares) == max(paths, baselines) and max(shares) - min(shares) <= 1


def test_an_odd_path_keeps_the_stated_error_honest() -> None:
    errors, claims = deviations(7, range(300))
    assert 0.8 < claims.mean() / errors.mean() < 1.4


def test_the_error_of_one_pair_is_said_to_be_too_large_rather_than_too_small() -> None:
    errors, claims = deviations(2, range(300))
    assert 1 < claims.mean() / errors.mean() < 9


def test_a_path_without_its_reverse_does_not_do_harm() -> None:
    """Counted as half a pair it would: 3 paths would be worse than 2."""
    errors = [deviations(paths, range(300))[0].mean() for paths in (2, 3, 4, 5)]
    assert errors == sorted(errors, reverse=True)


def test_four_times_the_paths_halve_the_error() -> None:
    ratio = deviations(6, range(200))[0].mean() / deviations(24, range(200))[0].mean()
    assert 3 < ratio < 5.3


def test_fours_are_better_than_as_many_pairs_or_independent_paths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the square of the error, by the same number of paths."""

    def drawn(count: int) -> Any:
        """Orders of which only the first `count` of each four belong together."""

        def paths(game: Any, share: int, together: int, generator: np.random.Generator) -> Any:
            orders = [
                order
                for _ in range(share // count)
                for order in module.four(generator.permutation(game.players.count))[:count]
            ]
            for gain in module.gains(game, np.array(orders)):
                yield [gain]

        return paths

    errors = {}
    for count in (1, 2, 4):
        monkeypatch.setattr(module, "_paths", drawn(count))
        errors[count] = deviations(12, range(200))[0].mean()
    assert errors[1] > 1.9 * errors[2] > 1.9 * 1.2 * errors[4]


@given(st.integers(2, 30), st.integers(0, 2**32))
def test_in_four_orders_nobody_is_favoured(players: int, seed: int) -> None:
    """Each is an order of all players, and over the four their mean place is the middle."""
    orders = module.four(np.random.default_rng(seed).permutation(players))
    assert all(sorted(order) == list(range(players)) for order in orders)
    places = np.array([np.argsort(order) for order in orders])
    np.testing.assert_array_equal(places.sum(axis=0), 2 * (players - 1))


def test_one_path_alone_has_no_spread_and_says_so() -> None:
    model = FUNCTIONS[4].model()
    one = SampledShapley(path_count=1)
    alone = sampled_shapley(model, X, BASELINES[:1], TARGET, one)
    assert np.isnan(alone.approx_error).all()  # type: ignore[arg-type]
    three = sampled_shapley(model, X, BASELINES, TARGET, one)
    assert (three.approx_error > 0).all()  # type: ignore[operator]


def test_the_error_is_undefined_where_the_output_does_not_change() -> None:
    x = {"x": np.zeros((1, 5))}
    got = sampled_shapley(FUNCTIONS[1].model(), x, BASELINES[1:2], np.array([0]))
    assert np.isnan(got.approx_error).all()  # type: ignore[arg-type]
    np.testing.assert_array_equal(got.values["x"], 0.0)


def test_the_seed_matters_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    few, model = SampledShapley(path_count=10), FUNCTIONS[4].model()
    first = sampled_shapley(model, X, BASELINES, TARGET, few, seed=1).values["x"]
    other = sampled_shapley(model, X, BASELINES, TARGET, few, seed=2).values["x"]
    assert not np.allclose(first, other)
    # Masks and scores are cut into blocks, of one coalition and of one pair at the smallest.
    monkeypatch.setattr(games, "MASK_BYTES", 1)
    monkeypatch.setattr(module, "SCORE_BYTES", 1)
    small = sampled_shapley(model, X, BASELINES, TARGET, few, seed=1).values["x"]
    np.testing.assert_array_equal(small, first)
    moved = sampled_shapley(model, X, BASELINES, TARGET, few, seed=1, numbers=range(7, 13))
    np.testing.assert_array_equal(moved.values["x"], first)


# Players


def test_strings_and_integers_are_players() -> None:
    known = {b"": 0.0, b"good": 2.0, b"bad": -3.0, b"not": 0.0}

    def score(x: Tensors) -> Array:
        words = np.vectorize(known.__getitem__, otypes=[float])(x["words"])
        return np.where((x["words"] == b"not").any(axis=1), -1, 1) * words.sum(axis=1) * x["count"]

    x = {
        "words": np.array([[b"not", b"bad"], [b"good", b""]], object),
        "count": np.array([2, 3], np.int32),
    }
    baseline = {"words": np.array([[b"", b""]], object), "count": np.array([1], np.int32)}
    got = sampled_shapley(model_of(score), x, [baseline], np.zeros(2, int))
    # By hand: 'bad' alone is −3, 'not bad' is 3, and both are twice that with the count.
    np.testing.assert_allclose(got.values["words"], [[5.0, 0.5], [4.0, 0.0]], atol=1e-12)
    np.testing.assert_allclose(got.values["count"], [0.5, 2.0], atol=1e-12)
    np.testing.assert_allclose(got.score - got.baseline_score, [6.0, 6.0])


def test_features_of_one_group_are_one_player_whatever_their_shapes() -> None:
    x = {
        "a": RANDOM.normal(size=(2, 3)),
        "b": RANDOM.normal(size=(2, 2, 2)),
        "c": RANDOM.normal(size=2),
        "d": RANDOM.normal(size=(2, 2)),
    }
    baseline = {name: np.zeros_like(value[:1]) for name, value in x.items()}

    def score(x: Tensors) -> Array:
        total = sum(v.reshape(len(v), -1).sum(axis=1) for v in x.values())
        return np.asarray(np.exp(total / 3))

    model = counting(score)
    got = sampled_shapley(
        model, x, [baseline], np.zeros(2, int), ALL, groups={"a": "g", "c": "g", "b": "h"}
    )
    parts = [("a", "c"), ("b",), ("d", 0), ("d", 1)]  # the players

    def worth(members: frozenset[int]) -> Array:
        mixed = {name: np.zeros_like(value) for name, value in x.items()}
        for player in members:
            if player < 2:
                for name in parts[player]:
                    mixed[str(name)] = x[str(name)]
            else:
                mixed["d"][:, player - 2] = x["d"][:, player - 2]
        return score(mixed)

    expected = by_definition(worth, 4)
    np.testing.assert_allclose(
        got.values["a"].sum(axis=1) + got.values["c"], expected[:, 0], atol=1e-12
    )
    np.testing.assert_allclose(got.values["b"].sum(axis=(1, 2)), expected[:, 1], atol=1e-12)
    np.testing.assert_allclose(got.values["d"], expected[:, 2:], atol=1e-12)
    assert {name: value.shape for name, value in got.values.items()} == {
        name: value.shape for name, value in x.items()
    }
    # In equal parts over the group's elements, and masks no larger than they need to be.
    np.testing.assert_allclose(got.values["a"], np.repeat(got.values["c"][:, None], 3, axis=1))
    assert model.asked[0]["b"].shape == (14, 1, 1)


LABELS = np.array([[7, 7, 2, 2], [7, 3, 3, 2], [9, 9, 3, 2]])


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 2), (2, 3, 4)])
def test_regions_are_players_and_share_their_value_evenly(shape: tuple[int, ...]) -> None:
    x = {"image": RANDOM.normal(size=(2, *shape)), "held": np.ones(2)}
    baseline = {"image": np.zeros((1, *shape))}
    model = model_of(lambda x: np.exp(x["image"].reshape(2, -1).sum(axis=1) / 5) * x["held"])
    got = sampled_shapley(
        model, x, [baseline], np.zeros(2, int), ALL, regions={"image": LABELS}
    ).values["image"]
    whole = LABELS[None] if shape == (2, 3, 4) else LABELS.reshape(3, 4, *[1] * (len(shape) - 2))
    whole = np.broadcast_to(whole, shape)
    names = np.unique(LABELS)

    def worth(members: frozenset[int]) -> Array:
        seen = np.isin(whole, names[list(members)])
        return model.outputs({"image": np.where(seen, x["image"], 0), "held": x["held"]})[:, 0]

    expected = by_definition(worth, 4)
    for k, label in enumerate(names):
        np.testing.assert_allclose(got[:, whole == label].sum(axis=1), expected[:, k], atol=1e-12)
        assert np.ptp(got[:, whole == label], axis=1).max() < 1e-15


def test_every_instance_may_have_regions_of_its_own() -> None:
    x = {"image": RANDOM.normal(size=(3, 3, 4, 3)).astype(np.float32)}
    baselines = [{"image": np.zeros((1, 3, 4, 3), np.float32)}, {"image": x["image"][::-1]}]
    model = model_of(lambda x: np.tanh(x["image"].reshape(len(x["image"]), -1).sum(axis=1)))
    maps = np.stack([LABELS, LABELS > 4, np.arange(12).reshape(3, 4)])
    few = SampledShapley(path_count=6)
    got = sampled_shapley(model, x, baselines, np.zeros(3, int), few, regions={"image": maps})
    for i in range(3):
        alone = sampled_shapley(
            model,
            {"image": x["image"][[i]]},
            [baselines[0], {"image": baselines[1]["image"][[i]]}],
            np.zeros(1, int),
            few,
            regions={"image": maps[i]},
        )
        np.testing.assert_array_equal(alone.values["image"][0], got.values["image"][i])
        assert alone.score == got.score[i] and alone.baseline_score == got.baseline_score[i]
    assert got.values["image"].shape == (3, 3, 4, 3)
    np.testing.assert_allclose(
        got.values["image"].sum(axis=(1, 2, 3)), got.score - got.baseline_score, atol=1e-12
    )


def test_one_player_has_all() -> None:
    x = {"x": np.array([2.0, 3.0])}
    got = sampled_shapley(model_of(lambda x: x["x"] ** 2), x, [{"x": np.ones(1)}], np.zeros(2, int))
    np.testing.assert_array_equal(got.values["x"], [3.0, 8.0])
    np.testing.assert_array_equal(got.approx_error, 0.0)


# Bad input


def test_a_photo_by_elements_is_refused_with_the_way_out() -> None:
    x = {"image": np.zeros((1, 224, 224, 3), np.float32)}
    model = model_of(lambda x: x["image"].sum(axis=(1, 2, 3)))
    with pytest.raises(
        SpecError,
        match=r"^sampled Shapley with 150528 players and 50 paths asks the model 7526400 times for "
        "one instance, more than 1000000; let an image's players be its regions with "
        "players='regions', those of a series its windows with players='windows', put inputs "
        "into a group, or take fewer paths=…$",
    ):
        sampled_shapley(model, x, [x], np.array([0]))


def test_labels_that_do_not_fit_are_refused() -> None:
    x = {"image": np.zeros((1, 5, 4, 3))}
    with pytest.raises(
        ValueError, match=r"^labels \[3, 4\] do not fit an instance \[5, 4, 3\]; it must be "
    ):
        sampled_shapley(
            model_of(lambda x: x["image"]), x, [x], np.array([0]), regions={"image": LABELS}
        )


def test_no_paths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^sampled Shapley needs at least 1 path, not 0$"):
        sampled_shapley(FUNCTIONS[0].model(), X, BASELINES, TARGET, SampledShapley(path_count=0))


# A real SavedModel, compiled


def test_a_compiled_model_gives_what_a_loop_over_its_outputs_gives(samples: Path) -> None:
    loaded = pellucid.load(samples / "diabetes/model")
    model = loaded.explainer.model
    rows = json.loads((samples / "diabetes/instances.json").read_text())["instances"]
    x = {"patient": np.array(rows, np.float32)}
    baselines = [
        {"patient": x["patient"].mean(axis=0, keepdims=True)},
        {"patient": x["patient"][:1]},
    ]
    zeros = np.zeros(len(rows), int)
    got = sampled_shapley(model, x, baselines, zeros, SampledShapley(path_count=9))
    plain = FunctionModel(model.outputs, deaf, frozenset())
    expected = sampled_shapley(plain, x, baselines, zeros, SampledShapley(path_count=9))
    scale = np.abs(expected.values["patient"]).max()
    np.testing.assert_allclose(
        got.values["patient"], expected.values["patient"], rtol=0, atol=1e-5 * scale
    )
    np.testing.assert_allclose(got.approx_error, expected.approx_error, rtol=1e-3)


def test_the_words_of_a_compiled_model_are_players(samples: Path, tmp_path: Path) -> None:
    """Behind them is a look-up table, which no gradient passes."""
    metadata = {
        "inputs": {"tokens": {"input_tensor_name": "tokens:0"}},
        "outputs": {"probabilities": {"output_tensor_name": "probabilities:0"}},
        "framework": "tensorflow",
    }
    file = tmp_path / "explanation_metadata.json"
    file.write_text(json.dumps(metadata))
    model = pellucid.load(
        samples / "tf1_embedding/model", metadata=file, warn=lambda _: None
    ).explainer.model
    instances = json.loads((samples / "tf1_embedding/instances.json").read_text())["instances"]
    words = [[word.encode() for word in instance["tokens"]] for instance in instances[:2]]
    x = {"tokens": np.array(words, object)}
    got = sampled_shapley(
        model, x, [{"tokens": np.full((1, 32), b"", object)}], np.array([0, 1]),
        SampledShapley(path_count=4),
    )  # fmt: skip
    np.testing.assert_allclose(
        got.values["tokens"].sum(axis=1), got.score - got.baseline_score, atol=1e-12
    )
    np.testing.assert_array_equal(got.values["tokens"][:, -1], 0.0)  # padding
    assert np.abs(got.values["tokens"]).max() > 0.01


# Faults that someone might write. Each must be found by a claim above.


def _asking(
    change: Callable[[Array, Tensors, Tensors, Array], tuple[Any, ...]],
) -> Callable[..., Any]:
    """A method whose questions are changed before they are asked."""

    class Changed(FunctionModel):
        __slots__ = ()

        def coalition_scores(
            self, x: Tensors, baseline: Tensors, masks: Tensors, target: Array
        ) -> Array:
            masks_of, x, baseline, target = change(masks["x"], x, baseline, target)
            return FunctionModel.coalition_scores(self, x, baseline, {"x": masks_of}, target)

    def method(model: FunctionModel, *args: Any, **options: Any) -> Attribution:
        wrong = Changed(model.function, model.gradient, model.differentiable)
        return sampled_shapley(wrong, *args, **options)

    return method


def _answering(change: Callable[[Attribution], Attribution]) -> Callable[..., Any]:
    return lambda *args, **options: change(sampled_shapley(*args, **options))


def _plain_mean(*args: Any, **options: Any) -> Attribution:
    """Subset sizes all alike: the Banzhaf value."""
    comb = games.math.comb
    try:
        games.math.comb = lambda n, k: 2**n / (n + 1)  # type: ignore[assignment, return-value]
        return sampled_shapley(*args, **options)
    finally:
        games.math.comb = comb


FAULTS: dict[str, Callable[..., Attribution]] = {
    "masks the wrong way round": _asking(lambda m, x, b, t: (~m, x, b, t)),
    "the target of the first instance for all": _asking(
        lambda m, x, b, t: (m, x, b, np.full_like(t, t[0]))
    ),
    "the first instance's baseline": _asking(
        lambda m, x, b, t: (m, x, {"x": np.zeros_like(b["x"])}, t)
    ),
    "all subsets weigh the same": _plain_mean,
    "only the first baseline": lambda model, x, baselines, *rest, **options: sampled_shapley(
        model, x, baselines[:1], *rest, **options
    ),
    "players turned round": _answering(
        lambda a: replace(a, values={k: v[:, ::-1] for k, v in a.values.items()})
    ),
    "scaled by p / (p − 1)": _answering(
        lambda a: replace(a, values={k: v * 1.25 for k, v in a.values.items()})
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_breaks_the_definition(fault: Any) -> None:
    wrong = []
    for function in FUNCTIONS:
        got = fault(function.model(), X, BASELINES, TARGET, ALL).values["x"]
        factor = np.array([1.0, -2.0])[TARGET][:, None]
        expected = np.mean([definition(function, X["x"], b["x"]) for b in BASELINES], axis=0)
        wrong.append(not np.allclose(got, factor * expected, rtol=0, atol=1e-12))
    assert any(wrong), "no function noticed"


def test_the_module_s_example_runs() -> None:
    assert doctest.testmod(module).failed == 0
