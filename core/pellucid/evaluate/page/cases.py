"""The instances on which candidates disagree most, their maps side by side.

All maps of a picture are drawn alike: what is judged is the order of the pixels, so the colour is
the rank, and what is shown the tenths that rank highest. A table has a bar for each element, a text
its words on grounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from pellucid.evaluate.page.markup import Markup, joined, name_of, tag
from pellucid.evaluate.page.tiles import bar, ground, levels, pressed
from pellucid.evaluate.result import Evaluation, Instance, Judged, Shown, short
from pellucid.evaluate.trial import leading
from pellucid.model import Array

SHOWN_SHARE = 30
"""So many percent of the pixels are coloured, those that rank highest."""
MOST_ELEMENTS, MOST_WORDS = 12, 300
_NUMBERED = re.compile(r"\[[\d,]+\]\Z")


def cases(found: Evaluation) -> list[Markup]:
    """Return a section for each instance that is shown."""
    rows = {it.number: it for it in found.instances}
    return [_case(found, it, rows[it.number]) for it in found.shown if it.number in rows]


def judged_by(found: Evaluation) -> str | None:
    """Return the metric whose numbers say on which instances candidates disagree."""
    return next(iter(leading(found.curves)), None)


def _case(found: Evaluation, shown: Shown, row: Instance) -> Markup:
    head = [tag("h3", name_of(row.name))]
    said = [f"score {short(row.score)}, of the baseline {short(row.baseline_score)}"]
    label = row.label or (f"output {list(row.output)}" if row.output else "")
    facts = [name_of(label), ": "] if label else []
    head.append(tag("p", facts, "; ".join(said), class_="soft"))
    order = [it for it in found.candidates if it.name in shown.maps or shown.number in it.failed]
    if shown.picture is not None:
        tiles = [_original(shown.picture), *(_tile(found, shown, it) for it in order)]
        body = tag("div", tiles, class_="tiles")
    elif found.kind == "text" and not all(map(_NUMBERED.search, shown.elements)):
        texts = [joined(_words(found, shown, it)) for it in order if not it.control]
        body = joined([tag("dl", texts, class_="words"), _controls(found, shown, order)])
    else:
        own = [it for it in order if not it.control]
        body = joined([_bars(found, shown, own), _controls(found, shown, order)])
    return tag("section", head, body, class_="case")


def _number(found: Evaluation, shown: Shown, judged: Judged) -> str:
    """Return the number of a candidate on one instance, or why there is none."""
    if shown.number in judged.failed:
        return f"failed: {judged.failed[shown.number]}"
    metric = judged_by(found)
    places = [i for i, it in enumerate(found.instances) if it.number == shown.number]
    if metric is None or not places or not found.has(metric, judged.name):
        return ""
    value = float(found.values[metric][judged.name][places[0]])
    return f"{found.metric(metric).title} {short(value)}" if np.isfinite(value) else ""


def _controls(found: Evaluation, shown: Shown, order: Sequence[Judged]) -> Markup:
    """Return the numbers of the maps that know nothing of the model."""
    said = [f"{it.name}: {_number(found, shown, it)}" for it in order if it.control]
    return tag("p", f"{'; '.join(said)}.", class_="soft") if said else Markup("")


def _original(picture: Array) -> Markup:
    return pressed(picture, "the picture", "", control=False)


def _tile(found: Evaluation, shown: Shown, judged: Judged) -> Markup:
    said = _number(found, shown, judged)
    if judged.name not in shown.maps or shown.picture is None:
        lines = (tag("b", name_of(judged.name)), tag("small", said))
        return tag("div", lines, class_="tile failed")
    from pellucid.visualize import draw_ranks

    drawn = draw_ranks(shown.maps[judged.name], shown.picture, SHOWN_SHARE)
    return pressed(drawn, judged.name, said, control=judged.control)


def _words(found: Evaluation, shown: Shown, judged: Judged) -> Iterator[Markup]:
    said = tag("small", _number(found, shown, judged))
    yield tag("dt", tag("b", name_of(judged.name)), " ", said)
    if judged.name not in shown.maps:
        return
    strengths = levels(shown.maps[judged.name])
    parts: list[str] = []
    for word, level in list(zip(shown.elements, strengths, strict=True))[:MOST_WORDS]:
        parts += [tag("span", word, class_=ground(level)), " "]
    if len(strengths) > MOST_WORDS:
        parts.append(f"… {len(strengths) - MOST_WORDS:,} more")
    yield tag("dd", parts)


def _bars(found: Evaluation, shown: Shown, order: Sequence[Judged]) -> Markup:
    """Return a table: what candidates gave the elements that one of them ranks high."""
    order = [it for it in order if it.name in shown.maps]
    scaled = {}
    for it in order:
        values = np.asarray(shown.maps[it.name], float)
        scaled[it.name] = values / (float(np.abs(values).max(initial=0)) or 1.0)
    own = [np.abs(it) for it in scaled.values()]
    height = np.max(own, axis=0) if own else np.zeros(len(shown.elements))
    rows = []
    for i in np.argsort(-height, kind="stable")[:MOST_ELEMENTS].tolist():
        cells = [
            tag("td", bar(scaled[it.name][i]), short(float(shown.maps[it.name][i]))) for it in order
        ]
        rows.append(tag("tr", tag("th", name_of(shown.elements[i]), scope="row"), cells))
    more = len(shown.elements) - len(rows)
    head = [tag("th", tag("span", "element", class_="unseen"), scope="col")]
    for it in order:
        head.append(
            tag("th", name_of(it.name), tag("small", _number(found, shown, it)), scope="col")
        )
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), class_="bars")
    below = [tag("p", f"{more:,} more elements count less to all of them.", class_="soft")]
    wide = tag("div", table, class_="wide", tabindex=0, role="region", aria_label="Attributions")
    return joined([wide, *(below if more else [])])
