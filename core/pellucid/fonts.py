"""Letters in pictures: Pillow's own font, and one of the system's for letters that it lacks."""

from __future__ import annotations

import unicodedata
from functools import cache

from PIL import ImageDraw, ImageFont

from pellucid.errors import SpecError

# Pillow's font has the letters of ASCII. Those that Linux, macOS and Windows bring along, found by
# Pillow where each of them keeps its fonts; the first that has all letters of a text is taken.
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
) -> None:
    """Write a line of text, cut with an ellipsis where it would be wider than `width`."""
    text, font = _set(text, size)
    if width is not None:
        text = _cut(text, font, width)
    pen.text(place, text, font=font, fill=ink, anchor=anchor)


def width_of(text: str, size: int) -> int:
    """Return how wide a line of text is, in pixels."""
    text, font = _set(text, size)
    return -int(-font.getlength(text) // 1)


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


def _set(text: str, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """Return a text as one line, and a font that has its letters.

    Where no font has all of them, accents are left out, and what is still missing is a box.
    """
    text = " ".join(text.split()) if text.strip() else ""
    own = _font("", size)
    assert own is not None, "`_font` raises where Pillow's own is missing"
    if text.isascii():
        return text, own
    letters = frozenset(text) - {" "}
    for name in ("", *_SYSTEM):
        font = _font(name, size)
        if font is not None and all(_has(name, letter) for letter in letters):
            return text, font
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return (text, own) if bare == text else _set(bare, size)


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
    font = _font(name, 20)
    if font is None:
        return False
    drawn, box = font.getmask(letter), font.getmask(_NO_LETTER)
    return (drawn.size, bytes(drawn)) != (box.size, bytes(box))


def _cut(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text.rstrip() + "..."
