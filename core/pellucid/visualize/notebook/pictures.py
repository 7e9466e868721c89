"""One picture of one instance: what a notebook shows where it shows no HTML."""

from __future__ import annotations

from dataclasses import replace

from pellucid.explain import Results
from pellucid.model import Array
from pellucid.visualize.figures import Shown, View
from pellucid.visualize.grid import Cell, grid
from pellucid.visualize.named_parts import Text
from pellucid.visualize.panel import encode
from pellucid.visualize.text_highlight import Section, picture

WORDS = 300
"""Words of a text that are drawn, from the first."""


def first_picture(results: Results) -> bytes | None:
    """Return the best label of the first instance as a PNG file, None where nothing is drawn."""
    if not results.items or not results[0].labels:
        return None
    found = pictures(Shown(results, 0, results[0].labels[0]))
    if not found:
        return None
    if len(found) == 1:
        return encode(found[0], "png")
    return encode(grid([Cell(picture=it, finished=True) for it in found], columns=1), "png")


def pictures(shown: Shown) -> list[Array]:
    """Return all that can be drawn of a label: panels, words, series, and a chart of the rest."""
    found = [drawing.panel() for drawing in shown.drawings(View()).values()]
    found += [text_picture(shown, text) for text in shown.texts()]
    found += [drawing.overlay for drawing in shown.series().values()]
    return [*found, *([shown.waterfall()] if shown.parts() else [])]


def text_picture(shown: Shown, text: Text) -> Array:
    """Return the beginning of a text as a picture, under the label and how it was explained."""
    cut, more = beginning(text, WORDS)
    subtitle = f"{shown.subtitle}\n{more}" if more else shown.subtitle
    return picture(Section(text=cut, title=shown.title, subtitle=subtitle))


def beginning(text: Text, most: int) -> tuple[Text, str]:
    """Return the first words of a text, and how many more there are, in words."""
    more = len(text.words) - most
    if more <= 0:
        return text, ""
    cut = replace(
        text,
        words=text.words[:most],
        gaps=text.gaps[:most],
        attributions=text.attributions[:most],
        rest="",
    )
    return cut, f"… {more:,} more words"
