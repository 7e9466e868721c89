"""The page of a model beside what a service answered: fields, and pictures side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pellucid.comparison.page.parts import table
from pellucid.comparison.parity import Field, Parity, Row, Verdict
from pellucid.evaluate import short
from pellucid.evaluate.page import Markup, facts, framed, name_of, pressed, section, tag

MOST_FIELDS, MOST_FAILED = 200, 100


def parity_page(found: Parity) -> bytes:
    """Return the page, UTF-8: one file, opened from disk, with nothing fetched."""
    count = f"{len(found.rows):,} answer{'s' * (len(found.rows) != 1)}"
    failed = f", {len(found.failed):,} not compared" if found.failed else ""
    return framed(
        title=f"{found.model} beside recorded answers",
        heading=[name_of(found.model), " beside recorded answers"],
        counts=f"{count}{failed}",
        verdict=found.verdict,
        notes=found.notes,
        sections=_sections(found),
        made=[
            facts(
                [
                    ("Model", found.model),
                    ("Fingerprint", found.fingerprint),
                    ("Method", found.method),
                    (
                        "Tolerance",
                        f"{found.tolerances.numbers:g}, of pictures {found.tolerances.pictures:g}",
                    ),
                    ("Pellucid", found.program),
                    ("TensorFlow", found.tensorflow),
                ]
            )
        ],
        files=["Every field is in parity.json."],
    )


def _sections(found: Parity) -> Iterator[Markup]:
    if found.rows:
        said = (
            "Differences are shares of the largest number; of pictures, 1 minus their structural "
            "similarity or minus the overlap of what is highlighted, whichever is more."
        )
        yield section("Fields", tag("p", said, class_="soft"), _kinds(found))
    cases = [_case(row) for row in found.rows if row.pictures]
    if cases:
        yield section("Pictures", *cases)
    fields = [(row, it) for row in found.rows for it in row.fields if it.verdict is Verdict.DIFFERS]
    if fields:
        yield section("What differs", *_differing(fields))
    if found.failed:
        rows: list[Sequence[str]] = [[it] for it in found.failed[:MOST_FAILED]]
        made = [table(["what was not compared"], rows, label="What was not compared")]
        more = len(found.failed) - MOST_FAILED
        if more > 0:
            made.append(tag("p", f"{more:,} more.", class_="soft"))
        yield section("What was not compared", *made)


def _kinds(found: Parity) -> Markup:
    rows: list[Sequence[str]] = []
    for it in found.kinds:
        counts = [str(it.counts.get(verdict, 0) or "–") for verdict in Verdict]
        far = "–" if it.furthest.difference is None else short(it.furthest.difference)
        rows.append([it.name, *counts, far, it.furthest.path])
    heads = ["field", *(it.value for it in Verdict), "largest difference", "where"]
    return table(heads, rows, label="Fields")


def _case(row: Row) -> Markup:
    parts: list[Markup] = [tag("h3", name_of(row.name))]
    details = {it.path: it for it in row.fields if it.kind == "picture"}
    for name, (recorded, ours, base) in row.pictures.items():
        said = _measures(details.get(name))
        tiles = [
            pressed(base, "the picture", "", control=False),
            pressed(recorded, "recorded", name, control=False),
            pressed(ours, "here", said, control=False),
        ]
        parts.append(tag("div", tiles, class_="tiles"))
    return tag("section", *parts, class_="case")


def _measures(it: Field | None) -> str:
    if it is None:
        return ""
    return ", ".join(f"{name} {short(value)}" for name, value in (it.details or {}).items())


def _differing(fields: Sequence[tuple[Row, Field]]) -> Iterator[Markup]:
    rows: list[Sequence[str]] = [
        [
            row.name, it.path, it.recorded, it.ours,
            "–" if it.difference is None else short(it.difference),
        ]
        for row, it in fields[:MOST_FIELDS]
    ]  # fmt: skip
    heads = ["answer", "field", "recorded", "here", "difference"]
    yield table(heads, rows, label="What differs")
    if len(fields) > MOST_FIELDS:
        yield tag("p", f"{len(fields) - MOST_FIELDS:,} more are in parity.json.", class_="soft")
