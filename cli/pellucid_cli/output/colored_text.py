"""A text on the terminal, each word on the ground that its attribution has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.color import Color
from rich.style import Style
from rich.text import Text

if TYPE_CHECKING:
    from pellucid.visualize import Text as Words


def on_grounds(text: Words) -> Text:
    """Return a text with its words on green for what speaks for the label, pink for the rest."""
    from pellucid.visualize import grounds

    line = Text()
    for gap, word, ground in zip(
        text.gaps, text.words, grounds(text.attributions).tolist(), strict=True
    ):
        line.append(gap)
        line.append(word, Style(color=Color.from_rgb(32, 33, 36), bgcolor=Color.from_rgb(*ground)))
    line.append(text.rest, "dim")
    return line
