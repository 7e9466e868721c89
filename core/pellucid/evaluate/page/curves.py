"""The mean curves with their bands, drawn as SVG: axes, lines, and names where there is room."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from pellucid.evaluate.page.markup import Markup, name_of, tag
from pellucid.evaluate.result import Evaluation, short
from pellucid.evaluate.statistics import band
from pellucid.evaluate.trial import RANDOMIZATION
from pellucid.model import Array

WIDTH, HEIGHT = 400, 290
LEFT, RIGHT, TOP, BOTTOM = 42, 12, 12, 44
COLOURS, DASHES = 8, 4
LETTER, LINE = 6.6, 13
"""How wide a letter of a label is, about, and how high a line."""
ELEMENTS = {"picture": "pixels", "table": "columns", "text": "words"}


def curves(found: Evaluation) -> Markup:
    """Return the charts, and before them the key to all of their lines."""
    looks = dict(_looks(found))
    charts = [_chart(found, metric, own, looks) for metric, own in found.curves.items() if own]
    return tag("div", _key(found, looks), charts, class_="charts") if charts else tag("div")


def _looks(found: Evaluation) -> Iterator[tuple[str, str]]:
    """Yield the classes of each candidate's line: a colour, or grey for controls, and dashes."""
    own = [it.name for it in found.candidates if not it.control]
    for i, name in enumerate(own):
        yield name, f"k{i % COLOURS} d{i // COLOURS % DASHES}"
    for i, it in enumerate([it for it in found.candidates if it.control]):
        yield it.name, f"grey d{i % DASHES}"


def _key(found: Evaluation, looks: Mapping[str, str]) -> Markup:
    """Return a button for each candidate, which sets its lines off in every chart."""
    drawn = {name for own in found.curves.values() for name in own}
    items = []
    for i, it in enumerate(found.candidates):
        if it.name in drawn:
            line = tag("line", x1=1, x2=31, y1=6, y2=6)
            swatch = tag("svg", line, viewBox="0 0 32 12", class_="swatch", aria_hidden="true")
            what = tag(
                "button", swatch, name_of(it.name), type="button", class_=looks[it.name],
                data_candidate=i, aria_pressed="false", title=it.caption or it.name,
            )  # fmt: skip
            items.append(tag("li", what))
    said = tag(
        "p",
        "Means over the instances, with 95 % bands; grey lines have theirs where you point at them "
        "or choose them. Chosen lines are set off from the others.",
    )
    return tag("div", said, tag("ul", items), class_="key")


def _chart(
    found: Evaluation, metric: str, own: Mapping[str, Array], looks: Mapping[str, str]
) -> Markup:
    bands = {name: band(values, found.provenance.seed) for name, values in own.items()}
    bands = {name: it for name, it in bands.items() if np.isfinite(it).all()}
    if not bands:
        return tag("figure")
    points = len(next(iter(bands.values()))[0])
    across = (
        np.linspace(0.1, 0.9, points) if metric.startswith("road") else np.linspace(0, 1, points)
    )
    ticks = _ticks(bands.values())
    x = LEFT + across * (WIDTH - LEFT - RIGHT)
    low, high = ticks[0], ticks[-1]

    def down(values: Array | float) -> Array:
        share = (np.asarray(values, float) - low) / (high - low)
        return np.asarray(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM))

    lines, places = [], {it.name: i for i, it in enumerate(found.candidates)}
    for name, (mean, lower, upper) in reversed(bands.items()):  # the first lies on top
        edge = [*zip(x, down(upper), strict=True), *zip(x[::-1], down(lower)[::-1], strict=True)]
        lines.append(tag(
            "g",
            tag("path", d=f"{_path(edge)}Z", class_="band"),
            tag("path", d=_path(zip(x, down(mean), strict=True)), class_="mean"),
            class_=f"line {looks[name]}", data_candidate=places[name],
        ))  # fmt: skip
    labels = _labels(x, {name: down(it[0]) for name, it in bands.items()}, looks, places)
    title = found.metric(metric).title
    svg = tag(
        "svg", _axes(ticks, down, _across(found, metric)), lines, labels,
        viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=_said(found, metric, title),
    )  # fmt: skip
    return tag("figure", tag("figcaption", title), svg)


def _across(found: Evaluation, metric: str) -> str:
    what = ELEMENTS.get(found.kind, "elements")
    for start, said in (
        ("insertion", f"{what} put into the baseline, highest first"),
        ("deletion", f"{what} replaced by the baseline, highest first"),
        ("road", f"{what} filled in, highest first"),
        (RANDOMIZATION, "weights drawn anew, from the output down"),
    ):
        if metric.startswith(start):
            return said
    return "information of the picture"


def _said(found: Evaluation, metric: str, title: str) -> str:
    """Return a chart in words: the numbers that its curves come to."""
    means = [
        f"{it.name} {short(mean)}"
        for it in found.candidates
        if (mean := found.mean(metric, it.name).mean) is not None
    ]
    return f"Mean curves of {title}. Areas: {', '.join(means)}. The table has their intervals."


def _ticks(bands: Iterable[Array]) -> list[float]:
    """Return round numbers from below the least to above the greatest that is drawn."""
    values = np.concatenate([np.ravel(it) for it in bands])
    low, high = min(0.0, float(values.min())), float(values.max())
    if high - low < 1e-12:
        high = low + 1.0
    raw = (high - low) / 4
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * it for it in (1, 2, 2.5, 5, 10) if size * it >= raw * 0.999)
    first, last = math.floor(low / step + 1e-6), math.ceil(high / step - 1e-6)
    return [it * step for it in range(first, last + 1)]


def _axes(ticks: Sequence[float], down: Callable[[float], Array], across: str) -> Markup:
    parts = []
    for it in ticks:
        y = round(float(down(it)), 1)
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
        parts.append(tag("text", f"{it:.4g}".replace("-", "−"), x=LEFT - 7, y=y + 4, class_="end"))
    for share in (0, 25, 50, 75, 100):
        x = LEFT + share / 100 * (WIDTH - LEFT - RIGHT)
        place = {0: "start", 100: "end"}.get(share, "middle")
        parts.append(tag("text", f"{share} %", x=x, y=HEIGHT - BOTTOM + 17, class_=place))
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    parts.append(tag("text", across, x=middle, y=HEIGHT - 7, class_="middle"))
    return tag("g", parts, class_="axes")


def _path(points: Iterable[tuple[float, float]]) -> str:
    steps = [f"{x:.1f} {y:.1f}" for x, y in points]
    return f"M{'L'.join(steps)}"


def _labels(
    x: Array, means: Mapping[str, Array], looks: Mapping[str, str], places: Mapping[str, int]
) -> Iterator[Markup]:
    """Yield the names of lines where these are far enough from all others to be told apart."""
    grid = np.linspace(x[0], x[-1], 91)
    heights = {name: np.interp(grid, x, it) for name, it in means.items()}
    taken: list[tuple[float, float, float]] = []
    for name, own in heights.items():
        text = name if len(name) <= 18 else f"{name[:17]}…"
        half = len(text) * LETTER / 2
        found = []
        for i, middle in enumerate(grid):
            if middle - half < LEFT or middle + half > WIDTH - RIGHT:
                continue
            under = (grid >= middle - half) & (grid <= middle + half)
            for base in (own[under].min() - 5, own[under].max() + LINE - 1):
                if TOP + 9 <= base <= HEIGHT - BOTTOM - 3 and abs(base - own[i]) < 24:
                    found.append(
                        (_room(base, under, name, heights), -abs(base - own[i]), middle, base)
                    )
        for room, _, middle, base in sorted(found, reverse=True):
            free = all(abs(base - b) > LINE or abs(middle - m) > half + h + 4 for m, b, h in taken)
            if room >= 3 and free:
                taken.append((middle, base, half))
                yield tag(
                    "text", text, x=round(middle, 1), y=round(float(base), 1),
                    class_=f"name middle {looks[name]}", data_candidate=places[name],
                )  # fmt: skip
                break


def _room(base: float, under: Array, name: str, heights: Mapping[str, Array]) -> float:
    """Return how far the nearest other line is from a label at most; 12 is as good as more."""
    top, bottom = base - LINE + 3, base + 3
    nearest = 12.0
    for other, values in heights.items():
        if other != name:
            part = values[under]
            nearest = min(nearest, float(np.maximum(part - bottom, top - part).min()))
    return nearest
