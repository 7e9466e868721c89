"""How often inputs of each class were said to be of which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pellucid.batch.truth.judge import Verdict

KEPT = 100
"""Words that are no class, of which so many stand in the summary; the others are counted."""


@dataclass(slots=True)
class Tally:
    """How often inputs of each class were said to be of which, by their names.

    `unmatched` are words that are no class, and how often; `others` is how often such words came
    that are not kept; `without` counts inputs of which there is no truth.
    """

    confusion: dict[str, dict[str, int]] = field(default_factory=dict)
    unmatched: dict[str, int] = field(default_factory=dict)
    others: int = 0
    without: int = 0

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> Tally:
        """Count what was found of some inputs."""
        found = cls()
        for it in verdicts:
            if it.truth is not None:
                found._count(it.truth, it.label, 1)
            elif it.written:
                found._miss(it.written, 1)
            else:
                found.without += 1
        return found

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Tally:
        """Return the tally that `document` was made of."""
        return cls(**document)

    def document(self) -> dict[str, Any]:
        """Return the tally as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    def add(self, other: Tally) -> None:
        """Count another tally in."""
        for truth, row in other.confusion.items():
            for label, count in row.items():
                self._count(truth, label, count)
        for written, count in other.unmatched.items():
            self._miss(written, count)
        self.others += other.others
        self.without += other.without

    def totals(self) -> dict[str, Any]:
        """Return the accuracy, with the number of inputs, and the confusion, most frequent first.

        What is not known of any input is null.
        """
        pairs = self._pairs
        count = sum(it for _, _, it in pairs)
        right = sum(it for truth, label, it in pairs if truth == label)
        return {
            "count": count,
            "correct": right,
            "accuracy": right / count if count else None,
            "confusion": [{"truth": a, "label": b, "count": n} for a, b, n in pairs],
            "unmatched": [{"truth": it, "count": n} for it, n in self.unmatched.items()],
            "unmatchedOthers": self.others,
            "without": self.without,
        }

    @property
    def _pairs(self) -> list[tuple[str, str, int]]:
        """Each truth with a label and how often they came together, the most frequent first."""
        found = [(truth, *it) for truth, row in self.confusion.items() for it in row.items()]
        return sorted(found, key=lambda it: (-it[2], it[:2]))

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        found = self.totals()
        if not found["count"]:
            said = "no input has a truth that is the name or the number of a class"
        else:
            said = f"{found['correct']:,} of {found['count']:,} right ({found['accuracy']:.2%})"
        wrong = [it for it in self._pairs if it[0] != it[1]][:3]
        said += "".join(f"; {truth} read as {label}: {count:,}" for truth, label, count in wrong)
        if missed := sum(self.unmatched.values()) + self.others:
            said += f"; {missed:,} with a truth that is no class"
        return said + (f"; {self.without:,} without a truth" if self.without else "")

    def _count(self, truth: str, label: str, count: int) -> None:
        row = self.confusion.setdefault(truth, {})
        row[label] = row.get(label, 0) + count

    def _miss(self, written: str, count: int) -> None:
        if written in self.unmatched or len(self.unmatched) < KEPT:
            self.unmatched[written] = self.unmatched.get(written, 0) + count
        else:
            self.others += count
