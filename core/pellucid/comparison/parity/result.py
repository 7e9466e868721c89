"""What came of replaying recorded requests: every field, and the reasons for what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from pellucid.comparison.parity.fields import Field, Tolerances, Verdict, worst
from pellucid.comparison.parity.reasons import Reason
from pellucid.evaluate import encodable_document
from pellucid.model import Array

_JSON = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
VERSION = 1
"""That of ``parity.json``; it rises when a key changes its meaning or goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One recorded answer to one instance, compared: its fields, and pictures to look at.

    `pictures` are, by field, what was recorded, what is made here, and what was explained, uint8
    [h, w, 3].
    """

    name: str
    fields: tuple[Field, ...]
    pictures: Mapping[str, tuple[Array, Array, Array]] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        return worst(self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """All fields of one kind: how many are of which verdict, and the one that is furthest off."""

    name: str
    counts: Mapping[Verdict, int]
    furthest: Field

    @property
    def count(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, kw_only=True)
class Parity:
    """A model here beside what a service answered.

    `failed` are exchanges that could not be compared, in sentences; `notes` are on the whole.
    """

    rows: tuple[Row, ...]
    failed: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    tolerances: Tolerances = Tolerances()
    model: str = ""
    fingerprint: str = ""
    method: str = ""
    program: str = ""
    tensorflow: str = ""

    @property
    def agrees(self) -> bool:
        """Whether there is an answer, and nothing differs beyond the tolerance or has failed."""
        differs = any(row.verdict is Verdict.DIFFERS for row in self.rows)
        return bool(self.rows) and not differs and not self.failed

    @property
    def kinds(self) -> list[Kind]:
        """The kinds of fields, in the order in which they stand in an answer."""
        found: dict[str, list[Field]] = {}
        for row in self.rows:
            for it in row.fields:
                found.setdefault(it.kind, []).append(it)
        return [
            Kind(
                name=name,
                counts=Counter(it.verdict for it in some),
                furthest=max(some, key=lambda it: 1.0 if it.difference is None and
                             it.verdict is Verdict.DIFFERS else it.difference or 0.0),
            )
            for name, some in found.items()
        ]  # fmt: skip

    @property
    def verdict(self) -> tuple[str, ...]:
        """What follows, in sentences."""
        return tuple(_sentences(self))

    def document(self) -> dict[str, Any]:
        """Return all of it but the pictures, as JSON values; NaN is written as null."""
        return {
            "version": VERSION,
            "agrees": self.agrees,
            "verdict": list(self.verdict),
            "notes": list(self.notes),
            "model": self.model,
            "fingerprint": self.fingerprint,
            "method": self.method,
            "pellucid": self.program,
            "tensorflow": self.tensorflow,
            "tolerances": asdict(self.tolerances),
            "count": len(self.rows),
            "kinds": {
                it.name: {
                    **{verdict.value: it.counts.get(verdict, 0) for verdict in Verdict},
                    "furthest": _field(it.furthest),
                }
                for it in self.kinds
            },
            "reasons": [asdict(it) for it in self.reasons],
            "answers": [
                {
                    "name": row.name,
                    "verdict": row.verdict.value,
                    "fields": [_field(it) for it in row.fields],
                }
                for row in self.rows
            ],
            "failed": list(self.failed),
        }

    def json(self) -> bytes:
        """Return the document as UTF-8 JSON."""
        return orjson.dumps(encodable_document(self.document()), option=_JSON)


def _field(it: Field) -> dict[str, Any]:
    return {**asdict(it), "verdict": it.verdict.value, "details": dict(it.details or {})}


def _sentences(found: Parity) -> Iterator[str]:
    count = len(found.rows)
    answers = "1 answer" if count == 1 else f"{count:,} answers"
    if not count:
        yield "No answer could be compared."
        return
    bad = [row for row in found.rows if row.verdict is Verdict.DIFFERS]
    if not bad:
        exact = all(row.verdict is Verdict.EXACT for row in found.rows)
        how = "to 1e-06" if exact else f"within {found.tolerances.numbers:g}"
        sampled = any(row.verdict is Verdict.SAMPLING for row in found.rows)
        yield f"{answers}: all that was recorded is the same {how}{' or its error' * sampled}."
    else:
        verb = "differs" if len(bad) == 1 else "differ"
        yield f"{len(bad):,} of {answers} {verb} in {_listed(_kinds(bad))}."
    for it in found.reasons:
        yield _reason(it)


def _kinds(rows: Sequence[Row]) -> list[str]:
    kinds = (it.kind for row in rows for it in row.fields if it.verdict is Verdict.DIFFERS)
    return list(dict.fromkeys(kinds))


def _reason(it: Reason) -> str:
    what = {"score": "scores", "baseline score": "baseline scores", "attribution": "attributions",
            "mask": "masks", "picture": "pictures"}[it.kind]  # fmt: skip
    if it.found:
        verb = "brings" if len(it.said) == 1 and " steps" not in it.said[0] else "bring"
        said = " and ".join(it.said)
        return (
            f"{said[:1].upper()}{said[1:]} {verb} the {what} together (the largest difference is "
            f"{it.after:.2g}, and was {it.before:.2g})."
        )
    more = ""
    if it.kind == "score":
        more = ": the model itself answers otherwise"
    tried = f" (tried: {', '.join(it.tried)})" if it.tried else ""
    return f"No setting explains that {what} differ by {it.before:.2g}{more}{tried}."


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
