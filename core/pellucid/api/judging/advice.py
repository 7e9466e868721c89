"""What was found of baselines: which is best, and how to have it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pellucid.errors import SpecError
from pellucid.evaluate import LEAST, TOO_FEW, Evaluation, Interval, packed, short
from pellucid.model import Array

PRINTED = 16
"""Baselines of more numbers are not written out: they belong into a file."""


@dataclass(frozen=True, kw_only=True)
class BaselineAdvice:
    """Baselines side by side: their `evaluation`, which is `best`, and how to have it.

    `best` is None where none is ahead of what the model has without advice, `before`. `ahead` says
    by how much the best mean is ahead of that, by the metric that decides, with its interval.
    `arrays` are the numbers of baselines that have their own, by candidate and input, as the model
    takes them; `lines` is what metadata say for each that they can express.
    """

    evaluation: Evaluation
    before: str
    leader: str
    best: str | None
    metric: str
    ahead: Interval
    arrays: Mapping[str, Mapping[str, Array]]
    lines: Mapping[str, Mapping[str, Any]]
    notes: Sequence[str] = ()

    @cached_property
    def verdict(self) -> tuple[str, ...]:
        """What follows, in sentences."""
        title = self.evaluation.metric(self.metric).title
        if self.leader == self.before:
            return (f"By {title} no baseline is better than '{self.before}': keep it.",)
        low, high = self.ahead.low, self.ahead.high
        if low is None or high is None or self.ahead.n < LEAST:
            return (
                f"By {title} '{self.leader}' has the best mean; fewer than {LEAST} instances "
                f"cannot tell it from '{self.before}': give more.",
            )
        by = f"{short(low)} to {short(high)}"
        if self.best is None:
            return (
                f"By {title} '{self.leader}' has the best mean and is not distinguishable from "
                f"'{self.before}' ({by}): nothing speaks for a change.",
            )
        said = f"By {title} '{self.best}' is ahead of '{self.before}' by {by}."
        few = f"{self.ahead.n} instances are few: ask {TOO_FEW} or more before you change it."
        return (said, few) if self.ahead.n < TOO_FEW else (said,)

    def has_file(self, name: str) -> bool:
        """Whether the best baseline of an input has too many numbers to be written out."""
        values = self.arrays.get(self.best or "", {}).get(name)
        return values is not None and values.size > PRINTED

    def packed(self, suffix: str) -> bytes | None:
        """Return the numbers of the best baseline as a ``.npy`` or ``.npz`` file, if it has some.

        Raises SpecError for several inputs in one ``.npy``.
        """
        arrays = self.arrays.get(self.best or "", {})
        if not arrays:
            return None
        if suffix == ".npz":
            return packed(arrays)
        if len(arrays) > 1:
            what = f"a .npy file holds one array, and the baseline is of {len(arrays)} inputs"
            raise SpecError(what, hint="choose a .npz file")
        file = io.BytesIO()
        np.save(file, np.asarray(next(iter(arrays.values())), np.float32), allow_pickle=False)
        return file.getvalue()

    def document(self) -> dict[str, Any]:
        """Return the advice as JSON values, the evaluation with it."""
        return {
            "before": self.before,
            "best": self.best,
            "metric": self.metric,
            "verdict": list(self.verdict),
            "notes": list(self.notes),
            "metadata": {name: dict(it) for name, it in self.lines.items()},
            "evaluation": json.loads(self.evaluation.json()),
        }
