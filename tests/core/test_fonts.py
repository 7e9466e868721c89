"""Text in pictures: it fits, and letters that Pillow's font lacks are found or spelled otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pellucid import fonts
from pellucid.fonts import width_of, wrapped, write


def written(text: str, **given: Any) -> Any:
    canvas = Image.new("L", (400, 40), 255).convert("RGB")
    write(ImageDraw.Draw(canvas), (5, 5), text, 20, (0, 0, 0), **given)
    return np.asarray(canvas)[..., 0]


@pytest.fixture
def no_system_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_SYSTEM", ())


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


def test_a_font_of_the_system_is_taken_for_letters_that_pillow_s_lacks() -> None:
    from PIL import ImageFont

    found = [name for name in fonts._SYSTEM if fonts._font(name, 20)]
    if not found:
        pytest.skip("none of the usual fonts is installed")
    assert fonts._has(found[0], "é") and not fonts._has("", "é")
    canvas = Image.new("L", (400, 40), 255).convert("RGB")
    ImageDraw.Draw(canvas).text((5, 5), "café", font=ImageFont.truetype(found[0], 20), fill=0)
    assert np.array_equal(written("café"), np.asarray(canvas)[..., 0])


@pytest.mark.parametrize("text", ["", " ", "\n", "\u200b", "مرحبا", "🙂", "a\tb\nc"])
def test_anything_can_be_written(text: str) -> None:
    assert written(text).shape == (40, 400)
    assert width_of(text, 20) >= 0
