"""What a run found, in numbers: counted block by block, and added up in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.batch.records import Record
from pellucid.model import Array

QUANTILES = {"median": 0.5, "p95": 0.95, "max": 1.0}


@dataclass(slots=True)
class Summary:
    """Counts and sums. `errors` are the approx_error of each first label.

    `pixels` is what was assumed of pictures, by input, with what speaks against it.
    A feature has a mean if its attributions have the same shape in all instances; `held` are those
    that have none, since the method left them as they are.
    """

    explained: int = 0
    failed: int = 0
    warned: int = 0
    errors: list[float] = field(default_factory=list)
    sums: dict[str, Array] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)
    pixels: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Sequence[Record]) -> Summary:
        """Count the records of one block."""
        summary = cls()
        for record in records:
            summary._assume(record.pixels)
            if record.error is not None:
                summary.failed += 1
                continue
            summary.explained += 1
            summary.warned += record.warned
            summary._hold(record.held)
            error = record.shown.get("approx_error")
            if error is not None:
                summary.errors.append(error)
            for name, value in record.features.items():
                summary._count(name, np.asarray(value, np.float64), 1)
        return summary

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Summary:
        """Return what `document` was made of."""
        sums = {name: np.asarray(value, np.float64) for name, value in document["sums"].items()}
        if sums.keys() != document["counts"].keys():
            raise ValueError("what is counted is not what is added up")
        return cls(**{**document, "sums": sums})

    def document(self) -> dict[str, Any]:
        """Return the summary as JSON, exactly."""
        return {name: getattr(self, name) for name in self.__slots__}

    def add(self, other: Summary) -> None:
        """Count another summary in."""
        self.explained += other.explained
        self.failed += other.failed
        self.warned += other.warned
        self.errors += other.errors
        self._hold(other.held)
        self._assume(other.pixels)
        for name, value in other.sums.items():
            self._count(name, value, other.counts[name])

    def totals(self) -> dict[str, Any]:
        """Return what the summary says of the run."""
        quantiles: dict[str, float] = {}
        if self.errors:
            values = np.quantile(self.errors, list(QUANTILES.values()))
            quantiles = dict(zip(QUANTILES, values.tolist(), strict=True))
        means = {
            name: total / self.counts[name]
            for name, total in self.sums.items()
            if self.counts[name]
        }
        return {
            "explained": self.explained,
            "failed": self.failed,
            "withWarnings": self.warned,
            "approxError": quantiles,
            "meanAttributions": means,
            **({"held": self.held} if self.held else {}),
            **({"pixels": self.pixels} if self.pixels else {}),
        }

    def _hold(self, names: Sequence[str]) -> None:
        self.held += [name for name in names if name not in self.held]

    def _assume(self, pixels: Mapping[str, Mapping[str, Any]]) -> None:
        for name, found in pixels.items():
            self.pixels[name] = {**self.pixels.get(name, {}), **found}

    def _count(self, name: str, value: Array, times: int) -> None:
        total = self.sums.get(name)
        if total is None:
            self.sums[name], self.counts[name] = np.array(value), times
        elif total.shape == value.shape and self.counts[name]:
            total += value
            self.counts[name] += times
        else:
            self.counts[name] = 0  # of different shapes there is no mean
