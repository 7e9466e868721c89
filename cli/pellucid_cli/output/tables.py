"""Explanations at a glance: tables and small maps to read on a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from pellucid.printable import printable
from pellucid_cli.output.colored_text import on_grounds

if TYPE_CHECKING:
    from pellucid import Explanations, LabelAttribution, Neighbor
    from pellucid.metadata import ExplanationMetadata
    from pellucid.model import Array
    from pellucid.visualize import Series
    from pellucid.visualize import Text as Words

MOST = 12
# A vector or a text of more parts is not listed part by part.
LONGEST = 1024
# A feature with at least so many rows and columns is shown as a picture.
PICTURE = 8


def table(explanations: Explanations) -> str:
    """Return the features of each explanation with their share of the change, largest first."""
    from pellucid.visualize import series_of, texts

    terminal = sys.stdout is not None and sys.stdout.isatty()
    text = io.StringIO()
    # Off a terminal: wide enough not to cut, and no colour codes unless they are forced.
    console = Console(file=text, force_terminal=terminal or None, width=100, highlight=False)
    for number, explanation in enumerate(explanations):
        source = explanations.instances[number].place
        if explanation.neighbors is not None:
            said = explanations.predicted(number)
            title = f"{source}: {said + '; ' if said else ''}nearest examples"
            console.print(Text(printable(title), "bold"), soft_wrap=True)
            console.print(_neighbors(explanation.neighbors))
        for label in explanation.labels:
            called = f"{label.output} {label.name}" if label.name else label.called
            title = (
                f"{source}: {called} = {label.score:.4g} "
                f"(baseline {label.baseline_score:.4g}, {label.quality})"
            )
            console.print(Text(printable(title), "bold"), soft_wrap=True)
            if kept := explanations.instances[number].columns:
                said = ", ".join(f"{name} {value}" for name, value in kept.items())
                console.print(Text(printable(f"kept: {said}")), soft_wrap=True)
            given = explanations.instances[number].value
            written = texts(explanation, label, explanations.metadata, given)
            for words in written:
                if len(words.words) <= LONGEST:
                    console.print(on_grounds(words), soft_wrap=True)
            found = series_of(explanation, label, explanations.metadata)
            series = {it.feature: it for it in found}
            for part in _label(label, explanations.metadata, written, series):
                console.print(part)
            console.print()
    return text.getvalue()


def _label(
    label: LabelAttribution,
    metadata: ExplanationMetadata,
    written: Sequence[Words],
    series: Mapping[str, Series],
) -> Iterator[RenderableType]:
    """Yield a table of the features, then those that are pictures, drawn in characters."""
    from pellucid.visualize import character_picture

    grid = Table(box=None, padding=(0, 2, 0, 0))
    grid.add_column("feature")
    grid.add_column("attribution", justify="right")
    grid.add_column("")
    rows = sorted(_rows(label, metadata, written, series), key=lambda row: -abs(row[1]))
    largest = abs(rows[0][1]) if rows else 0.0
    for name, value, note, error in rows[:MOST]:
        bar = "█" * round(20 * abs(value) / largest) if largest else ""
        # As `Text`: in a plain string Rich takes what stands in brackets for its own markup.
        off = "" if error is None else f" ± {error:.2g}"
        grid.add_row(Text(printable(name)), f"{value:+.4g}{off}", f"{bar} {note}".strip())
    if len(rows) > MOST:
        rest = sum(value for _, value, *_ in rows[MOST:])
        grid.add_row(f"{len(rows) - MOST} others", f"{rest:+.4g}", "")
    yield grid
    for name, attribution in label.features.items():
        if (
            name not in series
            and attribution.ndim in (2, 3)
            and min(attribution.shape[:2]) >= PICTURE
        ):
            yield Text(character_picture(attribution))


def _neighbors(neighbors: Sequence[Neighbor]) -> Table:
    """Return a table of examples with their distances, nearest first."""
    grid = Table(box=None, padding=(0, 2, 0, 0))
    grid.add_column("example")
    grid.add_column("distance", justify="right")
    for neighbor in neighbors:
        grid.add_row(Text(printable(neighbor.id)), f"{neighbor.distance:.4g}")
    return grid


def _rows(
    label: LabelAttribution,
    metadata: ExplanationMetadata,
    written: Sequence[Words],
    series: Mapping[str, Series],
) -> Iterator[tuple[str, float, str, float | None]]:
    """Yield (name, attribution, note, error): elements of vectors, channels of series, or a whole.

    The error is that of the attribution, None where it is not known.
    """
    from pellucid.explain import element_name, element_names

    texts = {it.feature: it for it in written}
    for name, value in label.features.items():
        if name in texts and value.ndim == 1:
            own = f"{name}: " * (len(label.features) > 1)
            text = texts[name]
            errors = _each(text.errors, len(text.words))
            parts = zip(text.words, text.attributions.tolist(), errors, strict=True)
            yield from ((own + word, part, "", error) for word, part, error in parts)
        elif name in series:
            yield from _channels(series[name])
        elif value.size == 1:
            yield name, float(value.sum()), "", _each(label.errors.get(name), 1)[0]
        elif value.ndim == 1 and value.size <= LONGEST:
            names = element_names(metadata, name, value)
            errors = _each(label.errors.get(name), value.size)
            for i, (part, error) in enumerate(zip(value.tolist(), errors, strict=True)):
                if part:
                    called = element_name(name, (i,), value.size) if names is None else names[i]
                    yield called, part, "", error
        else:
            positive = float(value[value > 0].sum())
            shape = "×".join(map(str, value.shape))
            yield (
                name,
                float(value.sum()),
                f"{shape}: {positive:+.3g} and {value.sum() - positive:+.3g}",
                None,
            )


def _each(errors: Array | None, count: int) -> list[float | None]:
    """Return the error of each element, None where it is not known."""
    known = [None] * count if errors is None else errors.ravel().tolist()
    return [None if it is None or it != it else it for it in known]


def _channels(series: Series) -> Iterator[tuple[str, float, str, float | None]]:
    """Yield the total of each channel, and the step that counts most in it."""
    names, each = series.names, series.attributions.T
    if series.shared_by_channels:
        names, each = (series.feature,), series.time_totals[None]
    for name, weights in zip(names, each, strict=True):
        step = int(abs(weights).argmax())
        most = "" if series.shared_by_steps else f"most in step {step}: {weights[step]:+.3g}"
        yield name, float(weights.sum()), most, None
