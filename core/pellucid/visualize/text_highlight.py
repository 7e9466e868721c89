"""A text whose words are coloured by their attribution, as a picture and as a page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape

import numpy as np
from PIL import Image, ImageDraw

from pellucid.metadata import ColorMap, Polarity
from pellucid.model import Array
from pellucid.printable import escaped
from pellucid.visualize.colormaps import LEVELS, color_table
from pellucid.visualize.named_parts import Text
from pellucid.visualize.panel import (
    FAINT,
    INK,
    MARGIN,
    PAPER,
    heading,
    height_of,
    write_heading,
)
from pellucid.visualize.text_layout import (
    Piece,
    Placed,
    flowed,
    unwritable,
    width_of,
    write,
)

MOST = 10
"""Words that a page lists with their numbers, the largest first."""
MOST_LINES = 400
"""Lines that a picture has: more are too many to look at."""
EMPTY = "(the text is empty)"

# The darkest ground, on which dark letters still have a contrast of 5 to 1.
_DARKEST = 0.6
_SIZE, _ROW, _WIDTH = 17, 30, 760

_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto;
  padding: 0 1rem; color: CanvasText; background: Canvas; }}
h1 {{ font-size: 1.25rem; margin: 2rem 0 0; }}
.how {{ margin: 0 0 1rem; opacity: .75; }}
.text {{ white-space: pre-wrap; overflow-wrap: anywhere; line-height: 2; font-size: 1.05rem;
  color: #202124; background: #fff; padding: .5rem .75rem; border-radius: .3rem; }}
.text span {{ padding: .15em .1em; border-radius: .2em; }}
.unseen {{ opacity: .7; }}
table {{ border-collapse: collapse; margin-top: 1rem; }}
caption {{ text-align: left; font-weight: 600; padding-bottom: .25rem; white-space: nowrap; }}
th, td {{ text-align: left; padding: .15rem 1.5rem .15rem 0; font-weight: 400;
  overflow-wrap: anywhere; }}
td {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
</style>
<main>
{sections}
</main>
</html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A text, and what is written above it."""

    text: Text
    title: str
    subtitle: str = ""


def page(sections: Sequence[Section]) -> str:
    """Return sections as one page of HTML, which needs nothing else; green for, pink against."""
    return _PAGE.format(
        title=_html(sections[0].title),
        sections="\n".join(map(_section, sections)),
    )


def _section(section: Section) -> str:
    text = section.text
    order = np.argsort(-np.abs(text.attributions), kind="stable")[:MOST]
    rows = "\n".join(
        f'<tr><th scope="row">{_html(text.words[i])}<td>{text.attributions[i]:+.3g}' for i in order
    )
    how = _html(section.subtitle).replace("\n", "<br>")
    return (
        f"<h1>{_html(section.title)}</h1>\n"
        f'<p class="how">{how}<br>green: for, pink: against</p>\n'
        f'<p class="text" lang="" dir="auto">{marked_words(text)}</p>\n'
        f"<table><caption>The words that count most</caption>\n{rows}\n</table>"
    )


def marked_words(text: Text) -> str:
    """Return a text as HTML, its words on coloured ground."""
    marked: list[str] = []
    for gap, word, weight, color in zip(
        text.gaps, text.words, text.attributions.tolist(), grounds(text.attributions), strict=True
    ):
        ground = "#" + bytes(color.tolist()).hex()
        marked.append(
            f'{_html(gap)}<span style="background:{ground}" title="{weight:+.3g}">'
            f"{_html(word)}</span>"
        )
    unseen = text.rest if text.words else text.rest or EMPTY
    rest = f'<i class="unseen">{_html(unseen)}</i>' if unseen else ""
    return "".join([*marked, rest])


def _html(text: str) -> str:
    return escape(_CONTROLS.sub(escaped, text))


# All control codes but tabs and newlines: no page may hold them.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def picture(section: Section) -> Array:
    """Return a section as a picture, uint8 [h, w, 3]; lines are broken to 760 pixels."""
    text = section.text
    if not text.words:
        text = replace(text, rest=text.rest or EMPTY)
    lines = section.subtitle.split("\n")
    heads = heading(section.title, lines, broken_to=_WIDTH - 2 * MARGIN)
    top = MARGIN + height_of(heads) + MARGIN // 2
    placed, height, _ = _flowed(text)
    whole = _letters(text)
    canvas = Image.new("RGB", (_WIDTH, top + height + MARGIN), PAPER)
    pen = ImageDraw.Draw(canvas)
    write_heading(pen, heads, _WIDTH)
    colors = grounds(text.attributions)
    for it in placed:
        x, y = MARGIN + it.x, top + it.y
        if it.part is not None:
            box = (x - 2, y + 2, x + width_of(it.text, _SIZE, whole) + 2, y + _ROW - 4)
            pen.rounded_rectangle(box, 3, fill=tuple(colors[it.part].tolist()))
        ink = INK if it.part is not None else FAINT
        write(pen, (x, y + _ROW // 2), it.text, _SIZE, ink, anchor="lm", like=whole)
    return np.array(canvas)


def left_out(text: Text) -> str | None:
    """Return what a picture does not show of a text, in words; None where it shows all."""
    said = [unwritable(" ".join((*text.words, *text.gaps, text.rest)))]
    if _flowed(text)[2]:
        said.append(f"the picture has the first {MOST_LINES} lines, the page all of them")
    return "; ".join(filter(None, said)) or None


def _flowed(text: Text) -> tuple[list[Placed], int, bool]:
    inner = _WIDTH - 2 * MARGIN
    pieces, like = _pieces(text), _letters(text)
    return flowed(pieces, size=_SIZE, row=_ROW, width=inner, like=like, most=MOST_LINES)


def grounds(attributions: Array) -> Array:
    """Return the ground of each word, uint8 [n, 3]: green for, pink against, white for nothing."""
    table = color_table(ColorMap.PINK_WHITE_GREEN, Polarity.BOTH)
    largest = float(np.abs(attributions).max(initial=0))
    strength = attributions / largest if largest else np.zeros_like(attributions)
    levels = np.rint(strength * _DARKEST * LEVELS).astype(int)
    colors = np.rint(table[LEVELS + levels]).astype(np.uint8)
    colors[levels == 0] = 255
    return np.asarray(colors)


def _letters(text: Text) -> str:
    """Return the letters of a text: all of it is written in one font, if one has them."""
    return "".join(sorted({*"".join(text.words), *text.rest}))


def _pieces(text: Text) -> Iterator[Piece]:
    """Yield the words and what is between them, with the spaces and the new lines before each."""
    space = width_of("n n", _SIZE) - width_of("nn", _SIZE)
    before, starts = 0.0, False
    parts: list[tuple[str, int | None]] = []
    for i, (gap, word) in enumerate(zip(text.gaps, text.words, strict=True)):
        parts += [(gap, None), (" ".join(word.split()) or "\u00a0", i)]
    for stretch, part in [*parts, (text.rest, None)]:
        for k, line in enumerate(stretch.replace("\t", "    ").split("\n")):
            if k:
                if starts:
                    yield Piece("", starts=True)  # an empty line
                before, starts = 0.0, True
            for j, piece in enumerate(line.split(" ")):
                before += space * (j > 0)
                if piece:
                    yield Piece(piece, part, before, starts)
                    before, starts = 0.0, False
    if starts:
        yield Piece("", starts=True)
