"""A text whose words are coloured by their attribution, as a picture and as a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image, ImageDraw

from pellucid.metadata import ColorMap, Polarity
from pellucid.model import Array
from pellucid.printable import escaped
from pellucid.visualize.colormaps import LEVELS, color_table
from pellucid.visualize.named_parts import Text
from pellucid.visualize.panel import FAINT, INK, MARGIN, PAPER
from pellucid.visualize.text_layout import width_of, wrapped, write

MOST = 10
"""Words that a page lists with their numbers, the largest first."""

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
        title=escape(sections[0].title),
        sections="\n".join(map(_section, sections)),
    )


def _section(section: Section) -> str:
    text = section.text
    order = np.argsort(-np.abs(text.attributions), kind="stable")[:MOST]
    rows = "\n".join(
        f'<tr><th scope="row">{escape(text.words[i])}<td>{text.attributions[i]:+.3g}' for i in order
    )
    how = escape(section.subtitle).replace("\n", "<br>")
    return (
        f"<h1>{escape(section.title)}</h1>\n"
        f'<p class="how">{how}<br>green: for, pink: against</p>\n'
        f'<p class="text" lang="">{marked_words(text)}</p>\n'
        f"<table><caption>The words that count most</caption>\n{rows}\n</table>"
    )


def marked_words(text: Text, most: int | None = None) -> str:
    """Return a text as HTML, its words on coloured ground; with `most`, no more words than that."""
    marked: list[str] = []
    for gap, word, weight, color in zip(
        text.gaps, text.words, text.attributions.tolist(), grounds(text.attributions), strict=True
    ):
        if len(marked) == most:
            return "".join(marked)
        ground = "#" + bytes(color.tolist()).hex()
        marked.append(
            f'{_html(gap)}<span style="background:{ground}" title="{weight:+.3g}">'
            f"{_html(word)}</span>"
        )
    rest = f'<i class="unseen">{_html(text.rest)}</i>' if text.rest else ""
    return "".join([*marked, rest])


def _html(text: str) -> str:
    return escape(_CONTROLS.sub(escaped, text))


# All control codes but tabs and newlines: no page may hold them.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def picture(section: Section) -> Array:
    """Return a section as a picture, uint8 [h, w, 3]; lines are broken to 760 pixels."""
    text, inner = section.text, _WIDTH - 2 * MARGIN
    heads = [(line, 20, INK) for line in wrapped(section.title, 20, inner)]
    heads += [
        (part, 14, FAINT)
        for line in section.subtitle.split("\n")
        for part in wrapped(line, 14, inner)
        if line
    ]
    top = MARGIN + sum(int(size * 1.4) for _, size, _ in heads) + MARGIN // 2
    placed, height = _lines(text, inner)
    canvas = Image.new("RGB", (_WIDTH, top + height + MARGIN), PAPER)
    pen = ImageDraw.Draw(canvas)
    y = MARGIN
    for line, size, ink in heads:
        write(pen, (MARGIN, y), line, size, ink, width=inner)
        y += int(size * 1.4)
    colors, whole = grounds(text.attributions), _letters(text)
    for x, y, word, i in placed:
        x, y = MARGIN + x, top + y
        if i is not None:
            box = (x - 2, y + 2, x + width_of(word, _SIZE, whole) + 2, y + _ROW - 4)
            pen.rounded_rectangle(box, 3, fill=tuple(colors[i].tolist()))
        ink = INK if i is not None else FAINT
        write(pen, (x, y + _ROW // 2), word, _SIZE, ink, anchor="lm", like=whole)
    return np.array(canvas)


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


def _lines(text: Text, width: int) -> tuple[list[tuple[int, int, str, int | None]], int]:
    """Return each piece of a text as (x, y, piece, its word's number), and the height of all."""
    space = width_of("n n", _SIZE) - width_of("nn", _SIZE)
    pieces: list[tuple[int, int, str, int | None]] = []
    x = y = 0
    whole = _letters(text)

    def put(piece: str, i: int | None) -> None:
        nonlocal x, y
        while piece:
            fits = len(piece)
            if x + width_of(piece, _SIZE, whole) > width:
                if x:
                    x, y = 0, y + _ROW
                    continue
                while fits > 1 and width_of(piece[:fits], _SIZE, whole) > width:
                    fits -= 1
            pieces.append((x, y, piece[:fits], i))
            x += width_of(piece[:fits], _SIZE, whole) + 3
            piece = piece[fits:]

    def gap(between: str) -> None:
        nonlocal x, y
        for k, stretch in enumerate(between.replace("\t", "    ").split("\n")):
            if k:
                x, y = 0, y + _ROW
            for j, piece in enumerate(stretch.split(" ")):
                x += space if j else 0
                put(piece, None)

    for i, (between, word) in enumerate(zip(text.gaps, text.words, strict=True)):
        gap(between)
        put(" ".join(word.split()) or " ", i)
    gap(text.rest)
    return pieces, y + _ROW
