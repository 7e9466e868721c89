"""Letters in pictures, and lines of them: Pillow's own font, and the system's for what it lacks.

Words are shaped by raqm, where Pillow has it, and stand as their script is read: see `flowed`.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import TypeAlias

from PIL import ImageDraw, ImageFont, features

from pellucid.errors import SpecError
from pellucid.methods.texts import graphemes

# Pillow's own font has the letters of ASCII. These come with Linux, macOS or Windows, and Pillow
# knows where each of them keeps its fonts.
_SYSTEM = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf"),
    *(
        "NotoSansCJK-Regular.ttc",
        "Arial Unicode.ttf",
        "Hiragino Sans GB.ttc",
        "AppleSDGothicNeo.ttc",
    ),
    *("msgothic.ttc", "msyh.ttc", "malgun.ttf", "wqy-zenhei.ttc", "NotoSansArabic-Regular.ttf"),
)
_NO_LETTER = "\U0010ffff"
_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))


def write(
    pen: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    ink: tuple[int, int, int],
    *,
    width: float | None = None,
    anchor: str = "la",
    like: str = "",
) -> None:
    """Write a line of text, cut with an ellipsis where it would be wider than `width`.

    `anchor` is Pillow's: l, m or r, and a, m, s or t. The font is one that also has the letters of
    `like`, the whole of which the text is a part.
    """
    runs = _runs(text, size, like)
    if width is not None and _length(runs) > width:
        letters = graphemes(text)
        while letters and _length(_runs(f"{''.join(letters)}...", size, like)) > width:
            letters.pop()
        runs = _runs(f"{''.join(letters).rstrip()}...", size, like)
    x, y = place
    x -= {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * _length(runs)
    for part, font in runs:
        pen.text((x, y), part, font=font, fill=ink, anchor="l" + anchor[1])
        x += font.getlength(part)


def width_of(text: str, size: int, like: str = "") -> int:
    """Return how wide a line of text is, in pixels; see `write`."""
    return math.ceil(_length(_runs(text, size, like)))


def wrapped(text: str, size: int, width: int) -> list[str]:
    """Return a text as lines of at most `width` pixels, broken at spaces; newlines are kept."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if line and width_of(longer, size) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


Run: TypeAlias = tuple[str, ImageFont.FreeTypeFont]


def _length(runs: list[Run]) -> float:
    return sum(font.getlength(part) for part, font in runs)


def _runs(text: str, size: int, like: str) -> list[Run]:
    """Return a text as one line, in runs of letters of one font.

    That is the font with the most letters; others give what it lacks. A letter that no font has
    loses its accent, or is a box.
    """
    text = " ".join(text.split())
    if (text + like).isascii():
        return [(text, _given("", size))]
    letters = {letter for letter in text + like if not _unseen(letter)}
    missing = {name: sum(not _has(name, x) for x in letters) for name in _names()}
    names = sorted(missing, key=lambda name: missing[name])
    runs: list[tuple[str, str]] = []
    for letter in graphemes(text):
        name = next((n for n in names if _has_all(n, letter)), None)
        if name is None:
            name, letter = names[0], _bare(letter, names[0]) or letter
        if runs and runs[-1][1] == name:
            runs[-1] = (runs[-1][0] + letter, name)
        else:
            runs.append((letter, name))
    return [(part, _given(name, size)) for part, name in runs]


def _bare(letter: str, name: str) -> str:
    """Return a letter without its accents, "" where a font has not even that."""
    parts = unicodedata.normalize("NFKD", letter)
    bare = "".join(c for c in parts if not unicodedata.combining(c))
    return bare if _has_all(name, bare) else ""


def _has_all(name: str, letters: str) -> bool:
    return all(_unseen(c) or _has(name, c) for c in letters)


def _unseen(letter: str) -> bool:
    """Whether a character is not drawn itself: white space, what joins or selects emoji."""
    return letter.isspace() or unicodedata.category(letter) == "Cf" or letter in _SELECTORS


def unwritable(text: str) -> str | None:
    """Return what cannot be written of a text on this machine, in words; None if all can be."""
    if text.isascii():
        return None
    said = []
    letters = dict.fromkeys(it for it in graphemes(text) if not it.isascii())
    boxes = [it for it in letters if not any(_has_all(n, it) or _bare(it, n) for n in _names())]
    if boxes:
        more = f" and {len(boxes) - 5} more" if len(boxes) > 5 else ""
        said.append(f"no font of this machine has {' '.join(boxes[:5])}{more}, which are boxes")
    if any(_direction(it) == "R" for it in letters) and not features.check("raqm"):
        said.append("letters are not joined, as this Pillow lacks raqm")
    return "; ".join(said) or None


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a line, with the number of the part that it belongs to, if it has one.

    `space` is what is before it, in pixels, unless it begins a line; `starts` begins one.
    """

    text: str
    part: int | None = None
    space: float = 0
    starts: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A piece at its place, in pixels."""

    x: float
    y: int
    text: str
    part: int | None


def flowed(
    pieces: Iterable[Piece], *, size: int, row: int, width: int, like: str, most: int
) -> tuple[list[Placed], int, bool]:
    """Return the places of pieces in lines of `width` pixels, and the height of these.

    A line is `row` high, and there are at most so many; whether there would be more is told.

    Where the first letter that has a direction is read from right to left, as in Hebrew or Arabic,
    so are the lines, and they begin at the right; words of the other direction stand in their own
    order within.
    """
    pieces = list(pieces)
    right = next(filter(None, map(_direction_of, (it.text for it in pieces))), "L") == "R"
    placed: list[Placed] = []
    y = 0
    for number, line in enumerate(_lines(pieces, size, width, like)):
        if number == most:
            return placed, y, True
        places = _in_order(line, right)
        end = max((x + length for x, (_, length) in places), default=0)
        shift = width - end if right else 0
        placed += [Placed(x + shift, y, it.text, it.part) for x, (it, _) in places]
        y += row
    return placed, y, False


Measured: TypeAlias = tuple[Piece, int]
_AFTER = 3


def _lines(pieces: Sequence[Piece], size: int, width: int, like: str) -> Iterator[list[Measured]]:
    """Yield lines of pieces with their lengths; longer ones than a line are broken."""
    line: list[Measured] = []
    x = 0.0
    for piece in pieces:
        if piece.starts:
            yield line
            line, x = [], 0.0
        x += piece.space
        for k, text in enumerate(_fitting(piece.text, size, width, like)):
            length = width_of(text, size, like)
            space = 0.0 if k else piece.space
            if x + length > width and x:
                yield line
                line, x, space = [], 0.0, 0.0
            line.append((Piece(text, piece.part, space), length))
            x += length + _AFTER
    yield line


def _fitting(text: str, size: int, width: int, like: str) -> Iterator[str]:
    """Yield a text in stretches of letters that fit a line; all of it, if it does."""
    if not text or width_of(text, size, like) <= width:
        if text:
            yield text
        return
    stretch = ""
    for letter in graphemes(text):
        if stretch and width_of(stretch + letter, size, like) > width:
            yield stretch
            stretch = ""
        stretch += letter
    yield stretch


def _in_order(line: Sequence[Measured], right: bool) -> list[tuple[float, Measured]]:
    """Return the pieces of a line as they stand from the left, each with its place."""
    ways: list[str] = []
    way = "R" if right else "L"
    for piece, _ in line:  # what has no direction stands as what is before it
        way = _direction_of(piece.text) or way
        ways.append(way)
    runs = [list(run) for _, run in groupby(range(len(line)), lambda k: ways[k])]
    run_of = {k: number for number, run in enumerate(runs) for k in run}
    shown = [run[::-1] if ways[run[0]] == "R" else run for run in runs]
    order = [k for run in (shown[::-1] if right else shown) for k in run]
    found: list[tuple[float, Measured]] = []
    x = line[0][0].space if line and not right else 0.0
    for place, k in enumerate(order):
        if place:
            before = order[place - 1]
            later = max(run_of[before], run_of[k])
            alone = run_of[before] == run_of[k]
            x += line[max(before, k) if alone else runs[later][0]][0].space
        found.append((x, line[k]))
        x += line[k][1] + _AFTER
    return found


def _direction_of(text: str) -> str | None:
    """Return the direction of the first letter that has one: L or R."""
    return next(filter(None, map(_direction, text)), None)


def _direction(letters: str) -> str | None:
    kind = unicodedata.bidirectional(letters[0])
    return "R" if kind in ("R", "AL") else "L" if kind == "L" else None


@cache
def _names() -> tuple[str, ...]:
    """Return the fonts of this machine, Pillow's own first."""
    return ("", *(name for name in _SYSTEM if _font(name, 20) is not None))


def _given(name: str, size: int) -> ImageFont.FreeTypeFont:
    font = _font(name, size)
    assert font is not None, "a font that is named has been found before"
    return font


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    if name:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            return None
    font = ImageFont.load_default(size=size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise SpecError("this Pillow was built without FreeType, so no text can be drawn")
    return font


@cache
def _has(name: str, letter: str) -> bool:
    """Whether a font has a letter, and not only the box that stands for those it lacks."""
    font = _given(name, 20)
    drawn, box = font.getmask(letter), font.getmask(_NO_LETTER)
    return (drawn.size, bytes(drawn)) != (box.size, bytes(box))
