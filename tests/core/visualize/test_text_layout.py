"""Text in pictures: it fits, and letters that Pillow's font lacks are found or spelled otherwise."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pellucid.visualize import text_layout as fonts
from pellucid.visualize.text_layout import Piece, flowed, width_of, wrapped, write


def written(text: str, **given: Any) -> Any:
    canvas = Image.new("L", (400, 40), 255).convert("RGB")
    write(ImageDraw.Draw(canvas), (5, 5), text, 20, (0, 0, 0), **given)
    return np.asarray(canvas)[..., 0]


@pytest.fixture
def no_system_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_names", lambda: ("",))


def test_a_line_is_as_wide_as_it_says() -> None:
    for text in ("i", "tabby cat 0.87", "Wide WIDE"):
        ink = np.flatnonzero((written(text) < 250).any(axis=0))
        assert ink.min() >= 5 and ink.max() < 5 + width_of(text, 20) + 2
        assert ink.max() > width_of(text, 20) - 2


def test_a_line_too_long_ends_in_an_ellipsis() -> None:
    cut = written("tabby cat " * 20, width=200)
    assert np.flatnonzero((cut < 250).any(axis=0)).max() < 5 + 200 + 2
    assert np.array_equal(written("cat", width=200), written("cat"))


def test_lines_are_broken_at_spaces_and_lose_no_word() -> None:
    text = "type=outlines polarity=both overlay_type=original\nclip_below_percentile=70"
    lines = wrapped(text, 12, 160)
    assert " ".join(lines).split() == text.split()
    assert all(width_of(line, 12) <= 160 for line in lines)
    assert lines[-1] == "clip_below_percentile=70"
    assert wrapped("one", 12, 1) == ["one"]


def test_without_another_font_accents_are_left_out(no_system_fonts: None) -> None:
    assert np.array_equal(written("Gänseblümchen café"), written("Ganseblumchen cafe"))
    # What cannot be spelled otherwise is at least seen to be there.
    assert (written("猫") < 250).any()


@pytest.fixture
def system_font() -> str:
    names = fonts._names()[1:]
    if not names or not fonts._has(names[0], "é"):
        pytest.skip("none of the usual fonts is installed")
    return names[0]


def by_pillow(text: str, font: Any, x: float = 5) -> Any:
    canvas = Image.new("L", (400, 40), 255).convert("RGB")
    ImageDraw.Draw(canvas).text((x, 5), text, font=font, fill=(0, 0, 0))
    return np.asarray(canvas)[..., 0]


def test_a_font_of_the_system_is_taken_for_letters_that_pillow_s_lacks(system_font: str) -> None:
    assert not fonts._has("", "é")
    assert np.array_equal(written("café"), by_pillow("café", ImageFont.truetype(system_font, 20)))


def test_a_letter_that_one_font_lacks_comes_from_another(
    system_font: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = ImageFont.load_default(20), ImageFont.truetype(system_font, 20)
    has = fonts._has
    # As if the font of the system had that letter, and no other.
    monkeypatch.setattr(fonts, "_names", lambda: ("", system_font))
    monkeypatch.setattr(fonts, "_has", lambda n, x: x == "é" if n else has("", x))
    expected = np.minimum(by_pillow("caf", own), by_pillow("é", other, 5 + own.getlength("caf")))
    assert np.array_equal(written("café"), expected)


def test_a_part_is_written_in_the_font_of_the_whole(system_font: str) -> None:
    other = ImageFont.truetype(system_font, 20)
    assert np.array_equal(written("caf", like="é"), by_pillow("caf", other))
    assert width_of("caf", 20, like="é") == pytest.approx(other.getlength("caf"), abs=1)


@pytest.mark.parametrize("anchor, share", [("la", 0.0), ("ma", 0.5), ("ra", 1.0)])
def test_a_line_begins_ends_or_has_its_middle_at_its_place(anchor: str, share: float) -> None:
    canvas = Image.new("L", (400, 40), 255).convert("RGB")
    write(ImageDraw.Draw(canvas), (200, 5), "tabby cat", 20, (0, 0, 0), anchor=anchor)
    ink = np.flatnonzero((np.asarray(canvas)[..., 0] < 250).any(axis=0))
    width = width_of("tabby cat", 20)
    assert abs(ink.min() - (200 - share * width)) <= 2
    assert abs(ink.max() - (200 + (1 - share) * width)) <= 2


@pytest.mark.parametrize("text", ["", " ", "\n", "\u200b", "مرحبا", "🙂", "a\tb\nc"])
def test_anything_can_be_written(text: str) -> None:
    assert written(text).shape == (40, 400)
    assert width_of(text, 20) >= 0


# Lines


def in_lines(*words: str, width: int = 200, most: int = 9) -> tuple[list[list[str]], bool]:
    """Return the words of each line from left to right, as they are seen, and what was cut."""
    pieces = [Piece(word, i, 5.0 * bool(i)) for i, word in enumerate(words)]
    placed, height, cut = flowed(pieces, size=17, row=30, width=width, like="", most=most)
    lines: dict[int, list[tuple[float, str]]] = {}
    for it in placed:
        assert it.x >= 0 and it.x + width_of(it.text, 17) <= width
        lines.setdefault(it.y, []).append((it.x, it.text))
    assert height == 30 * len(lines)
    for line in lines.values():
        ends = [(x, x + width_of(word, 17)) for x, word in sorted(line)]
        assert all(end < x for (_, end), (x, _) in pairwise(ends))
    return [[word for _, word in sorted(lines[y])] for y in sorted(lines)], cut


ONE, TWO, THREE = "אחת", "שתיים", "שלוש"


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (["a", "b", "c"], ["a", "b", "c"]),
        ([ONE, TWO, THREE], [THREE, TWO, ONE]),
        (["a", ONE, TWO, "b"], ["a", TWO, ONE, "b"]),
        ([ONE, "a", "b", TWO], [TWO, "a", "b", ONE]),
        ([ONE, "7", "!", TWO], [TWO, "!", "7", ONE]),
        (["«", ONE, "a"], ["a", ONE, "«"]),
        (["7", "a", "8", ONE], ["7", "a", "8", ONE]),
    ],
)
def test_words_stand_as_their_script_is_read(words: list[str], seen: list[str]) -> None:
    assert in_lines(*words) == ([seen], False)


def test_lines_from_right_to_left_begin_at_the_right() -> None:
    pieces = [Piece(ONE, 0), Piece(TWO, 1, 5.0)]
    first, second = flowed(pieces, size=17, row=30, width=200, like="", most=9)[0]
    assert (first.text, second.text) == (TWO, ONE)
    assert second.x + width_of(ONE, 17) == 200


def test_each_line_is_put_in_order_by_itself() -> None:
    lines, _ = in_lines(ONE, TWO, THREE, ONE, width=width_of(f"{ONE} {TWO} {THREE}", 17) + 12)
    assert lines == [[THREE, TWO, ONE], [ONE]]


def test_a_picture_has_no_more_lines_than_it_should() -> None:
    lines, cut = in_lines("a" * 400, "b", width=100, most=3)
    assert len(lines) == 3 and cut


def test_a_long_word_is_broken_between_what_readers_take_for_characters() -> None:
    word = "e\u0301" * 60
    lines, _ = in_lines(word, width=100)
    assert "".join(part for line in lines for part in line) == word
    assert all(line[0].startswith("e\u0301") for line in lines)


def test_what_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fonts.unwritable("plain, naïve text") is None
    monkeypatch.setattr(fonts, "_names", lambda: ("",))
    family = "👩‍👩‍👧‍👦"
    said = f"no font of this machine has {family}, which are boxes"
    assert fonts.unwritable(f"a {family} b {family}") == said
    monkeypatch.setattr(fonts, "_has", lambda name, letter: True)
    monkeypatch.setattr(fonts.features, "check", lambda name: False)
    assert fonts.unwritable("שלום") == "letters are not joined, as this Pillow lacks raqm"
    monkeypatch.setattr(fonts.features, "check", lambda name: True)
    assert fonts.unwritable("שלום") is None
