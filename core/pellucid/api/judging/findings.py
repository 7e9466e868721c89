"""What was found of some instances: numbers, curves, and the maps that candidates disagree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.evaluate import Instance as Row
from pellucid.evaluate import Shown
from pellucid.model import Array

MOST_SHOWN = 12
"""So many instances are kept with their maps: those that candidates disagree on most."""


@dataclass(kw_only=True)
class Findings:
    """What was found of some instances, which stand by their place in the run.

    `missing` counts the numbers that are not there, by metric, candidate and why; `failed` are the
    instances that a candidate could not explain, `out` the candidates that can explain none, and
    `warned` counts what explanations warned of. `several` tells that the model has several outputs.
    """

    rows: list[Row] = field(default_factory=list)
    values: dict[str, dict[str, dict[int, float]]] = field(default_factory=dict)
    curves: dict[str, dict[str, dict[int, Array]]] = field(default_factory=dict)
    missing: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    shown: list[Shown] = field(default_factory=list)
    failed: dict[str, dict[int, str]] = field(default_factory=dict)
    out: dict[str, str] = field(default_factory=dict)
    warned: dict[str, Counter[str]] = field(default_factory=dict)
    several: bool = False
    baseline: str = ""
    kind: str = ""

    def add(self, other: Findings) -> None:
        """Take in what was found of the instances that follow."""
        self.rows += other.rows
        _join(self.values, other.values)
        _join(self.curves, other.curves)
        self.missing += other.missing
        for it in other.shown:
            self.show(it)
        for name, instances in other.failed.items():
            self.failed.setdefault(name, {}).update(instances)
        self.out = {**other.out, **self.out}
        for name, said in other.warned.items():
            self.warned.setdefault(name, Counter()).update(said)
        self.several, self.kind = other.several, other.kind
        self.baseline = self.baseline or other.baseline

    def shows(self, spread: float) -> bool:
        """Whether candidates disagree so much that the maps are kept."""
        return len(self.shown) < MOST_SHOWN or spread > self.shown[-1].spread

    def show(self, shown: Shown) -> None:
        """Keep the maps of an instance if candidates disagree on it more than on others."""
        kept = sorted([*self.shown, shown], key=lambda it: (-it.spread, it.number))
        self.shown = kept[:MOST_SHOWN]

    def arrays(self, found: Mapping[str, Mapping[int, Any]]) -> dict[str, Array]:
        """Return what was found of candidates as arrays [n, …], NaN where there is nothing."""
        made = {}
        for name, values in found.items():
            if name not in self.out:
                shape = np.shape(next(iter(values.values())))
                made[name] = np.full((len(self.rows), *shape), np.nan)
                for number, value in values.items():
                    made[name][number] = value
        return made


def _join(whole: dict[str, dict[str, dict[int, Any]]], part: Mapping[str, Any]) -> None:
    for metric, found in part.items():
        for name, values in found.items():
            whole.setdefault(metric, {}).setdefault(name, {}).update(values)
