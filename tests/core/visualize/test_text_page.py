"""The page of a text, in a browser: legible in light and dark, on a telephone, read aloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.visualize.named_parts import Text
from pellucid.visualize.text_highlight import Section, page

WORDS = ("def", "größte", "(", "<b>", "猫", "&amp;", ")", ":", "x" * 80)
GAPS = ("", "  ", "", "", " ", " ", "", "", "\n    ")

# The contrast of each word with its ground, and of everything else with the page.
CONTRASTS = """() => {
  const channel = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const paper = numbers(getComputedStyle(document.body).backgroundColor);
  const ground_of = e => {
    const color = numbers(getComputedStyle(e).backgroundColor);
    return color[3] !== 0 ? color : e.parentElement ? ground_of(e.parentElement) : paper;
  };
  return [...document.querySelectorAll("h1, .how, .text span, .unseen, caption, th, td")].map(e => {
    const ground = ground_of(e), ink = numbers(getComputedStyle(e).color);
    const seen = Number(getComputedStyle(e).opacity);
    const mixed = ink.map((v, i) => v * seen + ground[i] * (1 - seen));
    const [low, high] = [luminance(mixed), luminance(ground)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  });
}"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    weights = np.linspace(-1, 1, len(WORDS))
    text = Text(feature="t", words=WORDS, attributions=weights, gaps=GAPS, rest=" and the rest")
    path = tmp_path / "words.html"
    path.write_text(page([Section(text=text, title="code: 0.9 <i>", subtitle="IG\nfine")]))
    return path


def test_the_text_stands_there_as_it_was_given(open_page: Any, written: Path) -> None:
    shown = open_page(written)
    text = "".join(g + w for g, w in zip(GAPS, WORDS, strict=True)) + " and the rest"
    assert shown.locator(".text").text_content() == text
    assert shown.locator(".text b").count() == 0
    assert shown.title() == "code: 0.9 <i>"


def test_the_numbers_can_be_read_without_seeing_colours(open_page: Any, written: Path) -> None:
    shown = open_page(written)
    table = shown.get_by_role("table", name="The words that count most")
    assert table.get_by_role("rowheader").count() == len(WORDS)
    assert table.get_by_role("row").first.text_content().strip() == "def-1"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_is_legible(open_page: Any, written: Path, scheme: str) -> None:
    contrasts = open_page(written, color_scheme=scheme).evaluate(CONTRASTS)
    assert len(contrasts) > 2 * len(WORDS) and min(contrasts) >= 4.5


def test_nothing_is_wider_than_a_telephone(open_page: Any, written: Path) -> None:
    shown = open_page(written, width=360, height=640)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 360
