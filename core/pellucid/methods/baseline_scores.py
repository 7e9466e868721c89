"""The scores of baselines, from which attributions are counted: each has to be a finite number."""

from __future__ import annotations

import numpy as np

from pellucid.errors import InstanceError
from pellucid.model import Array, Tensors


class BaselineError(InstanceError):
    """A baseline whose score is not finite; `number` counts the baselines, `score` is what it is.

    `target` is the flat index of the output, `row` the instance's place among those explained.
    """

    def __init__(self, number: int, row: int, target: int, score: float) -> None:
        what = f"the score of baseline {number} is {score:g} for output {target}"
        super().__init__(what, row, hint="choose another baseline")
        self.number, self.target, self.score = number, target, score


def check_baseline(scores: Array, number: int, target: Array) -> None:
    """Raise BaselineError for the first of a baseline's scores, [n], that is not finite."""
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        row = int(bad[0])
        raise BaselineError(number, row, int(target[row]), float(scores[row]))


def is_baseline(x: Tensors, baseline: Tensors) -> Array:
    """Return which instances are equal to their baseline in all of its features, bool [n].

    Their scores are equal, too, though asked in two batches they may differ by rounding.
    """
    differs = (np.asarray(x[name] != value, bool) for name, value in baseline.items())
    changed = [it.reshape(len(it), -1).any(axis=1) for it in differs]
    return np.asarray(~np.any(changed, axis=0))
