"""A text on the terminal, each word on the ground that its attribution has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.color import Color
from rich.style import Style
from rich.text import Text

from pellucid_cli.streams import line

if TYPE_CHECKING:
    from pellucid.visualize import Text as Words


def on_grounds(text: Words) -> Text:
    """Return a text with its words on green for what speaks for the label, pink for the rest."""
    from pellucid.visualize import grounds

    made = Text()
    for gap, word, ground in zip(
        text.gaps, text.words, grounds(text.attributions).tolist(), strict=True
    ):
        made.append(lines(gap))
        made.append(
            lines(word), Style(color=Color.from_rgb(32, 33, 36), bgcolor=Color.from_rgb(*ground))
        )
    made.append(lines(text.rest), "dim")
    return made


def lines(text: str) -> str:
    """Return a text that goes over several lines as it is printed."""
    return "\n".join(map(line, text.split("\n")))
