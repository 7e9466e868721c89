"""What a run found, in numbers: counted block by block, and added up in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.batch.records import Record
from pellucid.batch.truth import Tally
from pellucid.visualize import Maps, Overview

QUANTILES = {"median": 0.5, "p95": 0.95, "max": 1.0}


@dataclass(slots=True)
class Summary:
    """Counts and sums. `errors` are the approx_error of each first label.

    `pixels` is what was assumed of pictures, by input, with what speaks against it. `overview` is
    what counts for each class; `held` are the features that have no attributions, since the method
    left them as they are; `truth` compares the labels with the truth, where that is known; `maps`
    are a sample of those of each class.
    """

    explained: int = 0
    failed: int = 0
    warned: int = 0
    errors: list[float] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    pixels: dict[str, dict[str, Any]] = field(default_factory=dict)
    overview: Overview = field(default_factory=Overview)
    truth: Tally | None = None
    maps: Maps = field(default_factory=Maps)

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
            for key, cells in record.maps.items():
                summary.maps.take(key, record.number, record.name, cells)
            for drawn_as, spots in record.sampled.items():
                summary.overview.take(drawn_as, spots)
        if verdicts := [it.verdict for it in records if it.verdict is not None]:
            summary.truth = Tally.of(verdicts)
        summary.overview.count(*(it for record in records for it in record.counted))
        return summary

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Summary:
        """Return what `document` was made of."""
        truth = document.get("truth")
        return cls(
            **{
                **document,
                "overview": Overview.read(document["overview"]),
                "truth": None if truth is None else Tally.read(truth),
                "maps": Maps.read(document["maps"]),
            }
        )

    def document(self) -> dict[str, Any]:
        """Return the summary as JSON, exactly."""
        found = {name: getattr(self, name) for name in self.__slots__}
        truth = {} if self.truth is None else {"truth": self.truth.document()}
        del found["truth"]
        maps = self.maps.document()
        return {**found, "overview": self.overview.document(), "maps": maps, **truth}

    def add(self, other: Summary) -> None:
        """Count another summary in."""
        self.explained += other.explained
        self.failed += other.failed
        self.warned += other.warned
        self.errors += other.errors
        self._hold(other.held)
        self._assume(other.pixels)
        self.overview.add(other.overview)
        self.maps.add(other.maps)
        if other.truth is not None:
            self.truth = self.truth or Tally()
            self.truth.add(other.truth)

    def totals(self) -> dict[str, Any]:
        """Return what the summary says of the run."""
        quantiles: dict[str, float] = {}
        if self.errors:
            values = np.quantile(self.errors, list(QUANTILES.values()))
            quantiles = dict(zip(QUANTILES, values.tolist(), strict=True))
        return {
            "explained": self.explained,
            "failed": self.failed,
            "withWarnings": self.warned,
            "approxError": quantiles,
            **({"truth": self.truth.totals()} if self.truth is not None else {}),
            **self.overview.means(),
            **({"held": self.held} if self.held else {}),
            **({"pixels": self.pixels} if self.pixels else {}),
        }

    def _hold(self, names: Sequence[str]) -> None:
        self.held += [name for name in names if name not in self.held]

    def _assume(self, pixels: Mapping[str, Mapping[str, Any]]) -> None:
        for name, found in pixels.items():
            self.pixels[name] = {**self.pixels.get(name, {}), **found}
