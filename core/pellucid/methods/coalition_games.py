"""The games behind Shapley values: players, coalitions, and what they are worth."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pellucid.methods.baseline_scores import is_baseline
from pellucid.methods.superpixels import placed
from pellucid.model import Array, Model, Tensors

# The masks of one question, which travel to the device with every block of its rows.
MASK_BYTES = 2**23


@dataclass(frozen=True, slots=True)
class Players:
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
        return {name: members.take(owner, axis=1) for name, owner in self.owners.items()}

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
class Game:
    """The coalitions of the players against one baseline, for n instances.

    `empty` and `full` are the scores of baseline and instance, [n]; `differing` players [p] are
    those for whom it matters whether they are in; `same` [n] tells which instances are equal to
    the baseline, so that nobody matters.
    """

    model: Model
    x: Tensors
    baseline: Tensors
    target: Array
    players: Players
    empty: Array
    full: Array
    differing: Array
    same: Array

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
            worth[:, between] = np.where(self.same[:, None], self.full[:, None], asked[:, place])
        return worth

    def of(self, rows: Array) -> Game:
        """Return the game of some of the instances, by a mask [n]."""
        return replace(
            self,
            x={name: value[rows] for name, value in self.x.items()},
            baseline={name: value[rows] for name, value in self.baseline.items()},
            target=self.target[rows],
            empty=self.empty[rows],
            full=self.full[rows],
            same=self.same[rows],
        )

    def in_blocks(self, count: int) -> Iterator[Array]:
        """Yield the numbers of `count` coalitions, as many at a time as one question may have."""
        size = max(1, MASK_BYTES // max(1, self.players.mask_bytes))
        for start in range(0, count, size):
            yield np.arange(start, min(start + size, count))


def gains(game: Game, orders: Array) -> Array:
    """Return what each player adds on each path, int [k, p], for each instance, [k, n, p]."""
    k, p = orders.shape
    inner = p - 1  # the coalitions of a path but for the empty and the full one
    # Of few bytes, as there is a rank for each player of each coalition.
    ranks = np.argsort(orders, axis=1).astype(np.min_scalar_type(p))
    worth = np.empty((k, len(game.target), p + 1))
    worth[..., 0], worth[..., p] = game.empty, game.full
    for rows in game.in_blocks(k * inner):
        path, last = np.divmod(rows, inner)
        found = game.worth(ranks[path] <= last[:, None].astype(ranks.dtype))
        worth[path, :, last + 1] = found.T
    gain = np.empty((k, len(game.target), p))
    np.put_along_axis(gain, orders[:, None, :], np.diff(worth), axis=2)
    return gain


def enumerated(game: Game) -> Array:
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


def game_of(
    model: Model, x: Tensors, baseline: Tensors, target: Array, players: Players, score: Array
) -> Game:
    """Return the game of the players against a baseline, [n, …] or [1, …]."""
    start = {name: np.broadcast_to(baseline[name], np.shape(x[name])) for name in players.owners}
    same = is_baseline(x, start)
    return Game(
        model=model,
        x=x,
        baseline=start,
        target=target,
        players=players,
        empty=np.where(same, score, scores_of(model, {**x, **start}, target)),
        full=score,
        differing=players.differing(x, start),
        same=same,
    )


def players_of(
    x: Tensors,
    features: Sequence[str],
    groups: Mapping[str, Hashable],
    regions: Mapping[str, Array],
) -> Players:
    """Return the players of features: their elements, the groups, the regions of pictures."""
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
    return Players(owners, sizes)


def scores_of(model: Model, x: Tensors, target: Array) -> Array:
    """Return the explained output of each instance, [n]."""
    return model.outputs(x)[np.arange(len(target)), target]
