"""Sampled Shapley: what a player adds to the score when it joins, averaged over orders of joining.

φ_i = Σ_S |S|! (p − |S| − 1)! / p! · (v(S ∪ {i}) − v(S)) over the coalitions S of the p players
without i, where v(S) is the score with the players of S at the instance and all others at a
baseline. This is the mean over all p! orders of what i adds to those before it; a path is one such
order.

```python
>>> import numpy as np
>>> from pellucid.model import FunctionModel
>>> model = FunctionModel(
...     lambda x: (x["x"][:, 0] * x["x"][:, 1])[:, None], lambda x, target: {}, frozenset()
... )
>>> x = {"x": np.array([[2.0, 3.0]])}
>>> sampled_shapley(model, x, [{"x": np.zeros((1, 2))}], np.array([0])).values["x"]
array([[3., 3.]])

```

Choosing: it asks the model for scores only, so trees, look-ups, integers and strings are no
obstacle, and the attributions always sum to f(x) − f(x'). A path costs one evaluation for each
player: good for tables and short texts, and for images when their players are regions. The error
falls with the square root of the number of paths, and `Attribution.approx_error` says how large it
still is; a tolerance draws as many as it takes.

Paths are drawn in fours: an order, the order with its halves exchanged, and the reverse of both.
Whoever comes early in one comes late in another and in the middle of two, so that their errors tend
to cancel. For the same work, the variance is 1.1 to 3.6 times smaller than with antithetic pairs
alone, and 1.4 to 15 times smaller than with independent orders (measured on 15 functions of 5 to 13
players; `diabetes`: 1.7 times smaller than with pairs). Each order alone is as likely as any other,
so that there is no bias. All instances share the paths. This costs one call of the compiled model
for all instances, with each coalition's mask built once; and a result still depends on nothing but
the seed, the baselines and the instance. The price is that the errors of neighbours are alike, so
that they do not average out over a batch.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pellucid.errors import SpecError
from pellucid.metadata import SampledShapley
from pellucid.methods.baseline_scores import BaselineError, check_baseline
from pellucid.methods.coalition_games import (
    Game,
    Players,
    enumerated,
    gains,
    game_of,
    players_of,
    scores_of,
)
from pellucid.model import Array, Attribution, Model, Tensors
from pellucid.notices import Hint

# More than this for one instance is hours, and a player so small says little.
MOST_EVALUATIONS = 1_000_000
# One order, with its reverse, with a third, all four: so many independent orders they are worth, at
# least (measured).
WEIGHTS = {1: 1.0, 2: 4.0, 3: 5.0, 4: 12.0}
FOUR = 4
# Rounds of a tolerance: an error that is estimated from fewer is now and then far too small.
FIRST_FOURS = 8
LEAST_FOURS = 4
# The scores of the paths that are looked at together.
SCORE_BYTES = 2**26


def sampled_shapley(
    model: Model,
    x: Tensors,
    baselines: Sequence[Tensors],
    target: Array,
    method: SampledShapley = SampledShapley(),
    *,
    groups: Mapping[str, Hashable] | None = None,
    regions: Mapping[str, Array] | None = None,
    score: Array | None = None,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
) -> Attribution:
    """Return the Shapley values of n instances, averaged over the baselines.

    `x` maps features to arrays [n, …] of any dtype, each baseline the explained ones to [n, …] or
    [1, …]; the other features are held. `target` is the flat index of the explained output, [n],
    and `score` that output, where it is known.
    The players are the elements of the explained features, except that all features to which
    `groups` gives the same key are one player, and that a picture to which `regions` gives labels,
    integers [h, w] or one map for each instance [n, h, w], has its regions for players.

    The values are float64 [n, …], shaped as the features; a player of several elements has its
    value spread evenly over them, so that sums are right. They add up to d = `score` −
    `baseline_score`, with the mean over all baselines, whatever the number of paths. With a
    tolerance, paths are drawn until the error is below it for an instance: see `refined`. What is
    drawn then is what `path_count` as high would have drawn; `evaluations`, and in the diagnostics
    `paths`, say how many paths it took. `approx_error` is ‖s.e.‖₂ / |d|, `errors` are the standard
    errors of single values (see `_estimated`); NaN where d = 0, and where there is one path in all.

    `numbers` is not used, as the paths are the same for all instances. Raises SpecError for more
    than a million evaluations, InstanceError for a baseline whose score is not finite, ValueError
    for labels that do not fit their picture. Sources: arXiv 1306.4265; for antithetic pairs, arXiv
    2104.12199.
    """
    if method.path_count < 1:
        raise ValueError(f"sampled Shapley needs at least 1 path, not {method.path_count}")
    target = np.asarray(target, np.int64)
    if any(np.ndim(labels) == 3 for labels in (regions or {}).values()):
        return _each_alone(
            model, x, baselines, target, method, groups, regions or {}, score=score, seed=seed
        )
    players = players_of(x, sorted(baselines[0]), groups or {}, regions or {})
    score = scores_of(model, x, target) if score is None else score
    return _estimated(model, x, baselines, target, method, players, score, seed)


def _each_alone(
    model: Model,
    x: Tensors,
    baselines: Sequence[Tensors],
    target: Array,
    method: SampledShapley,
    groups: Mapping[str, Hashable] | None,
    regions: Mapping[str, Array],
    *,
    score: Array | None,
    seed: int,
) -> Attribution:
    """Explain instances that have players of their own, and so cannot share a question."""
    alone = []
    for i in range(len(target)):
        one = {name: value[[i]] for name, value in x.items()}
        starts = [{k: v[[i]] if len(v) > 1 else v for k, v in b.items()} for b in baselines]
        shared = {name: it[i] if np.ndim(it) == 3 else it for name, it in regions.items()}
        known = None if score is None else score[[i]]
        try:
            part = sampled_shapley(
                model, one, starts, target[[i]], method,
                groups=groups, regions=shared, seed=seed, score=known,
            )  # fmt: skip
        except BaselineError as refusal:
            refusal.row = i
            raise
        alone.append(part)
    return stacked(alone)


def _estimated(
    model: Model,
    x: Tensors,
    baselines: Sequence[Tensors],
    target: Array,
    method: SampledShapley,
    players: Players,
    score: Array,
    seed: int,
) -> Attribution:
    """Return the Shapley values of the same players in n instances.

    Each baseline has its own share of `method.path_count` paths (which differ by one where the
    number does not divide, and are at least one), and the means of the shares are averaged. What is
    left over of the last four counts by what it is worth. Where all coalitions are no more work
    than the paths, they are all asked, and the error is 0; else see `_sampled`.
    """
    n, p = len(target), players.count
    shares = _shares(method.path_count, len(baselines))
    inner = max(1, p) - 1  # an empty text has no players
    exact = coalitions(p, len(baselines)) <= sum(shares) * inner
    least = FOUR * FIRST_FOURS if method.tolerance is not None else sum(shares)
    if not exact:
        _refuse_too_many(p, least)
    games = [game_of(model, x, baseline, target, players, score) for baseline in baselines]
    _check_baselines(games)
    baseline_score = sum((game.empty for game in games), np.zeros(n)) / len(games)
    difference = score - baseline_score
    paths = np.full(n, 0 if exact else sum(shares))
    if exact:
        values, variance = np.mean([enumerated(it) for it in games], axis=0), np.zeros((n, p))
    elif method.tolerance is not None:
        most = min(method.max_paths, MOST_EVALUATIONS // max(1, p))
        bound = method.tolerance * np.abs(difference)
        values, variance, paths = refined(games, bound, most, seed)
    else:
        values, variance = _sampled(games, shares, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variance.sum(axis=1)) / np.abs(difference)
    return Attribution(
        values=players.spread(values, x),
        errors=players.spread(np.sqrt(variance), x),
        score=score,
        baseline_score=baseline_score,
        target=target,
        approx_error=np.where(difference == 0, np.nan, error),
        evaluations=paths,
        diagnostics={} if method.tolerance is None else {"paths": paths},
    )


def _check_baselines(games: Sequence[Game]) -> None:
    for number, game in enumerate(games):
        check_baseline(game.empty, number, game.target)


def _refuse_too_many(players: int, paths: int) -> None:
    if players * paths > MOST_EVALUATIONS:
        raise SpecError(
            f"sampled Shapley with {players} players and {paths} paths asks the model "
            f"{players * paths} times for one instance, more than {MOST_EVALUATIONS}",
            hint=Hint(
                "let an image's players be its regions with {players:regions}, those of a series "
                "its windows with {players:windows}, put inputs into a group, or take fewer {paths}"
            ),
        )


@dataclass(slots=True)
class _Mean:
    """A weighted mean that is kept as values come in, and the spread around it (D. West, 1979)."""

    weight: float = 0.0
    count: int = 0
    value: Array = field(default_factory=lambda: np.zeros(()))
    spread: Array = field(default_factory=lambda: np.zeros(()))

    def add(self, value: Array, weight: float) -> None:
        """Take in a value whose variance is the `weight`-th part of that of a weight of 1."""
        self.weight += weight
        self.count += 1
        off = value - self.value
        self.value = self.value + off * (weight / self.weight)
        self.spread = self.spread + weight * off * (value - self.value)

    def of(self, rows: Array) -> _Mean:
        """Return the mean of some of the instances, by a mask [n]."""
        return _Mean(self.weight, self.count, self.value[rows], self.spread[rows])

    @property
    def variance(self) -> Array:
        """The variance of the mean, without bias; NaN for a single value."""
        if self.count < 2:
            return np.full(np.shape(self.value), np.nan)
        return self.spread / ((self.count - 1) * self.weight)


def refined(
    games: Sequence[Game], bound: Array, most: int, seed: int
) -> tuple[Array, Array, Array]:
    """Return estimates [n, p], their variances [n, p], and the paths they took, [n].

    Fours of paths are drawn for each baseline in rounds, each half as long as all before it. An
    instance is done when its standard error ‖s.e.‖₂ is at most its `bound` [n], when another round
    would take more than `most` paths, or when it has nothing to explain (bound 0). Where all
    coalitions are no more work than the next round, they are asked instead.
    """
    n, p = len(bound), games[0].players.count
    values, variance, paths = np.empty((n, p)), np.zeros((n, p)), np.zeros(n, np.int64)
    left = np.arange(n)
    means = [_Mean() for _ in games]
    draws = [np.random.default_rng([seed, number]) for number in range(len(games))]
    most = max(LEAST_FOURS, most // (FOUR * len(games)))
    fours = 0
    while len(left):
        more = min(max(LEAST_FOURS, FIRST_FOURS // len(games), fours // 2), most - fours)
        if coalitions(p, len(games)) <= FOUR * more * len(games) * (max(1, p) - 1):
            values[left] = np.mean([enumerated(game) for game in games], axis=0)
            variance[left] = 0
            break
        for game, mean, draw in zip(games, means, draws, strict=True):
            for four in _paths(game, FOUR * more, FOUR, draw):
                mean.add(np.mean(four, axis=0), WEIGHTS[FOUR])
        fours += more
        values[left] = np.mean([mean.value for mean in means], axis=0)
        variance[left] = np.sum([mean.variance for mean in means], axis=0) / len(games) ** 2
        paths[left] = FOUR * fours * len(games)
        error = np.sqrt(variance[left].sum(axis=1))
        on = (error > bound[left]) & (bound[left] > 0) & (fours < most)
        left = left[on]
        games = [game.of(on) for game in games]
        means = [mean.of(on) for mean in means]
    return values, variance, paths


def coalitions(players: int, baselines: int) -> int:
    """Return how many coalitions there are to ask, the empty and the full one known."""
    return baselines * max(0, (1 << players) - 2)


def _sampled(games: Sequence[Game], shares: Sequence[int], seed: int) -> tuple[Array, Array]:
    """Return the estimate over sampled paths, [n, p], and the variance of it.

    That comes from the spread over the fours of each baseline. Where a baseline has no more than
    one four, its pairs, or two paths, count as independent, and where one has a single path, the
    spread is that over the paths of all baselines: both say too much as a rule, by a factor of two
    or so.
    """
    means = [_Mean() for _ in games]
    pooled, alone = _Mean(), min(shares) == 1
    for number, (game, mean, share) in enumerate(zip(games, means, shares, strict=True)):
        # The draws of a baseline do not depend on the others, and more paths continue fewer.
        together = FOUR if share > FOUR else 2 if share > 2 else 1
        for some in _paths(game, share, together, np.random.default_rng([seed, number])):
            gain = np.mean(some, axis=0)
            mean.add(gain, WEIGHTS[len(some)])
            if alone:
                pooled.add(gain, WEIGHTS[len(some)])
    values = np.mean([mean.value for mean in means], axis=0)
    if alone:
        return values, pooled.variance
    return values, np.sum([mean.variance for mean in means], axis=0) / len(games) ** 2


def _paths(
    game: Game, share: int, together: int, generator: np.random.Generator
) -> Iterator[Array]:
    """Yield what each player adds on so many paths `together`, [k, n, p]; the last may be fewer."""
    p = game.players.count
    most = FOUR * max(1, SCORE_BYTES // (8 * FOUR * p * len(game.target)))
    for start in range(0, share, most):
        count = min(most, share - start)
        drawn = (generator.permutation(p) for _ in range(-(-count // FOUR)))
        added = gains(game, np.array([o for order in drawn for o in four(order)][:count]))
        for first in range(0, count, together):
            yield added[first : first + together]


def four(order: Array) -> list[Array]:
    """Return an order, its reverse, the order with its halves exchanged, and the reverse of that.

    A pair comes first, as its two paths differ most.
    """
    exchanged = np.roll(order, len(order) // 2)
    return [order, order[::-1], exchanged, exchanged[::-1]]


def _shares(paths: int, baselines: int) -> list[int]:
    """Return how many of the paths each baseline has: one at least."""
    least, more = divmod(paths, baselines)
    return [max(1, least + (number < more)) for number in range(baselines)]


def _rows(parts: Sequence[Array]) -> Array:
    """Return arrays [k, …] as one; where they differ in shape, each row is an array of its own."""
    if len({np.shape(part)[1:] for part in parts}) == 1:
        return np.concatenate(parts)
    rows = [row for part in parts for row in part]
    whole = np.empty(len(rows), object)
    whole[:] = rows
    return whole


def stacked(parts: Sequence[Attribution]) -> Attribution:
    """Return the attributions of single instances as one."""
    errors = [part.approx_error for part in parts if part.approx_error is not None]
    paths = [part.evaluations for part in parts if part.evaluations is not None]
    return Attribution(
        values={name: _rows([part.values[name] for part in parts]) for name in parts[0].values},
        errors={name: _rows([part.errors[name] for part in parts]) for name in parts[0].errors},
        score=np.concatenate([part.score for part in parts]),
        baseline_score=np.concatenate([part.baseline_score for part in parts]),
        target=np.concatenate([part.target for part in parts]),
        approx_error=np.concatenate(errors) if errors else None,
        evaluations=np.concatenate(paths) if paths else None,
        diagnostics={
            name: np.concatenate([part.diagnostics[name] for part in parts])
            for name in parts[0].diagnostics
        },
    )
