"""Lines of the table, and the sample models as what they measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from timing import Measured, ratio

import pellucid
from pellucid.inputs.readers import read_file

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "sample_models"
BENCH = ROOT / "bench"
PHOTOS, DIGITS = SAMPLES / "photos", SAMPLES / "digits"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: seconds, or a ratio; `bound` is what its CPU time must not exceed.

    Where no CPU time is measured, as in a browser, it is a bound on the clock.
    """

    what: str
    against: str
    cpu: float | None = None
    wall: float | None = None
    bound: float | None = None
    note: str = ""

    @property
    def missed(self) -> bool:
        used = self.wall if self.cpu is None else self.cpu
        return self.bound is not None and used is not None and used > self.bound


def compared(
    what: str, against: str, measured: Measured, note: str = "", bound: float | None = None
) -> Row:
    """The row for ``measured["ours"]`` over ``measured[against]``."""
    ratios = ratio(measured["ours"], measured[against])
    return Row(what, against, ratios.cpu, ratios.wall, bound, note)


def load(name: str) -> Any:
    """A sample model that keeps its advice to itself."""
    return pellucid.load(SAMPLES / name / "model", warn=lambda sentence: None)


def rows_of(name: str, count: int) -> tuple[Any, Any, Any]:
    """A loaded sample model, `count` instances made of its pictures, and what it says of them."""
    model = load(name)
    pictures = sorted((SAMPLES / name / "images").iterdir())
    read = [next(iter(read_file(path, model.inputs))) for path in pictures]
    (key,) = read[0].tensors
    base = np.stack([np.asarray(r.tensors[key], np.float32) for r in read])
    # Dimmed copies, so that no two instances are the same.
    dim = 1 - 0.5 * (np.arange(count) // len(base)) / max(1, count // len(base))
    x = base[np.arange(count) % len(base)] * dim.reshape(-1, *[1] * (base.ndim - 1))
    x = x.astype(np.float32)
    return model, x, model.explainer.model.outputs({key: x}).argmax(1)
