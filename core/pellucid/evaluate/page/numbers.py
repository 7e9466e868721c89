"""The table: candidates by metrics, each number with its interval, drawn and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pellucid.evaluate.page.markup import Markup, name_of, tag
from pellucid.evaluate.result import Evaluation, Judged, short
from pellucid.evaluate.trial import Metric

ARROWS = {"higher": "↑ higher is better", "lower": "↓ lower is better"}
WIDTH, HEIGHT = 112, 10


def numbers(found: Evaluation) -> Markup:
    """Return the table of the metrics of which there are numbers."""
    metrics = [it for it in found.metrics if found.values.get(it.name)]
    best = {it.name: found.best(it.name) for it in metrics}
    head = [tag("th", f"n = {len(found.instances)}", scope="col")]
    for it in metrics:
        way = ARROWS.get(it.better or "", "neither way is better")
        link = tag("a", it.title, href=f"#means-{it.name}")
        head.append(tag("th", link, tag("small", way), scope="col"))
    bodies = []
    for control, said in ((False, ""), (True, "Maps that know nothing of the model")):
        rows = [
            tag("tr", tag("th", name_of(it.name), scope="row"), _cells(found, metrics, it, best))
            for it in found.candidates
            if it.control == control
        ]
        if said and rows:
            what = tag("th", tag("span", said), scope="rowgroup", colspan=len(metrics) + 1)
            rows.insert(0, tag("tr", what, class_="group"))
        bodies.append(tag("tbody", rows, class_="controls" if control else None))
    table = tag("table", tag("thead", tag("tr", head)), bodies, class_="numbers")
    return tag(
        "div", table, class_="wide", tabindex=0, role="region", aria_label="Candidates by metrics"
    )


def _cells(
    found: Evaluation, metrics: Sequence[Metric], judged: Judged, best: dict[str, str | None]
) -> Iterator[Markup]:
    for it in metrics:
        mean = found.mean(it.name, judged.name)
        if mean.mean is None:
            yield tag("td", "–")
            continue
        is_best = best[it.name] == judged.name
        parts = [tag("b", short(mean.mean), title="best") if is_best else short(mean.mean)]
        if is_best:
            parts.append(tag("span", " best", class_="unseen"))
        if mean.low is not None and mean.high is not None:
            parts.append(tag("small", f"{short(mean.low)} to {short(mean.high)}"))
        if mean.n < len(found.instances):
            parts.append(tag("small", f"n = {mean.n}"))
        yield tag("td", parts, _whisker(found, it, judged))


def _whisker(found: Evaluation, metric: Metric, judged: Judged) -> Markup:
    """Draw a mean and its interval between the least and the greatest of the column."""
    means = [found.mean(metric.name, it.name) for it in found.candidates]
    ends = [v for it in means for v in (it.low, it.mean, it.high) if v is not None]
    low, span = min(ends), (max(ends) - min(ends)) or 1.0

    def across(value: float) -> float:
        return round(5 + (WIDTH - 10) * (value - low) / span, 1)

    own = found.mean(metric.name, judged.name)
    drawn = []
    middle = HEIGHT / 2
    if own.low is not None and own.high is not None:
        drawn.append(tag("line", x1=across(own.low), x2=across(own.high), y1=middle, y2=middle))
    if own.mean is not None:
        drawn.append(tag("circle", cx=across(own.mean), cy=middle, r=3.5))
    box = f"0 0 {WIDTH} {HEIGHT}"
    return tag("svg", drawn, viewBox=box, class_="whisker", aria_hidden="true")
