"""What a metric is given, one instance with the maps of all candidates, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from pellucid.evaluate.subject import Subject
from pellucid.model import Array, Tensors

HIGHER, LOWER = "higher", "lower"
LEADING = ("insertion", "deletion")
"""The metrics that lead where they were taken: they are spoken of, the first sorts instances."""
RANDOMIZATION = "randomization"
UNCHANGED = 0.95
"""A correlation with the map of random weights from which on a map is none of the model."""


def leading(taken: Iterable[str]) -> list[str]:
    """Return the metrics that lead among those that were taken, else the first; [] of none."""
    names = list(taken)
    return [it for it in LEADING if it in names] or names[:1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number for each map: what it is called, which way is better, what it means and cannot mean.

    `better` is ``higher``, ``lower``, or None where neither is.
    """

    name: str
    title: str
    better: str | None
    means: str
    cannot: str


class Repeats(Enum):
    """How often an instance is explained again, which is what costs most."""

    ALL = "all"
    FEW = "few"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How metrics are taken: `stages` is the number of shares of a curve, `seed` a random seed.

    `moves` is how often an input is moved, `depths` are the shares of the weights that are drawn
    anew, one after the other; `samples` are how many a repeat draws at most, 0 for no limit.
    `coarse` is the number of shares of the curves of changed maps at most, 0 for no limit.
    """

    stages: int = 50
    seed: int = 0
    moves: int = 10
    depths: tuple[float, ...] = (1 / 3, 2 / 3, 1.0)
    samples: int = 0
    coarse: int = 0

    @classmethod
    def of(cls, repeats: Repeats, *, stages: int, seed: int) -> Settings:
        """Return the settings for few repeats, or all: captum's number of moves, and thirds."""
        if repeats is Repeats.ALL:
            return cls(stages=stages, seed=seed)
        return cls(stages=stages, seed=seed, moves=1, depths=(1.0,), samples=150, coarse=10)

    @property
    def changed_stages(self) -> int:
        """The number of shares of the curves of maps that were smoothed, or are over patches."""
        return min(self.stages, self.coarse or self.stages)


class Again(Protocol):
    """Explains the instance of a trial again, in another way; text says why that failed."""

    def plain(self, candidate: str) -> Array | str | None:
        """Return the map that repeats are compared with, [p]; None for the one that is judged."""
        ...

    def changed(self, candidate: str, inputs: Mapping[str, Array]) -> Array | str:
        """Return the maps of changed inputs [r, …] for the same output, [r, p]."""
        ...

    def seeded(self, candidate: str, seed: int) -> Array | str | None:
        """Return the map with another random seed, [p]; None where the method draws nothing."""
        ...

    def reinitialised(self, candidate: str, share: float) -> Array | str:
        """Return the map after a share of the weights was drawn anew, from the output down, [p]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One instance with its `maps`: candidate → a number for each element, [p].

    `controls` are those of the maps that know nothing of the model. `errors` are the approx_error
    of candidates, where they have one; `request` has the inputs that are floating point numbers,
    without the batch axis, and `ranges` how far each of them ranges; `mask` is where the subject of
    the picture is, bool [h, w]; `again` explains once more.
    """

    subject: Subject
    maps: Mapping[str, Array]
    controls: frozenset[str] = frozenset()
    errors: Mapping[str, float] = field(default_factory=dict)
    request: Tensors = field(default_factory=dict)
    ranges: Tensors = field(default_factory=dict)
    mask: Array | None = None
    again: Again | None = None

    def plain(self, candidate: str) -> Array | str:
        """Return the map that those of `again` are compared with, [p], or why there is none."""
        other = None if self.again is None else self.again.plain(candidate)
        return self.maps[candidate] if other is None else other


@dataclass(slots=True)
class Found:
    """What a metric found of one instance: metric → candidate → number, and the curves behind."""

    values: dict[str, dict[str, float]] = field(default_factory=dict)
    curves: dict[str, dict[str, Array]] = field(default_factory=dict)
    missing: dict[tuple[str, str], str] = field(default_factory=dict)

    def put(self, metric: str, candidate: str, value: float) -> None:
        """Note a number."""
        self.values.setdefault(metric, {})[candidate] = float(value)

    def curve(self, metric: str, candidate: str, values: Array) -> None:
        """Note a curve."""
        self.curves.setdefault(metric, {})[candidate] = values

    def lacks(self, metric: str, candidate: str, reason: str) -> None:
        """Note why there is no number for a candidate."""
        self.missing[metric, candidate] = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One or more metrics that are taken together.

    `judge` takes them of a trial. `refuses` says why they do not apply to a trial, or "".
    `usual` tells that they are taken where none is chosen, `masked` that they need masks.
    """

    metrics: tuple[Metric, ...]
    judge: Callable[[Trial, Settings], Found]
    refuses: Callable[[Trial], str] = lambda trial: ""
    usual: bool = False
    masked: bool = False
