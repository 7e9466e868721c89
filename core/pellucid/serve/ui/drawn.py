"""What the page shows of an explanation, and the files that it saves of it."""

from __future__ import annotations

import base64
from dataclasses import fields
from typing import Any

from pellucid.api import Explanations
from pellucid.explain import LabelAttribution
from pellucid.metadata import METHODS, Visualization
from pellucid.notices import Advice
from pellucid.responses import encode
from pellucid.visualize import (
    Part,
    SeriesDrawing,
    Shown,
    Text,
    largest,
    parts,
    texts,
)
from pellucid.visualize import encode as encode_picture

WORDS = 10
"""Words of a text that are listed with their numbers, the largest first."""
CONTROLS = {
    **{it.effort.setting: it.effort.setting.capitalize() for it in METHODS.values() if it.effort},
    "method": "Method",
    "top_k": "Labels",
}
"""The settings that people turn on the page, and what is written beside them there."""


def drawn(explanations: Explanations, number: int, visualization: Visualization) -> bytes:
    """Return the labels, and one of them drawn: over its picture, over time, as words, as bars.

    `number` is the label's place; one that is beyond them is the last. Raises InstanceError.
    """
    explanation = explanations[0]
    label = _label_of(explanations, number)
    answer: dict[str, Any] = {
        "labels": [_label(item) for item in explanation.labels],
        "warnings": [it.sentence(page_words) for it in explanation.warnings],
    }
    drawings = explanations.draw(0, label, visualization=visualization)
    if not drawings:
        given = explanations.instances[0].value
        found = texts(explanation, label, explanations.metadata, given)
        bars = parts(explanation, label, explanations.metadata)
        answer["texts"] = [_text(text) for text in found]
        answer["bars"] = [_bar(part) for part in largest(bars)] + _strongest(found)
        return encode(answer, indent=False)
    drawing = next(iter(drawings.values()))
    if isinstance(drawing, SeriesDrawing):
        series = {"overlay": _url(drawing.overlay), "width": drawing.overlay.shape[1]}
        return encode({**answer, **series}, indent=False)
    settings = drawing.visualization
    answer |= {
        "original": _url(drawing.image),
        "overlay": _url(drawing.overlay),
        "width": drawing.image.shape[1],
        "empty": drawing.empty,
        "visualization": {
            it.name: getattr(value, "value", value)
            for it in fields(settings)
            for value in [getattr(settings, it.name)]
        },
    }
    return encode(answer, indent=False)


def saved(
    explanations: Explanations, number: int, visualization: Visualization, form: str
) -> bytes:
    """Return a file to save: ``json``, the body of an answer to ``:explain``, or ``png``.

    The picture is that of the label at the place `number`. Raises InstanceError.
    """
    if form == "json":
        data, kind = explanations.json(), "application/json"
    else:
        data, kind = _picture(explanations, number, visualization), "image/png"
    label = _label_of(explanations, number).called if form == "png" else "explanation"
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in label)
    document = {"name": f"{safe}.{form}", "type": kind, "data": base64.b64encode(data).decode()}
    return encode(document, indent=False)


def page_words(setting: Advice) -> str:
    """Return a setting as the page names it, or as whoever runs the server does."""
    if setting.command:
        value = "" if setting.value is None else f" {setting.value}"
        return f"'{setting.name}'{value} of pellucid {setting.command.replace('_', '-')}"
    name = CONTROLS.get(setting.name)
    if name is None:
        value = "" if setting.value is None else f" {setting.value}"
        return f"'{setting.name}'{value} of the server"
    if setting.name == "method" and setting.value in METHODS:
        return f"{name}: {METHODS[setting.value].label}"
    return name if setting.value is None else f"{name}: {setting.value}"


def _label_of(explanations: Explanations, number: int) -> LabelAttribution:
    labels = explanations[0].labels
    return labels[min(number, len(labels) - 1)]


def _picture(explanations: Explanations, number: int, visualization: Visualization) -> bytes:
    """Return what can be seen of a label, as a PNG: the first of what `visualize` writes."""
    label = _label_of(explanations, number)
    drawings = explanations.draw(0, label, visualization=visualization)
    for drawing in drawings.values():
        return encode_picture(drawing.overlay, "png")
    shown = Shown(explanations, 0, label)
    for picture in shown.word_pictures().values():
        return encode_picture(picture, "png")
    return encode_picture(shown.waterfall(), "png")


def _label(label: LabelAttribution) -> dict[str, Any]:
    return {
        "name": label.called,
        "score": label.score,
        "baseline": label.baseline_score,
        "quality": label.quality,
    }


def _bar(part: Part) -> dict[str, Any]:
    return {"name": part.name, "given": part.value, "value": part.attribution}


def _text(text: Text) -> dict[str, Any]:
    weights = text.attributions.tolist()
    written = zip(text.gaps, text.words, weights, strict=True)
    return {
        "name": text.feature,
        "words": [{"gap": gap, "word": word, "value": value} for gap, word, value in written],
        "rest": text.rest,
    }


def _strongest(found: list[Text]) -> list[dict[str, Any]]:
    """Return the words of texts that contribute most, with their numbers."""
    words = [
        {"name": word, "given": None, "value": value}
        for text in found
        for word, value in zip(text.words, text.attributions.tolist(), strict=True)
        if value
    ]
    return sorted(words, key=lambda it: -abs(it["value"]))[:WORDS]


def _url(pixels: Any) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_picture(pixels, "png")).decode()
