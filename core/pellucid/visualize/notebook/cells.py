"""Explanations as a piece of HTML that needs nothing else, below the cell of a notebook.

It takes its letters and its ground from the notebook, light or dark. Styles stand in the elements,
since notebooks that are not trusted are shown without style sheets.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from pellucid.examples import Neighbor
from pellucid.explain import Explanation, Results
from pellucid.model import Array
from pellucid.printable import printable
from pellucid.visualize.colormaps import AGAINST, FOR
from pellucid.visualize.figures import Shown, View
from pellucid.visualize.image_overlays import Drawing
from pellucid.visualize.named_parts import Part
from pellucid.visualize.notebook.pictures import beginning
from pellucid.visualize.panel import encode, framed, number, title_text
from pellucid.visualize.text_highlight import marked_words
from pellucid.visualize.waterfall import known_error, largest

INSTANCES, LABELS, WORDS = 10, 3, 1000
"""What is shown at most: instances, labels of each, and words of a text."""

# Pictures have their longer side in this span; what has so few colours is smaller as PNG.
_SHORTEST, _LONGEST, _FEW = 128, 256, 4096
_FAINT = "opacity: .7"


def cell(results: Results) -> str:
    """Return explanations as HTML: of each, the labels with their scores, and what counted."""
    count = len(results)
    method = results.parameters.method.caption(None)
    said = f"{count:,} instance{'s' * (count != 1)} by {method}"
    first = Shown(results, 0, results[0].labels[0]) if count and results[0].labels else None
    if first is not None and (first.parts() or first.texts()):
        said += "; green counted for the label, pink against it"
    parts = [f'<div style="{_FAINT}; margin-bottom: .5em">{_text(said)}</div>']
    parts += [_instance(results, i) for i in range(min(count, INSTANCES))]
    if count > INSTANCES:
        more = f"… and {count - INSTANCES:,} more instances, which to_pandas() has"
        parts.append(f'<div style="{_FAINT}">{more}</div>')
    return f'<div style="line-height: 1.4; max-width: 60em">{"".join(parts)}</div>'


def _text(text: str) -> str:
    return escape(printable(text))


def _instance(results: Results, i: int) -> str:
    explanation, instance = results[i], results.instances[i]
    parts = [f'<div style="{_FAINT}">{_text(instance.place)}</div>']
    parts += (
        _label(Shown(results, i, it), first=not place)
        for place, it in enumerate(explanation.labels[:LABELS])
    )
    if more := len(explanation.labels) - LABELS:
        parts += [_aside(f"… and {more:,} more labels")] * (more > 0)
    if explanation.neighbors is not None:
        parts.append(_neighbors(explanation, results.predicted(i)))
    return f'<div style="margin: 0 0 1.25em">{"".join(parts)}</div>'


def _label(shown: Shown, *, first: bool) -> str:
    title = title_text(shown.label)
    quality = f"baseline {number(shown.label.baseline_score)}, {shown.label.quality}"
    parts = [
        f'<div style="margin-top: .25em"><b>{_text(title)}</b> '
        f'<span style="{_FAINT}">&nbsp;{_text(quality)}</span></div>'
    ]
    drawings = shown.drawings(View())
    parts += (_pictures(name, it, title, first=first) for name, it in drawings.items())
    for text in shown.texts():
        cut, more = beginning(text, WORDS)
        parts.append(
            '<div dir="auto" lang="" style="white-space: pre-wrap; overflow-wrap: anywhere; '
            "line-height: 1.9; color: #202124; background: #fff; padding: .25em .75em; "
            f'border-radius: .3em; margin: .25em 0">{marked_words(cut)}</div>'
        )
        parts += [_aside(more)] * bool(more)
    for name, series in shown.series().items():
        said = f"{name}: what counted for {title}"
        picture = base64.b64encode(encode(series.overlay, "png")).decode()
        parts.append(
            f'<img alt="{_text(said)}" src="data:image/png;base64,{picture}" '
            'style="display: block; max-width: 100%">'
        )
    if named := shown.parts():
        parts.append(_bars(largest(named)))
    return "".join(parts)


def _pictures(name: str, drawing: Drawing, title: str, *, first: bool) -> str:
    """Return the overlay of a picture; beside that of the first label stands the picture itself."""
    both = {name: drawing.image, f"{name}: what counted for {title}": drawing.overlay}
    images = "".join(
        f'<img alt="{_text(said)}" src="{_data(it)}" '
        'style="margin: .25em .5em .25em 0; display: inline-block">'
        for said, it in [*both.items()][not first :]
    )
    notes = [drawing.empty, drawing.said and f"chosen for this picture: {drawing.said}"]
    said = "; ".join(it for it in notes if it)
    return f"<div>{images}</div>{_aside(said) if said else ''}"


def _data(pixels: Array) -> str:
    picture = np.asarray(framed(pixels, _SHORTEST, _LONGEST))
    few = len(np.unique(picture.reshape(-1, 3), axis=0)) < _FEW
    form = "png" if few else "jpeg"
    return f"data:image/{form};base64,{base64.b64encode(encode(picture, form)).decode()}"


def _bars(parts: Sequence[Part]) -> str:
    """Return a bar for each part: to the right for, to the left against; as wide as the largest."""
    weights = [part.attribution for part in parts]
    low, high = min(0.0, *weights), max(0.0, *weights)
    span = (high - low) or 1.0
    rows = "".join(_bar(part, low, span) for part in parts)
    return (
        '<div style="display: grid; grid-template-columns: fit-content(20em) minmax(6em, 22em) '
        f'max-content; gap: .15em .75em; align-items: center; margin: .25em 0">{rows}</div>'
    )


def _bar(part: Part, low: float, span: float) -> str:
    begin = (min(0.0, part.attribution) - low) / span
    width = abs(part.attribution) / span
    red, green, blue = FOR if part.attribution >= 0 else AGAINST
    name = part.name if part.value is None else f"{part.name} = {part.value}"
    error = known_error(part.error)
    said = f"{part.attribution:+.3g}" + (f" ± {error:.1g}" if error else "")
    return (
        f'<div style="text-align: right; overflow-wrap: anywhere">{_text(name)}</div>'
        f'<div><div style="margin-left: {100 * begin:.1f}%; width: {100 * width:.1f}%; '
        f'min-width: 1px; height: .9em; background: rgb({red}, {green}, {blue})"></div></div>'
        f'<div style="font-variant-numeric: tabular-nums">{said}</div>'
    )


def _neighbors(explanation: Explanation, said: str | None) -> str:
    neighbors: Sequence[Neighbor] = explanation.neighbors or ()
    title = f"{said}; nearest examples" if said else "nearest examples"
    rows = "".join(_rows_of(neighbors[:INSTANCES]))
    more = len(neighbors) - INSTANCES
    return (
        f"<div><b>{_text(title)}</b></div>"
        '<div style="display: grid; grid-template-columns: max-content max-content; '
        f'gap: 0 1em">{rows}</div>{_aside(f"… and {more:,} more") if more > 0 else ""}'
    )


def _rows_of(neighbors: Sequence[Neighbor]) -> Iterator[str]:
    for it in neighbors:
        yield f"<div>{_text(it.id)}</div><div>{it.distance:.4g}</div>"


def _aside(said: str) -> str:
    return f'<div style="{_FAINT}; font-size: .9em">{_text(said)}</div>'
