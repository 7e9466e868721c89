"""What came out of comparing two models: instance by instance, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import orjson

from pellucid.comparison.diff.pictured import Pictured
from pellucid.comparison.diff.shifts import Shift, shifts_of
from pellucid.comparison.diff.subsets import Subset, subsets_of
from pellucid.comparison.diff.verdict import sentences
from pellucid.evaluate import LEAST, Interval, difference, encodable_document, interval
from pellucid.model import Array

_JSON = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
VERSION = 1
"""That of ``diff.json``; it rises when a key changes its meaning or goes."""

SAME = 1e-5
"""What scores, and attributions as a share of the largest, may differ by in "the same" model."""

BOUNDS = {
    "flips": "the share of instances whose prediction is another",
    "share": "the mean share of the attribution that lies elsewhere",
    "element": "the largest change of an element's share, of all instances, a class or a subset",
    "score": "the mean absolute change of the score that is explained",
}
"""What can be held to a bound, and what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One model's answer to an instance: its label, that label's score, and that of the other's.

    `score` is that of the class that is explained: the label of the first model.
    """

    label: str
    index: tuple[int, ...]
    score: float
    baseline_score: float
    approx_error: float | None
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """An instance that both models explained, the same class of it.

    `answers` is the largest difference of two scores among the classes that both have; `cosine`,
    `rank` and `largest` are those of `Agreement` over all attributions, NaN where their shapes
    differ; `moved` is the share of the attribution that lies elsewhere.
    """

    number: int
    name: str
    first: Side
    second: Side
    flipped: bool
    answers: float
    cosine: float
    rank: float
    largest: float
    moved: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An instance that was not compared, and why.

    `who` failed is ``first``, ``second`` or ``both``; ``class`` is one that the second lacks.
    """

    number: int
    name: str
    who: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How it was made, so that it can be made again."""

    program: str = ""
    tensorflow: str = ""
    first: str = ""
    second: str = ""
    fingerprints: tuple[str, str] = ("", "")
    method: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Diff:
    """Two models on the same instances: what they say, and why.

    `notes` are sentences on the whole of it; `controls` are other trainings of the first model on
    the same instances, which differ from it by chance. Where answers are `measured`, none flips.
    """

    instances: tuple[Compared, ...]
    measured: bool = False
    failed: tuple[Failed, ...] = ()
    notes: tuple[str, ...] = ()
    shown: tuple[Pictured, ...] = ()
    controls: tuple[Diff, ...] = ()
    made: Made = Made()

    @property
    def count(self) -> int:
        return len(self.instances)

    @property
    def flips(self) -> list[Compared]:
        """The instances whose prediction is another, the surest of the first model's first."""
        flipped = [it for it in self.instances if it.flipped]
        return sorted(flipped, key=lambda it: (-it.first.score, it.number))

    def values(self, name: str) -> Array:
        """Return a number of each instance, [n]: ``flips``, ``moved``, ``score``, ``rank`` …"""
        if name == "flips":
            return np.array([it.flipped for it in self.instances], np.float64)
        if name == "score":
            changes = [it.second.score - it.first.score for it in self.instances]
            return np.array(changes, np.float64)
        return np.array([getattr(it, name) for it in self.instances], np.float64)

    def mean(self, name: str) -> Interval:
        """Return the mean of a number with its 95 % interval."""
        return interval(self.values(name), self.made.seed)

    def more_than(self, control: Diff, name: str) -> Interval:
        """Return how much more it differs than a control does, on the instances of both."""
        ours, theirs = self._by_number(name), control._by_number(name)
        both = [number for number in ours if number in theirs]
        one, other = (np.array([it[n] for n in both], np.float64) for it in (ours, theirs))
        return difference(np.abs(one), np.abs(other), self.made.seed)

    def _by_number(self, name: str) -> dict[int, float]:
        numbers = [it.number for it in self.instances]
        return dict(zip(numbers, self.values(name).tolist(), strict=True))

    @cached_property
    def shifts(self) -> tuple[Shift, ...]:
        """The elements, those whose mean share changed most first."""
        pairs = [(it.first.shares, it.second.shares) for it in self.instances]
        return tuple(shifts_of(pairs, self.made.seed))

    @cached_property
    def by_class(self) -> Mapping[str, tuple[Shift, ...]]:
        """The same for each class of six instances or more, by the first model's label of them."""
        found: dict[str, list[tuple[Mapping[str, float], Mapping[str, float]]]] = {}
        for it in self.instances:
            found.setdefault(it.first.label, []).append((it.first.shares, it.second.shares))
        known = {label: pairs for label, pairs in found.items() if len(pairs) >= LEAST}
        if len(found) < 2:
            return {}
        return {
            label: tuple(shifts_of(pairs, self.made.seed, families=len(known)))
            for label, pairs in sorted(known.items(), key=lambda item: (-len(item[1]), item[0]))
        }

    @cached_property
    def subsets(self) -> tuple[Subset, ...]:
        """Instances whose attribution moved to or from one element as no other's did."""
        return tuple(subsets_of([(it.first.shares, it.second.shares) for it in self.instances]))

    @property
    def same(self) -> bool:
        """Whether all that was compared is equal within 1e-5, and nothing failed."""
        if not self.instances or self.failed:
            return False
        return max(self.furthest) <= SAME

    @property
    def furthest(self) -> tuple[float, float]:
        """The largest differences of scores, and of attributions as a share of the largest one.

        Attributions that differ in shape differ wholly.
        """
        answers = float(np.nanmax(self.values("answers"), initial=0.0))
        largest = np.nan_to_num(self.values("largest"), nan=1.0)
        return answers, float(largest.max(initial=0.0))

    def bound(self, name: str) -> float:
        """Return what a bound is compared with; 0 where nothing was compared."""
        if not self.instances:
            return 0.0
        match name:
            case "flips":
                return float(self.values("flips").mean())
            case "share":
                moved = self.values("moved")
                return float(np.nanmean(moved)) if np.isfinite(moved).any() else 0.0
            case "element":
                every = (self.shifts, *self.by_class.values())
                sure = [(it.first, it.second) for found in every for it in found if it.sure]
                sure += [(it.first, it.second) for it in self.subsets]
                return max((abs(second - first) for first, second in sure), default=0.0)
            case "score":
                return float(np.abs(self.values("score")).mean())
        raise KeyError(name)

    @cached_property
    def verdict(self) -> tuple[str, ...]:
        """What follows, in sentences."""
        return tuple(sentences(self))

    def document(self) -> dict[str, Any]:
        """Return all of it but the pictures, as JSON values; NaN is written as null."""
        return {
            "version": VERSION,
            "provenance": asdict(self.made),
            "verdict": list(self.verdict),
            "notes": list(self.notes),
            "same": self.same,
            "count": self.count,
            **{name: self.bound(name) for name in BOUNDS},
            "intervals": {it: asdict(self.mean(it)) for it in ("flips", "moved", "score", "rank")},
            "elements": [asdict(it) for it in self.shifts],
            "classes": {
                label: [asdict(it) for it in found if it.sure]
                for label, found in self.by_class.items()
            },
            "subsets": [
                {**asdict(it), "members": [self.instances[i].name for i in it.members]}
                for it in self.subsets
            ],
            "instances": [asdict(it) for it in self.instances],
            "failed": [asdict(it) for it in self.failed],
            "controls": [it.document() for it in self.controls],
        }

    def json(self) -> bytes:
        """Return the document as UTF-8 JSON."""
        return orjson.dumps(encodable_document(self.document()), option=_JSON)
