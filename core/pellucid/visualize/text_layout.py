"""Letters in pictures: Pillow's own font, and one of the system's for letters that it lacks."""

from __future__ import annotations

import math
import unicodedata
from functools import cache
from typing import TypeAlias

from PIL import ImageDraw, ImageFont

from pellucid.errors import SpecError

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
        while text and _length(_runs(f"{text}...", size, like)) > width:
            text = text[:-1]
        runs = _runs(f"{text.rstrip()}...", size, like)
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
    letters = {letter for letter in text + like if not letter.isspace()}
    missing = {name: sum(not _has(name, x) for x in letters) for name in _names()}
    names = sorted(missing, key=lambda name: missing[name])
    runs: list[tuple[str, str]] = []
    for letter in text:
        name = next((n for n in names if letter == " " or _has(n, letter)), None)
        if name is None:
            bare = "".join(
                c for c in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(c)
            )
            name = names[0]
            letter = bare if bare and all(_has(name, c) for c in bare) else letter
        if runs and runs[-1][1] == name:
            runs[-1] = (runs[-1][0] + letter, name)
        else:
            runs.append((letter, name))
    return [(part, _given(name, size)) for part, name in runs]


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
