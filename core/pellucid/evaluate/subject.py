"""What is judged: one instance, the elements that a map ranks, and the model to ask about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from hashlib import blake2b
from zlib import crc32

import numpy as np

from pellucid.errors import SpecError
from pellucid.metadata import Segmentation
from pellucid.methods import coalition_games, superpixels
from pellucid.model import Array, Model, Tensors


class Kind(Enum):
    """What an instance is to people, which decides what a map is compared with."""

    PICTURE = "picture"
    TABLE = "table"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """How the one explained feature holds a picture.

    `size` is its height and width; `channels` the axis of an instance that its channels are on,
    None without one; `low` and `high` are the values of black and white.
    """

    feature: str
    size: tuple[int, int]
    channels: int | None
    low: float = 0.0
    high: float = 1.0

    def gray(self, values: Array) -> Array:
        """Return one instance's tensor as [h, w]: the mean of its channels."""
        values = np.asarray(values, np.float64)
        flat = values if self.channels is None else values.mean(axis=self.channels)
        return flat.reshape(self.size)

    def planes(self, values: Array) -> Array:
        """Return one instance's tensor as [h, w, c]."""
        values = np.asarray(values, np.float64)
        if self.channels is not None:
            values = np.moveaxis(values, self.channels, -1)
        return values.reshape(*self.size, -1)

    def tensors(self, planes: Array, shape: Sequence[int]) -> Array:
        """Return pictures [r, h, w, c] as rows of instances of this shape, [r, …]."""
        if self.channels is not None:
            planes = np.moveaxis(planes, -1, self.channels + 1)
        return planes.reshape(len(planes), *shape)


@dataclass(frozen=True)
class Subject:
    """One instance: its elements (`game.players`), its baseline, and the output that is explained.

    An element is what is taken away or put back as one: a pixel with its channels, a column, the
    columns of a group, a word. `number` is the instance's place in the whole run, which names its
    random numbers; `scores` [k] are all outputs of the instance. `picture` is None for a table or a
    text.
    """

    number: int
    kind: Kind
    game: coalition_games.Game
    scores: Array
    picture: Picture | None = None
    seed: int = 0

    @property
    def count(self) -> int:
        """How many elements there are."""
        return self.game.players.count

    @property
    def target(self) -> int:
        return int(self.game.target[0])

    @property
    def empty(self) -> float:
        """The score of the baseline."""
        return float(self.game.empty[0])

    @property
    def full(self) -> float:
        """The score of the instance."""
        return float(self.game.full[0])

    @cached_property
    def ranked(self) -> Array:
        """The numbers of the elements that a map ranks: all pixels of a picture.

        Of a table or a text, they are those that differ from the baseline: to take a padding or a
        value of 0 away changes nothing, and would only make every curve flat.
        """
        counts = np.ones(self.count, bool) if self.picture else self.game.differing
        return np.flatnonzero(counts)

    @cached_property
    def patches(self) -> Array:
        """The patch of each pixel, by slic: int [h, w], the same for every map."""
        assert self.picture is not None, "only pictures have patches"
        picture = self.picture
        planes = picture.planes(self.game.x[picture.feature][0])
        share = (planes - picture.low) / ((picture.high - picture.low) or 1)
        pixels = np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
        pixels = np.broadcast_to(pixels[..., :3], (*picture.size, 3))
        _, labels = np.unique(
            superpixels.superpixels(pixels, Segmentation.SLIC), return_inverse=True
        )
        return np.asarray(labels).reshape(picture.size)

    def worth(self, members: Array) -> Array:
        """Return the score with some elements at the instance and the others at the baseline.

        `members` is bool [m, p]; returns [m].
        """
        return np.asarray(self.game.worth(np.asarray(members, bool))[0])

    def along(self, order: Array, counts: Array) -> tuple[Array, Array]:
        """Return the scores of a picture while its elements go in an order, and while they come.

        `order` holds all elements, and `counts` [m] say how many have gone; returns [m] twice. It
        is what `worth` says; but a picture that differs from the last one in a few pixels is made
        from it, which costs a copy, where a mask costs as much as a small network. What was asked
        of an order before, as of a map which patches do not change, is not asked again.
        """
        assert self.picture is not None, "only pictures are made from each other"
        ends = {0: (self.full, self.empty), self.count: (self.empty, self.full)}
        known = self._known.setdefault(blake2b(order.tobytes()).digest(), ends)
        asked = np.setdiff1d(counts, [*known])
        if len(asked):
            scores = zip(*self._along(order, asked), strict=True)
            known.update(zip(asked.tolist(), scores, strict=True))
        gone, come = np.array([known[it] for it in counts.tolist()]).T
        return gone, come

    def _along(self, order: Array, steps: Array) -> tuple[Array, Array]:
        """Return `along` for counts [m] that rise and are neither none nor all."""
        assert self.picture is not None
        ends = [self._flat(it) for it in (self.game.x, self.game.baseline)]
        found = []
        for start, stop in (ends, ends[::-1]):
            rows = self._room(len(steps), start)
            before, taken = start, 0
            for row, count in zip(rows, steps.tolist(), strict=True):
                row[:] = before
                some = order[taken:count]
                row[some] = stop.take(some, axis=0)
                before, taken = row, count
            shape = np.shape(self.game.x[self.picture.feature])[1:]
            rows = rows.reshape(len(rows), *self.picture.size, -1)
            tensors = self.picture.tensors(rows, shape)
            found.append(self.scores_of({self.picture.feature: tensors})[:, self.target])
        return found[0], found[1]

    def _room(self, count: int, like: Array) -> Array:
        """Return room for pictures [count, p, c], the same for every map: fresh memory is slow.

        Where it begins on 64 bytes, TensorFlow takes it as it is, and copies it otherwise.
        """
        if self._rooms.get(count) is None:
            self._rooms.clear()
            size = count * like.nbytes
            memory = np.empty(size + 64, np.uint8)
            first = -memory.ctypes.data % 64
            room = memory[first : first + size].view(like.dtype)
            self._rooms[count] = room.reshape(count, *like.shape)
        return self._rooms[count]

    @cached_property
    def _rooms(self) -> dict[int, Array]:
        return {}

    @cached_property
    def _known(self) -> dict[bytes, dict[int, tuple[float, float]]]:
        return {}

    def _flat(self, tensors: Tensors) -> Array:
        """Return the picture with a row for each pixel, [p, c]."""
        assert self.picture is not None
        tensor = tensors[self.picture.feature][0]
        if self.picture.channels is not None:
            tensor = np.moveaxis(tensor, self.picture.channels, -1)
        return np.ascontiguousarray(tensor).reshape(self.count, -1)

    def scores_of(self, rows: Tensors) -> Array:
        """Return all outputs of changed instances: those tensors that change, [r, …]; [r, k]."""
        count = len(next(iter(rows.values())))
        x = {
            name: rows[name]
            if name in rows
            else np.broadcast_to(value, (count, *np.shape(value)[1:]))
            for name, value in self.game.x.items()
        }
        return self.game.model.outputs(x)

    def generator(self, purpose: str = "") -> np.random.Generator:
        """Return the random numbers of this instance, for one purpose."""
        name = [crc32(purpose.encode())] if purpose else []
        return np.random.default_rng([self.seed, self.number, *name])

    def elements(self, values: Tensors) -> Array:
        """Return a method's attributions, feature → one instance's array, by element: [p].

        What several numbers of an element got is added up; a feature that got none counts as 0.
        Raises SpecError for attributions of something else than the elements.
        """
        total = np.zeros(self.count)
        for name, owner in self.game.players.owners.items():
            if name not in values:
                continue
            shape = np.shape(self.game.x[name])[1:]
            value = _fitting(name, np.asarray(values[name], np.float64), shape, self.picture)
            spread = np.broadcast_to(owner, value.shape) if value.shape == shape else None
            if spread is None:  # a value for each pixel, and not for each of its channels
                spread = np.arange(self.count).reshape(value.shape)
            total += np.bincount(spread.ravel(), value.ravel(), self.count)
        return total


def best_first(values: Array) -> Array:
    """Return the places of some numbers [p], the highest first; equal ones stay in their order."""
    order = np.argsort(-values)
    falling = values[order]
    if (falling[1:] < falling[:-1]).all():
        return order
    return np.argsort(-values, kind="stable")  # takes twice as long, for what has equal numbers


def _fitting(name: str, value: Array, shape: Sequence[int], picture: Picture | None) -> Array:
    """Return attributions as numbers of the input: what lies behind an element is added up."""
    shape = tuple(shape)
    if value.shape == shape:
        return value
    if picture is not None and value.shape == picture.size:
        return value
    if value.ndim > len(shape) and value.shape[: len(shape)] == shape and shape:
        return np.asarray(value.sum(axis=tuple(range(len(shape), value.ndim))))
    if value.size == int(np.prod(shape)):
        return value.reshape(shape)
    raise SpecError(
        f"its attributions of '{name}' are {list(value.shape)}, of a tensor behind the input, and "
        f"what is taken away are the parts of the input, {list(shape)}"
    )


def subject_of(
    model: Model,
    x: Tensors,
    baseline: Tensors,
    target: int,
    *,
    number: int = 0,
    kind: Kind = Kind.TABLE,
    picture: Picture | None = None,
    groups: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Subject:
    """Return an instance [1, …] with its baseline as what is judged.

    `baseline` has the explained features; all others are held. `groups` maps features to the group
    that is one element.
    """
    regions = {}
    if picture is not None:
        height, width = picture.size
        regions = {picture.feature: np.arange(height * width).reshape(picture.size)}
    players = coalition_games.players_of(x, list(baseline), groups or {}, regions)
    scores = np.asarray(model.outputs(x), np.float64)[0]
    chosen = np.array([target], np.int64)
    game = coalition_games.game_of(model, x, baseline, chosen, players, scores[chosen])
    kind = kind if picture is None else Kind.PICTURE
    return Subject(number, kind, game, scores, picture, seed)
