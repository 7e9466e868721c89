"""The page of two models: what moved, and the instances that moved furthest side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pellucid.comparison.diff.pictured import Pictured
from pellucid.comparison.diff.result import Compared, Diff
from pellucid.comparison.diff.shifts import Shift
from pellucid.comparison.diff.verdict import percent, points
from pellucid.comparison.page.parts import table
from pellucid.evaluate import Interval, short
from pellucid.evaluate.page import (
    Markup,
    bar,
    facts,
    framed,
    ground,
    joined,
    levels,
    name_of,
    pressed,
    section,
    tag,
)
from pellucid.model import Array
from pellucid.visualize import draw_change, draw_ranks

SHOWN_SHARE = 30
"""So many percent of the pixels are coloured, those that rank highest."""
MOST_SHIFTS, MOST_FLIPS, MOST_ELEMENTS, MOST_WORDS = 20, 100, 12, 300
WHO = {"first": "A failed", "second": "B failed", "both": "both failed", "class": "no such class"}
ROUNDED = 0.02
"""The change between two maps is blurred by this part of their side: seen, it is not pixels."""


def diff_page(found: Diff) -> bytes:
    """Return the page, UTF-8: one file, opened from disk, with nothing fetched."""
    count = f"{found.count:,} instance{'s' * (found.count != 1)}"
    failed = f", {len(found.failed):,} not compared" if found.failed else ""
    return framed(
        title=f"{found.made.first} and {found.made.second}",
        heading=[name_of(found.made.first), " and ", name_of(found.made.second)],
        counts=f"Two models, on {count}{failed}. A is the first, B the second.",
        verdict=found.verdict,
        notes=found.notes,
        sections=_sections(found),
        made=[
            facts(
                [
                    ("A", found.made.first),
                    ("B", found.made.second),
                    ("Fingerprints", ", ".join(it for it in found.made.fingerprints if it)),
                    ("Controls", ", ".join(it.made.second for it in found.controls)),
                    ("Method", found.made.method),
                    ("Seed", str(found.made.seed)),
                    ("Pellucid", found.made.program),
                    ("TensorFlow", found.made.tensorflow),
                ]
            )
        ],
        files=["Every instance’s numbers are in diff.json."],
    )


def _sections(found: Diff) -> Iterator[Markup]:
    if not found.count:
        yield from _failed(found)
        return
    yield section("Numbers", _numbers(found))
    if found.shifts and not found.same:
        said = (
            "Shares of Σ |attribution|, averaged over the instances that have the element; the "
            "change with its 95 % interval. What is bold is told from none among all elements."
        )
        yield section(
            "What counts more, and what less", tag("p", said, class_="soft"), _shifts(found.shifts)
        )
    if found.shown and not found.same:
        yield from _movers(found)
    if found.flips:
        yield _flips(found)
    yield from _failed(found)


def _numbers(found: Diff) -> Markup:
    rows: list[Sequence[str]] = []
    runs = [found, *found.controls]
    for name, said in (
        ("flips", "predictions that flip"),
        ("moved", "attribution that lies elsewhere"),
        ("score", "change of the explained score"),
        ("rank", "rank correlation of attributions"),
        ("cosine", "cosine of attributions"),
    ):
        share = name in ("flips", "moved")
        rows.append([said, *(_written(it.mean(name), share=share) for it in runs)])
    heads = [
        "mean, with its 95 % interval",
        "B",
        *(f"control {it.made.second}" for it in found.controls),
    ]
    return table(heads, rows, label="Numbers")


def _written(it: Interval, *, share: bool) -> str:
    if it.mean is None:
        return "–"
    write = percent if share else short
    said = write(it.mean)
    if it.low is not None and it.high is not None:
        said += f" ({write(it.low)} to {write(it.high)})"
    return said


def _shifts(shifts: Sequence[Shift]) -> Markup:
    largest = max((abs(it.second - it.first) for it in shifts), default=0.0) or 1.0
    rows: list[Sequence[str]] = []
    for it in shifts[:MOST_SHIFTS]:
        change = points(it.second - it.first)
        low, high = it.change.low, it.change.high
        ends = "" if low is None or high is None else f" ({points(low)} to {points(high)})"
        said = tag("b", change) if it.sure else change
        across = bar((it.second - it.first) / largest)
        cell = joined([across, said, tag("small", ends)])
        rows.append([it.name, percent(it.first), percent(it.second), cell, f"{it.change.n:,}"])
    heads = ["element", "A", "B", "points more in B", "instances"]
    made = [table(heads, rows, label="Elements", kind="bars")]
    if len(shifts) > MOST_SHIFTS:
        made.append(tag("p", f"{len(shifts) - MOST_SHIFTS:,} more moved less.", class_="soft"))
    return joined(made)


def _movers(found: Diff) -> Iterator[Markup]:
    rows = {it.number: it for it in found.instances}
    if any(it.picture is not None for it in found.shown):
        said = (
            f"Maps are drawn alike: the {SHOWN_SHARE} % of the pixels that rank highest. The last "
            "picture is the change: green where B has a larger share of the attribution, pink "
            "where A has. Choose a picture to make it large."
        )
    else:
        said = "Bars and colours are scaled by the largest attribution of each model."
    cases = [_mover(it, rows[it.number]) for it in found.shown if it.number in rows]
    yield section("Where attributions moved furthest", tag("p", said, class_="soft"), *cases)


def _mover(shown: Pictured, row: Compared) -> Markup:
    said = f"{percent(row.moved)} lies elsewhere; score {short(row.first.score)} in A, "
    said += f"{short(row.second.score)} in B"
    head: list[str] = [name_of(row.first.label)]
    if row.flipped:
        head += [", which B takes for ", name_of(row.second.label)]
    facts = tag("p", head, ": ", said, class_="soft")
    body: list[Markup] = []
    if shown.picture is not None and shown.maps is not None:
        body.append(tag("div", _tiles(shown.picture, *shown.maps), class_="tiles"))
    if shown.words is not None:
        body.append(tag("dl", *map(_text, "AB", shown.words), class_="words"))
    if shown.elements:
        body.append(_bars(shown))
    return tag("section", tag("h3", name_of(row.name)), facts, body, class_="case")


def _tiles(picture: Array, first: Array, second: Array) -> Iterator[Markup]:
    yield pressed(picture, "the picture", "as A sees it", control=False)
    yield pressed(draw_ranks(first, picture, SHOWN_SHARE), "A", "", control=False)
    yield pressed(draw_ranks(second, picture, SHOWN_SHARE), "B", "", control=False)
    change = _change(first, second)
    if change is not None:
        said = "green: more in B"
        yield pressed(draw_change(change, picture), "change", said, control=False)


def _change(first: Array, second: Array) -> Array | None:
    """Return how much more of Σ |attribution| lies at each pixel in B; None of other sizes."""
    from scipy.ndimage import gaussian_filter

    if first.shape != second.shape:
        return None
    shares = [np.abs(it) / (np.abs(it).sum() or 1.0) for it in (first, second)]
    return np.asarray(gaussian_filter(shares[1] - shares[0], ROUNDED * max(first.shape)))


def _text(name: str, words: tuple[Sequence[str], Array]) -> Markup:
    parts: list[str] = []
    for word, level in list(zip(words[0], levels(words[1]), strict=True))[:MOST_WORDS]:
        parts += [tag("span", word, class_=ground(level)), " "]
    if len(words[0]) > MOST_WORDS:
        parts.append(f"… {len(words[0]) - MOST_WORDS:,} more")
    return joined([tag("dt", tag("b", name)), tag("dd", parts)])


def _bars(shown: Pictured) -> Markup:
    tops = [max((abs(it[i]) for it in shown.elements.values()), default=0.0) or 1.0 for i in (0, 1)]
    ranked = sorted(
        shown.elements.items(),
        key=lambda item: -abs(item[1][1] / tops[1] - item[1][0] / tops[0]),
    )
    rows: list[Sequence[str]] = [
        [name, *(joined([bar(it / top), short(it)]) for it, top in zip(values, tops, strict=True))]
        for name, values in ranked[:MOST_ELEMENTS]
    ]
    return table(["element", "A", "B"], rows, label="Attributions", kind="bars")


def _flips(found: Diff) -> Markup:
    rows: list[Sequence[str]] = [
        [it.name, it.first.label, short(it.first.score), it.second.label, short(it.second.score)]
        for it in found.flips[:MOST_FLIPS]
    ]
    heads = ["instance", "A says", "score in A", "B says", "score of A’s label in B"]
    made = [table(heads, rows, label="Predictions that flip")]
    if len(found.flips) > MOST_FLIPS:
        made.append(tag("p", f"{len(found.flips) - MOST_FLIPS:,} more flip.", class_="soft"))
    return section("Predictions that flip", *made)


def _failed(found: Diff) -> Iterator[Markup]:
    if not found.failed:
        return
    rows: list[Sequence[str]] = [[it.name, WHO[it.who], it.why] for it in found.failed[:MOST_FLIPS]]
    made = [table(["instance", "what", "why"], rows, label="What was not compared")]
    if len(found.failed) > MOST_FLIPS:
        made.append(tag("p", f"{len(found.failed) - MOST_FLIPS:,} more.", class_="soft"))
    yield section("What was not compared", *made)
