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
still is.

Paths are drawn in antithetic pairs, an order and its reverse: who comes early in the one comes late
in the other, so that the errors of the two tend to cancel. All instances share the paths. This
costs one call of the compiled model for all instances, with each coalition's mask built once; and a
result still depends on nothing but the seed, the baselines and the instance. The price is that the
errors of neighbours are alike, so that they do not average out over a batch.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from pellucid.errors import SpecError
from pellucid.model import Array, Attribution, Model, Tensors
from pellucid.spec import SampledShapley
from pellucid.superpixels import placed

# More than this for one instance is hours, and a player so small says little.
MOST_EVALUATIONS = 1_000_000
# An order with its reverse has about a fourth of the variance of an order alone (measured).
WEIGHTS = {1: 1.0, 2: 4.0}
# The masks of one question, which travel to the device with every block of its rows.
MASK_BYTES = 2**23
# The scores of the paths that are looked at together.
SCORE_BYTES = 2**26


def sampled_shapley(
    model: Model,
    x: Tensors,
    baselines: Sequence[Tensors],
    target: Array,
    config: SampledShapley = SampledShapley(),
    *,
    groups: Mapping[str, Hashable] | None = None,
    regions: Mapping[str, Array] | None = None,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
) -> Attribution:
    """Return the Shapley values of n instances, averaged over the baselines.

    `x` maps features to arrays [n, …] of any dtype, each baseline the explained ones to [n, …] or
    [1, …]; the other features are held. `target` is the flat index of the explained output, [n].
    The players are the elements of the explained features, except that all features to which
    `groups` gives the same key are one player, and that a picture to which `regions` gives labels,
    integers [h, w] or one map for each instance [n, h, w], has its regions for players.

    The values are float64 [n, …], shaped as the features; a player of several elements has its
    value spread evenly over them, so that sums are right. They add up to d = `score` −
    `baseline_score`, with the mean over all baselines, whatever the number of paths: each baseline
    has its own share of `config.path_count` paths (which differ by one where the number does not
    divide, and are at least one), and the means of the shares are averaged. An odd share has one
    path without its reverse, which counts as a fourth of a pair.

    Where all coalitions are no more work than the paths, they are all asked, and `approx_error` is
    0. Else it is ‖s.e.‖₂ / |d|: the standard error of the players' values, from the spread over the
    pairs of each baseline. Where a baseline has one pair, its two paths count as independent, and
    where one has a single path, the spread is that over the paths of all baselines: both say too
    much as a rule, by a factor of two or so. It is NaN where d = 0, and where there is one path in
    all.

    `numbers` is not used, as the paths are the same for all instances. Raises SpecError for more
    than a million evaluations, ValueError for labels that do not fit their picture. Sources: arXiv
    1306.4265; for antithetic pairs, arXiv 2104.12199.
    """
    if config.path_count < 1:
        raise ValueError(f"sampled Shapley needs at least 1 path, not {config.path_count}")
    target = np.asarray(target, np.int64)
    n = len(target)
    regions = dict(regions or {})
    own = {name: labels for name, labels in regions.items() if np.ndim(labels) == 3}
    if own:
        # Each instance has players of its own, so that the instances cannot share a question.
        alone = [
            sampled_shapley(
                model,
                {name: value[[i]] for name, value in x.items()},
                [{k: v[[i]] if len(v) > 1 else v for k, v in b.items()} for b in baselines],
                target[[i]],
                config,
                groups=groups,
                regions={**regions, **{name: labels[i] for name, labels in own.items()}},
                seed=seed,
            )
            for i in range(n)
        ]
        return _stacked(alone)
    players = _players_of(x, sorted(baselines[0]), groups or {}, regions)
    shares = _shares(config.path_count, len(baselines))
    exact = len(baselines) * (2**players.count - 2) <= sum(shares) * (players.count - 1)
    if not exact and players.count * sum(shares) > MOST_EVALUATIONS:
        raise SpecError(
            f"sampled Shapley with {players.count} players and {sum(shares)} paths asks the model "
            f"{players.count * sum(shares)} times for one instance, more than {MOST_EVALUATIONS}; "
            "let an image's players be its regions with --players regions, put inputs into a "
            "group, or take fewer paths"
        )
    score = _scores(model, x, target)
    games = [_game(model, x, baseline, target, players, score) for baseline in baselines]
    baseline_score = np.mean([game.empty for game in games], axis=0)
    if exact:
        values = np.mean([_enumerated(game) for game in games], axis=0)
        variance = np.zeros_like(values)
    else:
        values, variance = _sampled(games, shares, seed)
    difference = score - baseline_score
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variance.sum(axis=1)) / np.abs(difference)
    return Attribution(
        values=players.spread(values, x),
        score=score,
        baseline_score=baseline_score,
        target=target,
        approx_error=np.where(difference == 0, np.nan, error),
    )


@dataclass(frozen=True, slots=True)
class _Players:
    """Who plays: `owners` maps features to the number of each element's player.

    The numbers are int [1 or more, …] and broadcast against one instance; `sizes` is how many
    elements each player has, [p].
    """

    owners: dict[str, Array]
    sizes: Array

    @property
    def count(self) -> int:
        return len(self.sizes)

    @property
    def mask_bytes(self) -> int:
        """The size of one coalition's masks."""
        return sum(owner.size for owner in self.owners.values())

    def masks(self, members: Array) -> dict[str, Array]:
        """Return the masks [m, …] of m coalitions, bool [m, p]."""
        return {name: members[:, owner] for name, owner in self.owners.items()}

    def differing(self, x: Tensors, baseline: Tensors) -> Array:
        """Return which players differ from the baseline in any instance, bool [p]."""
        result = np.zeros(self.count, bool)
        for name, owner in self.owners.items():
            differs = np.asarray(x[name] != baseline[name], bool).any(axis=0)
            result[np.broadcast_to(owner, differs.shape)[differs]] = True
        return result

    def spread(self, values: Array, x: Tensors) -> dict[str, Array]:
        """Return [n, p] as features [n, …], each player's value in equal parts."""
        parts = values / self.sizes
        return {
            name: np.broadcast_to(parts[:, owner], np.shape(x[name])).copy()
            for name, owner in self.owners.items()
        }


@dataclass(frozen=True, slots=True)
class _Game:
    """The coalitions of the players against one baseline, for n instances.

    `empty` and `full` are the scores of baseline and instance, [n]; `differing` players [p] are
    those for whom it matters whether they are in.
    """

    model: Model
    x: Tensors
    baseline: Tensors
    target: Array
    players: _Players
    empty: Array
    full: Array
    differing: Array

    def worth(self, members: Array) -> Array:
        """Return the score of each coalition, bool [m, p], for each instance, [n, m].

        No coalition is asked twice, nor are the empty and the full one: a player who is the same
        in the baseline is left out first, which makes many coalitions equal.
        """
        members = members & self.differing
        size = members.sum(axis=1)
        worth = np.where(size == 0, self.empty[:, None], self.full[:, None])
        between = np.flatnonzero((size > 0) & (size < self.differing.sum()))
        if len(between):
            bits = np.packbits(members[between], axis=1)
            keys = bits.view(np.dtype((np.void, bits.shape[1])))[:, 0]
            _, first, place = np.unique(keys, return_index=True, return_inverse=True)
            masks = self.players.masks(members[between[first]])
            asked = self.model.coalition_scores(self.x, self.baseline, masks, self.target)
            worth[:, between] = asked[:, place]
        return worth

    def in_blocks(self, count: int) -> Iterator[Array]:
        """Yield the numbers of `count` coalitions, as many at a time as one question may have."""
        size = max(1, MASK_BYTES // self.players.mask_bytes)
        for start in range(0, count, size):
            yield np.arange(start, min(start + size, count))


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

    @property
    def variance(self) -> Array:
        """The variance of the mean, without bias; NaN for a single value."""
        if self.count < 2:
            return np.full(np.shape(self.value), np.nan)
        return self.spread / ((self.count - 1) * self.weight)


def _sampled(games: Sequence[_Game], shares: Sequence[int], seed: int) -> tuple[Array, Array]:
    """Return the estimate over sampled paths, [n, p], and the variance of it."""
    means = [_Mean() for _ in games]
    pooled = _Mean()
    for number, (game, mean, share) in enumerate(zip(games, means, shares, strict=True)):
        # The draws of a baseline do not depend on the others, and more paths continue fewer.
        for pair in _pairs(game, share, np.random.default_rng([seed, number])):
            both = np.mean(pair, axis=0)
            pooled.add(both, WEIGHTS[len(pair)])
            if share == 2:
                for gain in pair:
                    mean.add(gain, WEIGHTS[1])
            else:
                mean.add(both, WEIGHTS[len(pair)])
    values = np.mean([mean.value for mean in means], axis=0)
    if min(shares) == 1:
        return values, pooled.variance
    return values, np.sum([mean.variance for mean in means], axis=0) / len(games) ** 2


def _pairs(game: _Game, share: int, generator: np.random.Generator) -> Iterator[list[Array]]:
    """Yield what each player adds, [n, p], on an order and its reverse; the last may be alone."""
    p = game.players.count
    most = max(1, SCORE_BYTES // (16 * p * len(game.target)))
    for start in range(0, share, 2 * most):
        count = min(2 * most, share - start)
        forward = [generator.permutation(p) for _ in range((count + 1) // 2)]
        orders = np.array([o for order in forward for o in (order, order[::-1])][:count])
        gains = _gains(game, orders)
        while pair := list(islice(gains, 2)):
            yield pair


def _gains(game: _Game, orders: Array) -> Iterator[Array]:
    """Yield what each player adds, [n, p], on each of the paths, int [k, p]."""
    k, p = orders.shape
    inner = p - 1  # the coalitions of a path but for the empty and the full one
    ranks = np.argsort(orders, axis=1)
    worth = np.empty((len(game.target), k * inner))
    for rows in game.in_blocks(k * inner):
        path, last = np.divmod(rows, inner)
        worth[:, rows] = game.worth(ranks[path] <= last[:, None])
    for number, order in enumerate(orders):
        steps = worth[:, number * inner : (number + 1) * inner]
        gain = np.empty((len(game.target), p))
        gain[:, order] = np.diff(np.column_stack([game.empty, steps, game.full]))
        yield gain


def _enumerated(game: _Game) -> Array:
    """Return the Shapley values [n, p] from all coalitions."""
    p = game.players.count
    codes = np.arange(2**p)
    members = (codes[:, None] >> np.arange(p) & 1).astype(bool)
    size = members.sum(axis=1)
    worth = np.empty((len(game.target), len(codes)))
    for rows in game.in_blocks(len(codes)):
        worth[:, rows] = game.worth(members[rows])
    values = np.empty((len(game.target), p))
    for player in range(p):
        without = codes[~members[:, player]]
        # |S|! (p − |S| − 1)! / p! = 1 / (p · C(p − 1, |S|))
        weight = np.array([1 / (p * math.comb(p - 1, s)) for s in size[without]])
        # Differences first: what changes nothing gets exactly 0.
        values[:, player] = (worth[:, without | 1 << player] - worth[:, without]) @ weight
    return values


def _shares(paths: int, baselines: int) -> list[int]:
    """Return how many of the paths each baseline has: one at least."""
    least, more = divmod(paths, baselines)
    return [max(1, least + (number < more)) for number in range(baselines)]


def _game(
    model: Model, x: Tensors, baseline: Tensors, target: Array, players: _Players, score: Array
) -> _Game:
    start = {name: np.broadcast_to(baseline[name], np.shape(x[name])) for name in players.owners}
    return _Game(
        model=model,
        x=x,
        baseline=start,
        target=target,
        players=players,
        empty=_scores(model, {**x, **start}, target),
        full=score,
        differing=players.differing(x, start),
    )


def _players_of(
    x: Tensors,
    features: Sequence[str],
    groups: Mapping[str, Hashable],
    regions: Mapping[str, Array],
) -> _Players:
    owners: dict[str, Array] = {}
    group_players: dict[Hashable, int] = {}
    count = 0
    for name in features:
        shape = np.shape(x[name])[1:]
        if name in groups:
            player = group_players.setdefault(groups[name], count)
            owners[name] = np.full((1,) * len(shape), player)
            count = max(count, player + 1)
        elif name in regions:
            labels = placed(regions[name], shape)
            distinct, number = np.unique(labels, return_inverse=True)
            owners[name] = number.reshape(labels.shape) + count
            count += len(distinct)
        else:
            owners[name] = np.arange(count, count + math.prod(shape)).reshape(shape)
            count += math.prod(shape)
    sizes = np.zeros(count)
    for name, owner in owners.items():
        whole = np.broadcast_to(owner, np.shape(x[name])[1:])
        sizes += np.bincount(whole.ravel(), minlength=count)
    return _Players(owners, sizes)


def _scores(model: Model, x: Tensors, target: Array) -> Array:
    return model.outputs(x)[np.arange(len(target)), target]


def _stacked(parts: Sequence[Attribution]) -> Attribution:
    """Return the attributions of single instances as one."""
    errors = [part.approx_error for part in parts if part.approx_error is not None]
    return Attribution(
        values={
            name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values
        },
        score=np.concatenate([part.score for part in parts]),
        baseline_score=np.concatenate([part.baseline_score for part in parts]),
        target=np.concatenate([part.target for part in parts]),
        approx_error=np.concatenate(errors),
    )
