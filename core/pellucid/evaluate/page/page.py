"""The page of an evaluation: one file, opened from disk, with nothing fetched.

What can be read stands there without JavaScript; the script makes pictures large and sets lines
off. Whatever files, classes and inputs are called is text, and never markup.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from pellucid.evaluate.page.cases import SHOWN_SHARE, cases, judged_by
from pellucid.evaluate.page.curves import curves
from pellucid.evaluate.page.frame import facts, framed, section
from pellucid.evaluate.page.markup import Markup, name_of, tag
from pellucid.evaluate.page.numbers import numbers
from pellucid.evaluate.result import Evaluation, Judged

ALIKE = (
    f"All maps are drawn alike, since what is judged is the order of the pixels: the {SHOWN_SHARE} "
    "% that rank highest are green, the higher the brighter. Choose a picture to make it large."
)

HOW_SURE = (
    "Means over the instances, with 95 % intervals by bootstrap. A number is bold where the "
    "interval of its paired difference from the next best is all on one side of zero."
)


def page_of(found: Evaluation) -> bytes:
    """Return the page, UTF-8."""
    model = found.provenance.model or "a model"
    own = (it for it in found.candidates if not it.control)
    return framed(
        title=f"May explanations of {model} be believed?",
        heading=["May explanations of ", name_of(model), " be believed?"],
        counts=_counts(found),
        verdict=found.verdict,
        notes=found.notes,
        sections=_sections(found),
        made=[_provenance(found), *map(_candidate, own)],
        files=[
            "Every instance’s number is in ", tag("code", "evaluation.json"),
            ", the curves are in ", tag("code", "curves.npz"),
            ", the maps in ", tag("code", "maps.npz"), ".",
        ],
    )  # fmt: skip


def _sections(found: Evaluation) -> Iterator[Markup]:
    yield section("Candidates by metrics", numbers(found), tag("p", HOW_SURE, class_="soft"))
    if found.curves:
        yield section("Curves", curves(found))
    yield _cases(found)
    yield section("What the metrics mean and cannot mean", _meanings(found))
    yield _missing(found)


def _counts(found: Evaluation) -> str:
    n, own = len(found.instances), sum(not it.control for it in found.candidates)
    instances = "1 instance" if n == 1 else f"{n:,} instances"
    who = "1 candidate" if own == 1 else f"{own} candidates"
    return f"{who} beside {len(found.candidates) - own} controls, on {instances}"


def _cases(found: Evaluation) -> Markup:
    metric, sections = judged_by(found), cases(found)
    if metric is None or not sections:
        return Markup("")
    said = f"By {found.metric(metric).title}, the best candidate is farthest from the worst here. "
    if found.kind == "picture":
        said += ALIKE
    else:
        said += "Bars and colours are scaled by the largest of a candidate's own attributions."
    return section("Where candidates disagree most", tag("p", said, class_="soft"), *sections)


def _meanings(found: Evaluation) -> Markup:
    parts = []
    for it in (it for it in found.metrics if found.values.get(it.name)):
        parts.append(tag("dt", it.title, id=f"means-{it.name}"))
        parts.append(tag("dd", tag("p", it.means), tag("p", it.cannot, class_="soft")))
    return tag("dl", parts, class_="meanings")


def _missing(found: Evaluation) -> Markup:
    """Return what was not taken, and why: together where the reason is the same."""
    together: dict[tuple[str, str, int], list[str]] = {}
    titles = {it.name: it.title for it in found.metrics}
    for it in found.left_out:
        metric = titles.get(it.metric, it.metric)
        together.setdefault((it.candidate, it.reason, it.count), []).append(metric)
    if not together:
        return Markup("")
    rows = []
    for (candidate, reason, count), metrics in together.items():
        what = "; ".join(filter(None, metrics)) or "all metrics"
        who = name_of(candidate) if candidate else "everyone"
        some = "all" if count >= len(found.instances) else f"{count:,}"
        rows.append(tag("tr", (tag("td", part) for part in (what, who, some, reason))))
    head = [tag("th", it, scope="col") for it in ("Metric", "Of whom", "Instances", "Why")]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), class_="plain")
    wide = tag(
        "div", table, class_="wide", tabindex=0, role="region", aria_label="What was left out"
    )
    return section("What was left out", wide)


def _candidate(judged: Judged) -> Markup:
    # Not by orjson: names of files may hold bytes that are no text.
    settings = json.dumps(dict(judged.settings), ensure_ascii=False, default=str)
    parts: list[str] = [tag("p", tag("code", settings))]
    parts += [tag("p", it, class_="note") for it in judged.warnings]
    failed = [tag("li", f"instance {number + 1}: {why}") for number, why in judged.failed.items()]
    if failed:
        parts.append(tag("p", f"Failed on {len(failed):,} instances:", class_="note"))
        parts.append(tag("ul", failed[:20], tag("li", "…") if len(failed) > 20 else ""))
    said = f": {judged.caption}" if judged.caption and judged.caption != judged.name else ""
    marks = len(judged.warnings) + len(failed)
    also = tag("span", f" {marks} remarks" if marks > 1 else " 1 remark", class_="warn")
    return tag("details", tag("summary", name_of(judged.name), said, also if marks else ""), parts)


def _provenance(found: Evaluation) -> Markup:
    it = found.provenance
    return facts(
        (
            ("Model", it.model),
            ("Fingerprint", it.fingerprint),
            ("Output", it.output),
            ("Rather than", it.why_not),
            ("Baseline", it.baseline),
            ("Stages", str(it.stages)),
            ("Repeats", it.repeats),
            ("Seed", str(it.seed)),
            ("Pellucid", it.program),
            ("TensorFlow", it.tensorflow),
        )
    )
