"""What two models say of an instance: whether the prediction flips, and how far scores differ."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pellucid.comparison.diff.matching import Classes
from pellucid.errors import SpecError
from pellucid.model import Array
from pellucid.notices import Hint

UNIT = 0.5
"""A probability above it is a yes."""


@dataclass(kw_only=True)
class Answers:
    """The answers of two models, as far as they have come; `middle` divides a single score.

    That is 0 of logits. Otherwise it is 0.5, if all scores are within 0 and 1, and none if they are
    not: a measurement has no prediction that flips.
    """

    classes: Classes
    middle: float | None = None
    _single: list[tuple[float, float]] = field(default_factory=list)
    _flips: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ours, self._theirs = self.classes.pairs()
        if not len(self._ours):
            what = f"no class of the two models is the same: {self.classes.said or 'other shapes'}"
            raise SpecError(what, hint=Hint("name the classes of both with {class_names}"))

    def take(self, ours: Array, theirs: Array) -> float:
        """Take the answers to one instance; return the largest difference of scores of a class.

        NaN where a score is no number.
        """
        one, other = (np.asarray(it, np.float64).ravel() for it in (ours, theirs))
        if one.size == other.size == 1:
            self._single.append((float(one[0]), float(other[0])))
        else:
            first = np.unravel_index(int(np.argmax(one)), self.classes.ours)
            second = np.unravel_index(int(np.argmax(other)), self.classes.theirs)
            wanted = self.classes.theirs_of(tuple(int(i) for i in first))
            self._flips.append(wanted != tuple(int(i) for i in second))
        gaps = np.abs(one[self._ours] - other[self._theirs])
        return float(gaps.max(initial=0.0)) if np.isfinite(gaps).all() else float("nan")

    @property
    def divided_at(self) -> float | None:
        """What divides the answers of single scores; None of others, and of measurements."""
        if self.middle is not None or not self._single:
            return self.middle if self._single else None
        pairs = np.array(self._single)
        return UNIT if ((pairs >= 0) & (pairs <= 1)).all() else None

    @property
    def measured(self) -> bool:
        """Whether answers are measurements, which have no prediction that flips."""
        return bool(self._single) and self.divided_at is None

    @property
    def sides(self) -> list[tuple[str, str]]:
        """What both say of each instance, beside the name of their output: ``" > 0.5"``, or ""."""
        middle = self.divided_at
        if middle is None:
            return [("", "")] * (len(self._single) or len(self._flips))
        return [
            (f" {'>' if one > middle else '≤'} {middle:g}",
             f" {'>' if other > middle else '≤'} {middle:g}")
            for one, other in self._single
        ]  # fmt: skip

    @property
    def flips(self) -> list[bool]:
        """Whether the prediction flips, of each instance."""
        return [one != other for one, other in self.sides] if self._single else self._flips
